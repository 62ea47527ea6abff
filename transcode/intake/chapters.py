"""Chapters of a file in lecture time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.messages import EmbeddedChapter
from kernel.timing import from_seconds, to_seconds_down
from transcode.intake.streams import Chapter


def map_chapters(
    chapters: Sequence[Chapter], *, offset_ticks: int, duration_ticks: int
) -> tuple[EmbeddedChapter, ...]:
    """Keep what begins within the lecture; one lone nameless chapter says nothing.

    Of chapters that begin together the last one is kept: the others have no length.
    """
    found: dict[int, str] = {}
    for chapter in chapters:
        start = from_seconds(chapter.start_s) - offset_ticks
        end = from_seconds(chapter.end_s) - offset_ticks
        if start < 0 < end:
            start = 0
        if 0 <= start < duration_ticks:
            found[start] = chapter.title
    if not any(found.values()) and len(found) <= 1:
        return ()
    return tuple(
        EmbeddedChapter(start_s=to_seconds_down(start), title=title or f"第 {number} 节")
        for number, (start, title) in enumerate(sorted(found.items()), 1)
    )
