"""Cut the sound into pieces that a model can take at once: at pauses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from transcode.transcriber.port import Piece

MAX_PIECE_MS: Final = 20_000  # Models hear up to 30 s at once; memory grows with the square.
MAX_INNER_PAUSE_MS: Final = 1_500  # A longer pause ends a piece: what follows is another thought.
PADDING_MS: Final = 200  # Consonants at the edges are quiet.
MIN_SPEECH_MS: Final = 200  # A click, a chair.
PAUSE_DB: Final = -38  # Speech lies at -16 LUFS when this is measured.
PAUSE_S: Final = 0.25  # The breath between two phrases.


def plan_pieces(silences: Sequence[tuple[int, int]], *, duration_ms: int) -> tuple[Piece, ...]:
    """Turn silences into pieces of speech.

    Args:
        silences: Half-open ranges in ms, ascending.

    Returns:
        In order, not overlapping, none longer than ``MAX_PIECE_MS``; silence is in none but for
        short pauses and a little padding.
    """
    return tuple(_split_long(_join(_find_speech(silences, duration_ms))))


def _find_speech(
    silences: Sequence[tuple[int, int]], duration_ms: int
) -> Iterator[tuple[int, int]]:
    start = 0
    for quiet, loud in [*silences, (duration_ms, duration_ms)]:
        if quiet - start >= MIN_SPEECH_MS:
            yield start, quiet
        start = max(start, loud)


def _join(ranges: Iterable[tuple[int, int]]) -> Iterator[Piece]:
    held: Piece | None = None
    for start, end in _pad(list(ranges)):
        if (
            held is not None
            and start - held.end_ms <= MAX_INNER_PAUSE_MS
            and end - held.start_ms <= MAX_PIECE_MS
        ):
            held = Piece(held.start_ms, end)
            continue
        if held is not None:
            yield held
        held = Piece(start, end)
    if held is not None:
        yield held


def _pad(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Widen each range by a little, up to the middle of the pause to its neighbour."""
    for number, (start, end) in enumerate(ranges):
        before = ranges[number - 1][1] if number else 0
        after = ranges[number + 1][0] if number + 1 < len(ranges) else end + PADDING_MS
        yield (
            max(start - PADDING_MS, (before + start + 1) // 2 if number else 0, 0),
            min(end + PADDING_MS, (end + after) // 2),
        )


def _split_long(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Cut what has no pause for too long into equal parts."""
    for piece in pieces:
        length = piece.end_ms - piece.start_ms
        count = -(-length // MAX_PIECE_MS)
        edges = [piece.start_ms + length * n // count for n in range(count + 1)]
        for number in range(count):
            yield Piece(edges[number], edges[number + 1])
