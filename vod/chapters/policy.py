"""What chapters may be, and which slide changes are worth suggesting. Pure. No I/O, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from kernel.captions import MAX_TIME_MS, clean_text
from kernel.errors import InputError

MAX_CHAPTERS: Final = 500  # As many as a file may bring; a list of more helps nobody.
MAX_TITLE_CHARS: Final = 200
MIN_SUGGESTION_GAP_MS: Final = 30_000  # Nobody jumps to something shorter.
MAX_SUGGESTIONS: Final = 60
MIN_CONFIDENCE: Final = 0.3

Chapter = tuple[int, str]
"""``(start_ms, title)`` in uncut time."""


def read_chapters(rows: Iterable[Mapping[str, Any]]) -> tuple[Chapter, ...]:
    """Chapters as the table keeps them."""
    return tuple((row["start_ms"], row["title"]) for row in rows)


def pack_chapters(chapters: Iterable[Chapter]) -> list[dict[str, Any]]:
    """Chapters for the table."""
    return [{"start_ms": start, "title": title} for start, title in chapters]


def check_chapters(chapters: Iterable[tuple[float, str]]) -> tuple[Chapter, ...]:
    """Judge what an editor saves: in order, no two at one time, each with a title.

    Args:
        chapters: Seconds of uncut time and titles.

    Raises:
        InputError: 422 naming the chapter.
    """
    listed = list(chapters)
    if len(listed) > MAX_CHAPTERS:
        raise _refuse(f"at most {MAX_CHAPTERS} chapters", f"章节太多,最多 {MAX_CHAPTERS} 个")
    checked: list[Chapter] = []
    for number, (start_s, title) in enumerate(listed, 1):
        if not (math.isfinite(start_s) and 0 <= start_s <= MAX_TIME_MS / 1000):
            raise _refuse(f"chapter {number} starts at {start_s}", f"第 {number} 章的时间不对")
        text = _clean_title(title)
        if not text:
            raise _refuse(f"chapter {number} has no title", f"第 {number} 章没有标题")
        checked.append((round(start_s * 1000), text))
    checked.sort()
    for (start, title), (following, _) in pairwise(checked):
        if start == following:
            raise _refuse(
                f"two chapters start at {start} ms", f"“{title[:20]}”和下一章的时间相同,请改一个"
            )
    return tuple(checked)


def clean_embedded(chapters: Iterable[tuple[float, str]]) -> tuple[Chapter, ...]:
    """Take over what a file brought, as far as it makes sense; never refuses."""
    kept: dict[int, str] = {}
    for start_s, title in chapters:
        if not (math.isfinite(start_s) and 0 <= start_s <= MAX_TIME_MS / 1000):
            continue
        # The last one that starts here is the one that runs; the others have no length.
        kept[round(start_s * 1000)] = _clean_title(title)
    ordered = sorted(kept.items())[:MAX_CHAPTERS]
    return tuple(
        (start, title or f"第 {number} 节") for number, (start, title) in enumerate(ordered, 1)
    )


def _clean_title(title: str) -> str:
    return " ".join(clean_text(title).split())[:MAX_TITLE_CHARS].strip()


def _refuse(detail: str, title_zh: str) -> InputError:
    return InputError(detail, field="chapters", status=422, title_zh=title_zh)


def choose_suggestions(
    slides: Iterable[tuple[float, float]], *, chapters: Sequence[Chapter], duration_ms: int
) -> tuple[tuple[int, float], ...]:
    """Choose slide changes worth a chapter: the surest first, none near another or a chapter.

    Args:
        slides: ``(start_s, confidence)`` in uncut time; confidence from 0 to 1.
        chapters: What is there already.

    Returns:
        ``(start_ms, confidence)``, ascending.
    """
    taken = [start for start, _ in chapters]
    chosen: list[tuple[int, float]] = []
    candidates = [
        (round(start_s * 1000), confidence)
        for start_s, confidence in slides
        if math.isfinite(start_s) and confidence >= MIN_CONFIDENCE
    ]
    for start, confidence in sorted(candidates, key=lambda found: (-found[1], found[0])):
        is_far = all(abs(start - other) >= MIN_SUGGESTION_GAP_MS for other in taken)
        if 0 < start < duration_ms and is_far and len(chosen) < MAX_SUGGESTIONS:
            taken.append(start)
            chosen.append((start, confidence))
    return tuple(sorted(chosen))
