"""Frames, ticks, and where the segments of all rungs begin. Pure.

All times are lecture ticks (1/90000 s), all ranges half-open. Frames are counted from lecture time
0 on: frame ``n`` of a rung is shown at ``n / fps``. Where a frame lies between two ticks (23.976
frames/s), its tick is the nearest one, and the nearest frame of that tick is again the frame.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from fractions import Fraction
from typing import Annotated, Final, Self

from pydantic import Field, PlainSerializer, PlainValidator

from kernel.timing import TICKS_PER_S
from transcode.specs.base import Frozen

KEYFRAME_GRID_S: Final = 4  # About one segment of a rendition; the TARGETDURATION of live, too.
MAX_FRAME_RATE: Final = 120


def _parse_fraction(value: object) -> Fraction:
    fraction = Fraction(str(value))
    if not 0 < fraction <= MAX_FRAME_RATE:
        raise ValueError(f"{fraction} is no frame rate")
    return fraction


FrameRate = Annotated[Fraction, PlainValidator(_parse_fraction), PlainSerializer(str)]


def _nearest(value: Fraction) -> int:
    """Round half up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def first_frame(ticks: int, *, frame_rate: Fraction) -> int:
    """Number of the first frame of a range that starts at ``ticks``.

    A frame stands for the time half a frame around it, so boundaries round to the nearest.
    """
    return _nearest(ticks * frame_rate / TICKS_PER_S)


def frame_ticks(frame: int, *, frame_rate: Fraction) -> int:
    """Lecture time of a frame, rounded to the nearest tick."""
    return _nearest(frame * TICKS_PER_S / frame_rate)


def choose_clock_hz(frame_rate: Fraction) -> int:
    """Time scale in which every frame lasts a whole number of ticks.

    90000 where that is exact (25, 30, 30000/1001 ...), else the next multiple of the rate's
    numerator (96000 for 24000/1001: 4004 ticks a frame).
    """
    if (TICKS_PER_S * frame_rate.denominator) % frame_rate.numerator == 0:
        return TICKS_PER_S
    return frame_rate.numerator * -(-TICKS_PER_S // frame_rate.numerator)


class Grid(Frozen):
    """Where the segments of all rungs begin: the same times for every one of them.

    Regular: every ``gop_frames`` frames of ``frame_rate``, from lecture time 0 on; an even number,
    so that a rung at half the rate has a frame there, too. Explicit: ``boundaries``, chosen among
    the keyframes of a picture track that is copied.

    Attributes:
        boundaries: Lecture ticks, ascending, the first one 0; empty for a regular grid. A spec
            for one range carries those of its range only (``within``).
    """

    frame_rate: FrameRate
    gop_frames: int = Field(ge=2, le=1_000, multiple_of=2)
    boundaries: tuple[int, ...] = ()

    @classmethod
    def regular(cls, frame_rate: Fraction) -> Self:
        """Build the grid of whole frame pairs nearest to 4 s: 100 frames of 25, 96 of 23.976."""
        pairs = max(1, _nearest(KEYFRAME_GRID_S * frame_rate / 2))
        return cls(frame_rate=frame_rate, gop_frames=2 * pairs)

    @property
    def is_regular(self) -> bool:
        return not self.boundaries

    @property
    def slot_ticks(self) -> int:
        """Usual length of a segment."""
        return frame_ticks(self.gop_frames, frame_rate=self.frame_rate)

    def slot(self, ticks: int) -> int:
        """Number of the segment that holds ``ticks``; ticks before 0 belong to the first."""
        if self.boundaries:
            return max(0, bisect_right(self.boundaries, ticks) - 1)
        frame = max(0, ticks) * self.frame_rate / TICKS_PER_S
        slot = int(frame) // self.gop_frames
        # The boundary's own tick was rounded: just below the frame, yet its first tick.
        return slot + 1 if self.slot_start(slot + 1) <= ticks else slot

    def slot_start(self, slot: int) -> int:
        """First tick of a segment; of an explicit grid, only those it lists."""
        if self.boundaries:
            return self.boundaries[slot]
        return frame_ticks(slot * self.gop_frames, frame_rate=self.frame_rate)

    def is_boundary(self, ticks: int) -> bool:
        """Tell whether a segment begins here; clocks that are no multiple of ours round by one."""
        slot = self.slot(ticks + 1)
        return abs(self.slot_start(slot) - ticks) <= 1

    def boundaries_in(self, start_ticks: int, end_ticks: int) -> tuple[int, ...]:
        """Ticks in ``[start_ticks, end_ticks)`` where a segment begins."""
        if self.boundaries:
            low = bisect_left(self.boundaries, start_ticks)
            return self.boundaries[low : bisect_left(self.boundaries, end_ticks)]
        found: list[int] = []
        slot = self.slot(start_ticks)
        while (tick := self.slot_start(slot)) < end_ticks:
            if tick >= start_ticks:
                found.append(tick)
            slot += 1
        return tuple(found)

    def nearest(self, ticks: int) -> int:
        """Return the boundary nearest to ``ticks``."""
        slot = self.slot(ticks)
        low = self.slot_start(slot)
        if self.boundaries and slot + 1 >= len(self.boundaries):
            return low
        high = self.slot_start(slot + 1)
        return low if ticks - low <= high - ticks else high

    def within(self, start_ticks: int, end_ticks: int) -> Self:
        """Return the grid as one range needs it; a regular one stays as it is.

        An explicit one keeps the boundary its start lies in as the first.
        """
        if not self.boundaries:
            return self
        low = self.slot(start_ticks)
        kept = self.boundaries[low : bisect_left(self.boundaries, end_ticks)]
        return self.model_copy(update={"boundaries": kept})
