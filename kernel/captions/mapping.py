"""Carry cues and moments from the uncut lecture to the cut one and back. Pure.

A cut lecture is the concatenation of kept half-open ranges of the uncut one, in order, disjoint.
Milliseconds throughout; sums of range lengths are exact, so nothing drifts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from kernel.captions.cues import Cue

Range = tuple[int, int]
MIN_REST_MS: Final = 200  # A shorter rest of a cue at a cut would only flash.


def cut_cues(cues: Iterable[Cue], kept: Sequence[Range]) -> tuple[Cue, ...]:
    """Map cues of the uncut lecture to the time of the cut one.

    A cue over a cut goes on after it without a break; what lies in cut-out parts vanishes, and so
    does a rest too short to be seen.

    Cost: cues plus ranges plus pieces, after sorting.

    Args:
        kept: ``(start_ms, end_ms)`` in uncut time, ascending, not overlapping.
    """
    pieces: list[Cue] = []
    ordered = sorted(cues, key=lambda cue: cue.start_ms)
    whole = frozenset(ordered)
    ranges = check_ranges(kept)
    offsets = [0, *accumulate(end - start for start, end in ranges)]
    lowest = 0  # Cues come by their start: a range that ended before one is over for all others.
    for cue in ordered:
        while lowest < len(ranges) and ranges[lowest][1] <= cue.start_ms:
            lowest += 1
        number = lowest
        while number < len(ranges) and ranges[number][0] < cue.end_ms:
            start, end = ranges[number]
            first, last = max(start, cue.start_ms), min(end, cue.end_ms)
            shift = offsets[number] - start
            if first < last:
                pieces.append(Cue(first + shift, last + shift, cue.text))
            number += 1
    return tuple(
        piece
        for piece in _rejoin(pieces)
        if piece.end_ms - piece.start_ms >= MIN_REST_MS or piece in whole
    )


def cut_moment(moment_ms: int, kept: Sequence[Range]) -> int | None:
    """Map a moment of the uncut lecture to the cut one; ``None`` when it was cut out."""
    offset = 0
    for start, end in check_ranges(kept):
        if start <= moment_ms < end:
            return offset + moment_ms - start
        offset += end - start
    return None


def uncut_moment(moment_ms: int, kept: Sequence[Range]) -> int:
    """Map a moment of the cut lecture back; beyond its end is the end of the last range."""
    offset = 0
    end = 0
    for start, end in check_ranges(kept):
        if moment_ms < offset + end - start:
            return start + max(0, moment_ms - offset)
        offset += end - start
    return end


def check_ranges(kept: Sequence[Range]) -> Sequence[Range]:
    """Return ``kept``.

    Raises:
        ValueError: It is not ascending and disjoint; the caller has checked what people send.
    """
    previous = 0
    for start, end in kept:
        if not previous <= start < end:
            raise ValueError(f"range {start}-{end} after {previous}")
        previous = end
    return kept


def _rejoin(pieces: Iterable[Cue]) -> list[Cue]:
    """Make one cue of neighbours with the same text: the two halves of a cue over a cut."""
    joined: list[Cue] = []
    for piece in sorted(pieces, key=lambda cue: cue.start_ms):
        if joined and joined[-1].end_ms == piece.start_ms and joined[-1].text == piece.text:
            joined[-1] = Cue(joined[-1].start_ms, piece.end_ms, piece.text)
        else:
            joined.append(piece)
    return joined
