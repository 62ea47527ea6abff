"""Captions as a list of cues, and what a list of cues must be. Pure. No I/O, no clock.

A cue is plain text over a half-open stretch of lecture time in milliseconds. Lists are ordered by
start; cues may touch, not overlap (``repair_cues`` sees to it), so that never more than two lines
stand on the picture.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import Final

from kernel.errors import InputError

MAX_CUES_COUNT: Final = 20_000  # Eight hours of one cue every second and a half.
MAX_CUE_CHARS: Final = 2_000  # Half a page; nobody reads more from a picture.
MAX_TEXT_CHARS: Final = 1_000_000  # Of a whole track; ten hours of fast speech are 200 000.
MAX_TIME_MS: Final = 100 * 3600 * 1000  # 100 h, above the longest lecture that we take.
SHORT_OVERLAP_MS: Final = 1_000  # Up to here the earlier cue simply ends earlier.
MIN_CUE_MS: Final = 300  # What is left of a shortened cue must still be seen.
MIN_READING_MS: Final = 1_000  # For a cue whose end is missing or before its start:
MS_PER_CHAR: Final = 200  # five characters a second are read at ease,
MAX_READING_MS: Final = 7_000  # and nothing needs longer than this.
MAX_AT_ONCE: Final = 3  # Texts that stand on the picture together; more hide it.


# Controls but the newline, lone surrogates, private use (Cc, Cs, Co), the byte order mark. Joiners
# (Cf) stay: Mongolian and emoji need them. One pattern instead of a look-up for each character.
_INVISIBLE: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufeff"
    "\U000f0000-\U000ffffd\U00100000-\U0010fffd]"
)


@dataclass(frozen=True, slots=True)
class Cue:
    """``text`` shows in ``[start_ms, end_ms)``; its lines are separated by newlines."""

    start_ms: int
    end_ms: int
    text: str


def clean_text(text: str) -> str:
    """Normalise what is shown: no control characters, no blank lines, no space at line ends."""
    for line_end in ("\r\n", "\r", "\u2028", "\u2029"):
        text = text.replace(line_end, "\n")
    kept = _INVISIBLE.sub(_drop, text)
    lines = (line.strip() for line in kept.split("\n"))
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


def _drop(found: re.Match[str]) -> str:
    """What stands for a character that is not shown: a space for a tab, else nothing."""
    return " " if found[0].isspace() else ""


def repair_cues(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """Bring what a file says into the order that players and editors expect.

    Empty cues go; times before zero are cut off; an end that is not after its start is replaced by
    a reading time; a short overlap ends the earlier cue; texts that really share a stretch of time
    become cues of several lines.

    Raises:
        InputError: More than ``MAX_CUES_COUNT`` cues or ``MAX_TEXT_CHARS`` characters, or a time
            beyond ``MAX_TIME_MS``.
    """
    kept: list[Cue] = []
    chars = 0
    for cue in cues:
        text = clean_text(cue.text)
        chars += len(text)
        _check_amount(len(kept), chars)
        if text:
            kept.append(replace(cue, text=text[:MAX_CUE_CHARS]))
    kept.sort(key=_start)  # Stable: lines that begin together keep the order of the file.
    kept = [cue for cue in _repair_times(kept) if cue.end_ms > cue.start_ms]
    flat = tuple(_flatten(_shorten(kept)))
    _check_amount(len(flat), sum(len(cue.text) for cue in flat))
    return flat


def check_cues(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Judge what an editor saves: refuse instead of guessing, but clean and order it.

    Raises:
        InputError: With a sentence that names the cue.
    """
    _check_amount(len(cues), sum(len(cue.text) for cue in cues))
    checked: list[Cue] = []
    for number, cue in enumerate(cues, 1):
        if not 0 <= cue.start_ms < cue.end_ms <= MAX_TIME_MS:
            raise InputError(
                f"cue {number} runs from {cue.start_ms} to {cue.end_ms} ms",
                field="cues",
                status=422,
                title_zh=f"第 {number} 条字幕的时间不对:结束要晚于开始",
            )
        text = clean_text(cue.text)
        if not text or len(text) > MAX_CUE_CHARS:
            raise InputError(
                f"cue {number} has {len(text)} characters, 1 to {MAX_CUE_CHARS} are allowed",
                field="cues",
                status=422,
                title_zh=f"第 {number} 条字幕没有文字"
                if not text
                else f"第 {number} 条字幕太长,最多 {MAX_CUE_CHARS} 个字",
            )
        checked.append(replace(cue, text=text))
    return tuple(sorted(checked, key=_start))


