"""Break captions for the width of a Chinese picture: two lines of 18 full-width characters. Pure.

Widths are in half characters: a Han character or full-width sign is two, anything else one. Text
without any full-width character may be a little wider, since Latin letters are narrow. Breaks are
chosen to cost least: after the end of a sentence before after a comma, at a space before inside a
Chinese sentence, inside a Latin word only when it is longer than a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kernel.captions.cues import MAX_CUES_COUNT, Cue

MAX_LINES_COUNT: Final = 2
MAX_WIDTH: Final = 36  # 18 full-width characters.
MAX_LATIN_WIDTH: Final = 42  # The usual limit for Latin script; as wide as the above on screen.

_ENDS: Final = frozenset("。！？!?…；;")  # A sentence ends after these,
_PAUSES: Final = frozenset("，、：,:—")  # a phrase after those,
_CLOSERS: Final = frozenset(
    "。！？!?…；;，、：,:.—）)》〉」』】〕”’%％·~～"
)  # and none begins a line.
_PAIRED_OPENERS: Final = frozenset("（(《「『【〔“")
_PAIRED_CLOSERS: Final = frozenset("）)》」』】〕”")
_OPENERS: Final = frozenset("（(《〈「『【〔“‘")  # None of these ends one.
_PARTICLES: Final = frozenset("的了着吗呢吧啊们")  # Break after these,
_LINKS: Final = frozenset("和与或而但在是把被从向对让使就也都还才又将")  # before those.
# Words of letters, digits and what sits inside them; single full-width characters; spaces.
_TOKEN: Final = re.compile(
    r"[^\S\n]+|\n|[0-9A-Za-z\u00c0-\u024f\u0370-\u1fff'’._@/&+-]+|.", re.DOTALL
)

# What a break costs, by what stands before it; lower is better. The scale is width squared: a line
# that is 6 half characters shorter than its share costs 36.
_AFTER_END: Final = 0
_AFTER_PAUSE: Final = 50
_AT_SPACE: Final = 90
_AT_BRACKET: Final = 70  # Before what opens a title or a quotation,
_AT_PARTICLE: Final = 150  # beside a Han character that seldom is half of a word,
_INSIDE: Final = 400  # between two others: perhaps in the middle of a word,
_IN_BRACKETS: Final = 120  # and this in addition inside of a title or a quotation.
_WIDOW: Final = 150  # A last line of three characters.
_WIDOW_WIDTH: Final = 8
_PER_LINE: Final = 120  # Fewer lines are calmer,
_PER_SCREEN: Final = 100  # fewer changes of the picture even more.
_FORBIDDEN: Final = 5000
_INFINITE: Final = float("inf")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    width: int
    break_cost: int
    """Of ending a line after this token."""


def measure_width(text: str) -> int:
    """Width in half characters; combining marks have none."""
    return sum(map(_char_width, text))


@lru_cache(maxsize=8192)  # The characters of a language; looking one up costs a microsecond.
def _char_width(char: str) -> int:
    if char < "\u0300":
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in {"Cf", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" or char in "…—“”‘’" else 1


def choose_limit(text: str) -> int:
    """Width of a line for this text."""
    return MAX_WIDTH if any(_char_width(char) == 2 for char in text) else MAX_LATIN_WIDTH  # noqa: PLR2004 - full width


def split_for_width(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """Break every cue that is too wide or too high into cues of at most two lines that fit.

    What fits stays as its author broke it. A cue that becomes several shares its time among them
    by the width of their text. Idempotent; no character but white space is lost. Where the parts
    would be more than a track may have, all cues stay as they are.

    Cost: about 0.3 ms a cue that is broken; for whole tracks call it in a thread.
    """
    whole = tuple(cues)
    parts = tuple(part for cue in whole for part in split_cue(cue))
    return parts if len(parts) <= MAX_CUES_COUNT else whole


def split_cue(cue: Cue) -> tuple[Cue, ...]:
    """Break one cue; see ``split_for_width``."""
    if fits(cue.text):
        return (cue,)
    screens = wrap_text(cue.text)
    total_ms = cue.end_ms - cue.start_ms
    if len(screens) > total_ms:  # Less than a millisecond each: a broken cue, shown as it is.
        return (Cue(cue.start_ms, cue.end_ms, "\n".join(screens)),) if screens else ()
    weights = [max(1, measure_width(screen.replace("\n", ""))) for screen in screens]
    edges = _share_out(total_ms, weights)
    return tuple(
        Cue(cue.start_ms + edges[n], cue.start_ms + edges[n + 1], screen)
        for n, screen in enumerate(screens)
    )


def fits(text: str) -> bool:
    """Tell whether a text shows as it is."""
    lines = text.split("\n")
    limit = choose_limit(text)
    return len(lines) <= MAX_LINES_COUNT and all(measure_width(line) <= limit for line in lines)


def wrap_text(text: str) -> list[str]:
    """Break a text into screens of one or two lines, at the places that cost least.

    Cost: characters times the width of a line.
    """
    limit = choose_limit(text)
    tokens = list(_tokenise(text, limit))
    ends = _choose_ends(tokens, limit)
    screens: list[str] = []
    lines: list[str] = []
    first = 0
    for end, is_screen_end in ends:
        line = "".join(token.text for token in tokens[first:end]).strip()
        first = end
        if line:
            lines.append(line)
        if is_screen_end and lines:
            screens.append("\n".join(lines))
            lines = []
    return screens


def _share_out(total_ms: int, weights: Sequence[int]) -> list[int]:
    """Return strictly growing edges from 0 to ``total_ms``, in proportion to the weights."""
    whole = sum(weights)
    edges, done = [0], 0
    for number, weight in enumerate(weights):
        done += weight
        left = len(weights) - number - 1  # Those after this one need a millisecond each.
        edges.append(min(total_ms - left, max(edges[-1] + 1, total_ms * done // whole)))
    return edges


def _tokenise(text: str, limit: int) -> Iterator[_Token]:
    raw = [piece for piece in _join_lines(text) if piece]
    depth = 0
    for number, piece in enumerate(raw):
        following = raw[number + 1] if number + 1 < len(raw) else ""
        width = measure_width(piece)
        depth = max(0, depth + (piece in _PAIRED_OPENERS) - (piece in _PAIRED_CLOSERS))
        if width > limit:  # An address, a line of dashes: cut where the line ends.
            yield from _chop(piece, limit)
        else:
            price = _price(piece, following)
            yield _Token(piece, width, price + _IN_BRACKETS if depth and price else price)


def _join_lines(text: str) -> list[str]:
    """Cut into tokens; a line break is a space between Latin words and nothing between Han."""
    pieces = _TOKEN.findall(text)
    joined: list[str] = []
    for number, piece in enumerate(pieces):
        if piece != "\n":
            joined.append(piece if piece.strip() else " ")
            continue
        before = joined[-1] if joined else ""
        after = pieces[number + 1] if number + 1 < len(pieces) else ""
        if before and after and not (_is_wide(before[-1]) and _is_wide(after[0])):
            joined.append(" ")
    return joined


def _is_wide(char: str) -> bool:
    return _char_width(char) == 2  # noqa: PLR2004 - full width


def _chop(piece: str, limit: int) -> Iterator[_Token]:
    part, width = "", 0
    for char in piece:
        step = _char_width(char)
        if width + step > limit:
            yield _Token(part, width, _INSIDE)
            part, width = "", 0
        part += char
        width += step
    yield _Token(part, width, _INSIDE)


def _price(piece: str, following: str) -> int:
    """Say what it costs to end a line after ``piece``."""
    last = piece[-1]
    if following[:1] in _CLOSERS or last in _OPENERS:
        return _FORBIDDEN
    if last in _ENDS or (last == "." and following == " "):
        return _AFTER_END
    if last in _PAUSES:
        return _AFTER_PAUSE
    if last == " " or following == " ":
        return _AT_SPACE
    if following and following in _OPENERS:
        return _AT_BRACKET
    return _AT_PARTICLE if last in _PARTICLES or following in _LINKS else _INSIDE


def _choose_ends(tokens: Sequence[_Token], limit: int) -> list[tuple[int, bool]]:
    """Find the line ends of least cost: ``(index after the line, does the screen end there)``.

    Dynamic programming over the tokens placed so far, with the screen closed or with one line on
    it; going backwards from a place, only as many tokens as fit on a line are looked at.
    """
    count = len(tokens)
    widths = [token.width for token in tokens]
    closed = [0.0] + [_INFINITE] * count  # Least cost with all screens complete,
    opened = [_INFINITE] * (count + 1)  # and with one line on a screen that takes another.
    before_closed = [(0, True)] * (count + 1)  # Where the last line begins, and in which state.
    before_opened = [0] * (count + 1)
    torn = [(limit - width) ** 2 // 12 for width in range(limit + 1)]
    last = [_WIDOW if width < _WIDOW_WIDTH else 0 for width in range(limit + 1)]
    for end in range(1, count + 1):
        token = tokens[end - 1]
        slack = last if end == count else torn  # The last line may be short.
        best_first = best_second = _INFINITE
        first_at = second_at = 0
        width = -token.width if token.text == " " else 0  # A space at the end is not shown.
        for first in range(end - 1, -1, -1):
            width += widths[first]
            if width > limit:
                break
            line = _PER_LINE + slack[width]
            if closed[first] + line < best_first:
                best_first, first_at = closed[first] + line, first
            if opened[first] + line < best_second:
                best_second, second_at = opened[first] + line, first
        price = 0 if end == count else token.break_cost
        opened[end] = best_first + price
        before_opened[end] = first_at
        is_alone = best_first <= best_second
        closed[end] = min(best_first, best_second) + _PER_SCREEN + 2 * price
        before_closed[end] = (first_at, True) if is_alone else (second_at, False)
    return _walk_back(before_closed, before_opened)


def _walk_back(
    before_closed: Sequence[tuple[int, bool]], before_opened: Sequence[int]
) -> list[tuple[int, bool]]:
    ends: list[tuple[int, bool]] = []
    place, is_closed = len(before_opened) - 1, True
    while place > 0:
        ends.append((place, is_closed))
        place, is_closed = before_closed[place] if is_closed else (before_opened[place], True)
    return ends[::-1]
