"""Choose where the lines and screens of one caption end, at the least cost. Pure.

Costs: after the end of a sentence before after a comma, at a space before inside a Chinese
sentence, inside a Latin word only when it is longer than a line.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import add
from typing import Final

FULL_WIDTH: Final = 2  # Half characters that a Han character takes.

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
_INFINITE: Final = 10**12

# Nine breaks of ten lie between two Han characters of which neither is one of these.
_NOTABLE_LAST: Final = _ENDS | _PAUSES | _OPENERS | _PARTICLES | {" ", "."}
_NOTABLE_NEXT: Final = _CLOSERS | _OPENERS | _LINKS | {" "}


class _Tokens:
    """Columns of the tokens of a text: ``costs`` are those of ending a line after each."""

    __slots__ = ("costs", "texts", "widths")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.widths: list[int] = []
        self.costs: list[int] = []

    def add(self, text: str, width: int, cost: int) -> None:
        self.texts.append(text)
        self.widths.append(width)
        self.costs.append(cost)


def measure_width(text: str) -> int:
    """Width in half characters; combining marks have none."""
    return len(text) if text.isascii() else sum(map(char_width, text))


@lru_cache(maxsize=8192)  # The characters of a language; looking one up costs a microsecond.
def char_width(char: str) -> int:
    """Width of one character in half characters."""
    if char < "\u0300":
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in {"Cf", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" or char in "…—“”‘’" else 1


def break_text(text: str, limit: int) -> list[str]:
    """Break a text into screens of one or two lines of at most ``limit`` half characters.

    Cost: characters times the width of a line; far less for what fits on one screen.
    """
    tokens = _tokenise(text, limit)
    ends = _halve(tokens, limit) or _choose_ends(tokens, limit)
    screens: list[str] = []
    lines: list[str] = []
    first = 0
    for end, is_screen_end in ends:
        line = "".join(tokens.texts[first:end]).strip()
        first = end
        if line:
            lines.append(line)
        if is_screen_end and lines:
            screens.append("\n".join(lines))
            lines = []
    return screens


def _tokenise(text: str, limit: int) -> _Tokens:
    raw = [piece for piece in _join_lines(text) if piece]
    tokens = _Tokens()
    depth = 0
    for piece, following in zip(raw, [*raw[1:], ""], strict=True):
        width = char_width(piece) if len(piece) == 1 else measure_width(piece)
        if piece in _PAIRED_OPENERS:
            depth += 1
        elif depth and piece in _PAIRED_CLOSERS:
            depth -= 1
        if width > limit:  # An address, a line of dashes: cut where the line ends.
            for part, part_width in _chop(piece, limit):
                tokens.add(part, part_width, _INSIDE)
        else:
            is_plain = piece[-1] not in _NOTABLE_LAST and following[:1] not in _NOTABLE_NEXT
            price = _INSIDE if is_plain else _price(piece, following)
            tokens.add(piece, width, price + _IN_BRACKETS if depth and price else price)
    return tokens


def _join_lines(text: str) -> list[str]:
    """Cut into tokens; a line break is a space between Latin words and nothing between Han."""
    pieces: list[str] = _TOKEN.findall(text)
    if "\n" not in text:
        return [" " if piece.isspace() else piece for piece in pieces]
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
    return char_width(char) == FULL_WIDTH


def _chop(piece: str, limit: int) -> Iterator[tuple[str, int]]:
    part, width = "", 0
    for char in piece:
        step = char_width(char)
        if width + step > limit:
            yield part, width
            part, width = "", 0
        part += char
        width += step
    yield part, width


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


def _halve(tokens: _Tokens, limit: int) -> list[tuple[int, bool]] | None:
    """Find the best two lines of one screen where nothing else can cost less: the usual case.

    Only the few breaks after which both lines fit are looked at. The answer is that of
    ``_choose_ends``; ``None`` where that has to be asked, since three lines might cost less.
    """
    count = len(tokens.texts)
    places = [0, *accumulate(tokens.widths)]
    whole = places[-1] - (tokens.texts[-1] == " ") if count else 0
    if not limit < whole <= 2 * limit:
        return None
    torn, last = _price_lines(limit)
    best, at = _INFINITE, 0
    end = bisect_right(places, limit + 1) - 1  # One more for a space that is not shown.
    while end and whole - places[end] <= limit:
        width = places[end - 1] if tokens.texts[end - 1] == " " else places[end]
        if width <= limit:
            cost = torn[width] + last[whole - places[end]] + tokens.costs[end - 1]
            if cost < best:
                best, at = cost, end
        end -= 1
    # Three lines are two screens: two breaks, one of which counts twice.
    if best + _PER_SCREEN >= 3 * _PER_LINE + 2 * _PER_SCREEN + 3 * min(tokens.costs[:-1]):
        return None
    return [(at, False), (count, True)]


def _choose_ends(tokens: _Tokens, limit: int) -> list[tuple[int, bool]]:
    """Find the line ends of least cost: ``(index after the line, does the screen end there)``.

    Dynamic programming over the tokens placed so far, with the screen closed or with one line on
    it; only as many tokens as fit on a line are looked at. Of lines that cost the same, the
    shortest wins.
    """
    count = len(tokens.texts)
    places = [0, *accumulate(tokens.widths)]
    closed = [0] + [_INFINITE] * count  # Least cost with all screens complete,
    opened = [_INFINITE] * (count + 1)  # and with one line on a screen that takes another.
    before_closed = [(0, True)] * (count + 1)  # Where the last line begins, and in which state.
    before_opened = [0] * (count + 1)
    torn, last = _price_lines(limit)
    lowest = 0
    for end in range(1, count + 1):
        is_last = end == count
        prices = last if is_last else torn  # The last line may be short.
        # A space at the end is not shown.
        right = places[end - 1] if tokens.texts[end - 1] == " " else places[end]
        while right - places[lowest] > limit:
            lowest += 1
        # Backwards: of equal costs ``index`` finds the shortest line.
        span = slice(end - 1, lowest - 1 if lowest else None, -1)
        lines = [prices[right - place] for place in places[span]]
        firsts = list(map(add, closed[span], lines))
        seconds = list(map(add, opened[span], lines))
        best_first, best_second = min(firsts), min(seconds)
        first_at = end - 1 - firsts.index(best_first)
        price = 0 if is_last else tokens.costs[end - 1]
        opened[end] = best_first + price
        before_opened[end] = first_at
        if best_first <= best_second:
            before_closed[end] = (first_at, True)
        else:
            before_closed[end] = (end - 1 - seconds.index(best_second), False)
        closed[end] = min(best_first, best_second) + _PER_SCREEN + 2 * price
    return _walk_back(before_closed, before_opened)


@lru_cache(maxsize=4)
def _price_lines(limit: int) -> tuple[list[int], list[int]]:
    """What a line of each width costs: one that is torn off, and the last one of a text."""
    torn = [_PER_LINE + (limit - width) ** 2 // 12 for width in range(limit + 1)]
    last = [_PER_LINE + (_WIDOW if width < _WIDOW_WIDTH else 0) for width in range(limit + 1)]
    return torn, last


def _walk_back(
    before_closed: Sequence[tuple[int, bool]], before_opened: Sequence[int]
) -> list[tuple[int, bool]]:
    ends: list[tuple[int, bool]] = []
    place, is_closed = len(before_opened) - 1, True
    while place > 0:
        ends.append((place, is_closed))
        place, is_closed = before_closed[place] if is_closed else (before_opened[place], True)
    return ends[::-1]