def _check_amount(cues_count: int, chars_count: int) -> None:
    if cues_count > MAX_CUES_COUNT:
        raise InputError(
            f"more than {MAX_CUES_COUNT} cues",
            field="cues",
            status=413,
            title_zh=f"字幕条数太多,最多 {MAX_CUES_COUNT} 条",
        )
    if chars_count > MAX_TEXT_CHARS:
        raise InputError(
            f"more than {MAX_TEXT_CHARS} characters of text",
            field="cues",
            status=413,
            title_zh=f"字幕文字太多,最多 {MAX_TEXT_CHARS} 个字",
        )


def _start(cue: Cue) -> int:
    return cue.start_ms


def _repair_times(cues: Sequence[Cue]) -> Iterable[Cue]:
    starts = [cue.start_ms for cue in cues]
    for cue in cues:
        start, end = max(0, cue.start_ms), cue.end_ms
        if max(start, end) > MAX_TIME_MS:
            raise InputError(
                f"a cue at {max(start, end)} ms, the limit is {MAX_TIME_MS}",
                field="cues",
                status=422,
                title_zh="字幕里的时间超过了 100 小时,请检查文件",
            )
        if cue.end_ms <= cue.start_ms:
            reading = min(MAX_READING_MS, max(MIN_READING_MS, MS_PER_CHAR * len(cue.text)))
            later = bisect_right(starts, start)
            end = min(start + reading, starts[later] if later < len(starts) else MAX_TIME_MS)
        yield Cue(start, end, cue.text)


def _shorten(cues: Sequence[Cue]) -> Iterable[Cue]:
    """End a cue where the next one begins, when only a moment of it is lost."""
    ordered = sorted(cues, key=_start)
    for cue, following in zip_longest(ordered, ordered[1:]):
        if (
            following is not None
            and cue.end_ms > following.start_ms >= cue.start_ms + MIN_CUE_MS
            and cue.end_ms - following.start_ms <= SHORT_OVERLAP_MS
        ):
            yield replace(cue, end_ms=following.start_ms)
        else:
            yield cue


def _flatten(cues: Iterable[Cue]) -> Iterable[Cue]:
    """Replace overlapping cues by one cue per stretch, with the texts of all that stand there.

    Cost: n log n; a stretch shows the ``MAX_AT_ONCE`` texts that came last, each once.
    """
    ordered = sorted(cues, key=_start)
    moments = sorted({cue.start_ms for cue in ordered} | {cue.end_ms for cue in ordered})
    active: list[Cue] = []
    ends: list[int] = []  # A heap, to know whether anything ended without looking at all.
    upcoming = 0
    previous: Cue | None = None
    for start, end in pairwise(moments):
        if ends and ends[0] <= start:
            active = [cue for cue in active if cue.end_ms > start]
            while ends and ends[0] <= start:
                heapq.heappop(ends)
        while upcoming < len(ordered) and ordered[upcoming].start_ms <= start:
            active = [*active[-(MAX_AT_ONCE - 1) :], ordered[upcoming]]
            heapq.heappush(ends, ordered[upcoming].end_ms)
            upcoming += 1
        text = "\n".join(dict.fromkeys(cue.text for cue in active))[:MAX_CUE_CHARS]
        if previous is not None and previous.text == text and previous.end_ms == start:
            previous = replace(previous, end_ms=end)
            continue
        if previous is not None and previous.text:
            yield previous
        previous = Cue(start, end, text)
    if previous is not None and previous.text:
        yield previous
