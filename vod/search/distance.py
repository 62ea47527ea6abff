"""How far what was typed is from a title: edit distance to the likeliest part of it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from vod.search.query import MIN_PREFIX_CHARS, Token
from vod.search.sounds import spell_pieces
from vod.search.text import fold, split_runs

MAX_PATTERN_CHARS: Final = 64
PIECE_CHARS: Final = (
    4  # Of a mistyped word: one piece at least is left whole and begins a syllable.
)
MAX_PIECES: Final = 12
# From so many characters on, so many mistakes: of Han, and of letters.
HAN_LIMITS: Final = ((7, 2), (3, 1))
LETTER_LIMITS: Final = ((17, 3), (9, 2), (4, 1))


def compute_distance(pattern: str, text: str) -> int:
    """Compute the edit distance between ``pattern`` and the part of ``text`` nearest to it.

    Cost: one step per character of ``text`` (Myers 1999, the pattern as bits of one integer).
    """
    pattern = pattern[:MAX_PATTERN_CHARS]
    if not pattern:
        return 0
    places: defaultdict[str, int] = defaultdict(int)
    for at, char in enumerate(pattern):
        places[char] |= 1 << at
    every, last = (1 << len(pattern)) - 1, 1 << (len(pattern) - 1)
    up, down, distance = every, 0, len(pattern)
    best = distance
    for char in text:
        equal = places.get(char, 0)
        vertical = equal | down
        horizontal = (((equal & up) + up) ^ up) | equal
        rise = down | ~(horizontal | up) & every
        fall = up & horizontal
        distance += bool(rise & last) - bool(fall & last)
        best = min(best, distance)
        rise, fall = rise << 1, fall << 1
        up = (fall | ~(vertical | rise)) & every
        down = rise & vertical & every
    return best


def judge(key: str, sound: str, *, title_key: str, title_sound: str) -> float | None:
    """Judge whether a title may be meant: its distance per character, 0 at best, or ``None``."""
    judged = [
        _judge(key, title_key, HAN_LIMITS if len(key) < len(sound) else LETTER_LIMITS),
        _judge(sound, title_sound, LETTER_LIMITS),
    ]
    return min((one for one in judged if one is not None), default=None)


def _judge(pattern: str, text: str, limits: Sequence[tuple[int, int]]) -> float | None:
    if not pattern:
        return None
    pattern = pattern[:MAX_PATTERN_CHARS]
    most = next((most for chars, most in limits if len(pattern) >= chars), 0)
    distance = compute_distance(pattern, text)
    return distance / len(pattern) if distance <= most else None


def list_pieces(text: str) -> list[Token]:
    """List what a title that is meant has probably in common with what was typed."""
    pieces = [Token(pair, is_prefix=True) for pair in spell_pieces(text)]
    for run in split_runs(fold(text)):
        size = 2 if run.is_han else PIECE_CHARS
        starts = range(max(1, len(run.text) - size + 1))
        pieces.extend(
            Token(run.text[at : at + size], is_prefix=True)
            for at in starts
            if len(run.text) >= MIN_PREFIX_CHARS
        )
    return list(dict.fromkeys(pieces))[:MAX_PIECES]
