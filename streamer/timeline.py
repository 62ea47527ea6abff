"""Lecture time: the grid that parts and segments are cut on, and the broadcast's counters. Pure.

LiveClass > Broadcast > epoch > segment > part (DESIGN §4.2). Lecture time is the sum of the segment
durations in ticks of 1/90000 s; it has no holes, and ``tfdt`` follows it over the whole broadcast.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kernel.timing import TICKS_PER_S
from streamer.ports import ResumePoint

PART_TICKS: Final = TICKS_PER_S // 2  # PART-TARGET; every part but a segment's last is this long.
SEGMENT_TICKS: Final = 2 * TICKS_PER_S  # A segment ends at the first IDR at or after this age.
IDR_TOLERANCE_TICKS: Final = TICKS_PER_S // 10  # Time stamps in ms and a late timer make a 2 s GOP
# 1.9 s now and then; waiting for its successor would double the segment.
MAX_SEGMENT_TICKS: Final = 4 * TICKS_PER_S  # TARGETDURATION: without an IDR it ends here.
TARGET_DURATION_S: Final = 4  # rfc8216bis §6.2.1: MUST NOT change; so it never does.

JUMP_TICKS: Final = 3 * TICKS_PER_S  # A gap above this is another take, not a stall.
BACKWARD_TICKS: Final = TICKS_PER_S // 2  # Going back further than any reordering is one, too.


class Counters:
    """The broadcast's counters; all only grow."""

    def __init__(self, resume: ResumePoint) -> None:
        self._point = resume

    @property
    def point(self) -> ResumePoint:
        return self._point

    def open_epoch(self) -> int:
        """Number a new epoch and count its discontinuity."""
        epoch = self._point.next_epoch
        self._point = replace(
            self._point,
            next_epoch=epoch + 1,
            next_discontinuity=self._point.next_discontinuity + 1,
        )
        return epoch

    def close_segment(self, end_ticks: int) -> None:
        """A segment ended; the next one starts at ``end_ticks``."""
        if end_ticks <= self._point.next_ticks:
            raise ValueError(f"lecture time does not run back: {end_ticks}")
        self._point = replace(self._point, next_msn=self._point.next_msn + 1, next_ticks=end_ticks)
