"""What may be kept of a lecture, and what a finished set means for it. Pure. No I/O, no clock."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from kernel.errors import InputError
from kernel.timing import TICKS_PER_S
from vod.jobs.policy import JobState

MAX_RANGES: Final = 200  # Cuts a person makes; two units of work for each.
MIN_RANGE_TICKS: Final = TICKS_PER_S // 5  # Shorter ones are slips of the hand.
MIN_TOTAL_TICKS: Final = TICKS_PER_S
# The page computes in milliseconds and its player may end a little late.
END_TOLERANCE_TICKS: Final = TICKS_PER_S // 2

Kept = tuple[tuple[int, int], ...]
EditState = Literal["none", "queued", "running", "done", "failed"]


def read_kept(ranges: Iterable[tuple[float, float]], *, duration_ticks: int) -> Kept:
    """Check what shall be kept and turn it into ticks; the whole lecture is the empty edit.

    Args:
        ranges: Seconds of uncut time; touching ones become one.

    Raises:
        InputError: 422; not ascending, too many, too short, outside of the lecture.
    """
    kept: list[tuple[int, int]] = []
    for number, (start_s, end_s) in enumerate(ranges):
        field = f"kept.{number}"
        if not (math.isfinite(start_s) and math.isfinite(end_s)):
            raise _refuse("a range has finite times", field, "时间不对")
        start = round(start_s * TICKS_PER_S)
        end = round(end_s * TICKS_PER_S)
        if start < 0 or end > duration_ticks + END_TOLERANCE_TICKS:
            raise _refuse("a range lies inside the lecture", field, "保留的片段超出了课程")
        end = min(end, duration_ticks)
        if end - start < MIN_RANGE_TICKS:
            raise _refuse(
                f"a range lasts at least {MIN_RANGE_TICKS} ticks", field, "保留的片段太短"
            )
        if kept and start < kept[-1][1]:
            raise _refuse("ranges ascend and do not overlap", field, "保留的片段有重叠或次序不对")
        if kept and start == kept[-1][1]:
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    if not kept or sum(end - start for start, end in kept) < MIN_TOTAL_TICKS:
        raise _refuse("a second at least must stay", "kept", "至少要保留 1 秒")
    if len(kept) > MAX_RANGES:
        raise _refuse(f"at most {MAX_RANGES} ranges", "kept", f"最多保留 {MAX_RANGES} 个片段")
    return () if kept == [(0, duration_ticks)] else tuple(kept)


def _refuse(detail: str, field: str, title_zh: str) -> InputError:
    return InputError(detail, field=field, status=422, title_zh=title_zh)


def extend_kept(kept: Sequence[Sequence[int]], *, old_ticks: int, new_ticks: int) -> Kept:
    """Keep what a reopened class appended: the old part of the lecture stays as it was cut."""
    ranges = [(start, end) for start, end in kept]
    if new_ticks - old_ticks < MIN_RANGE_TICKS:
        return tuple(ranges)
    if ranges[-1][1] == old_ticks:
        ranges[-1] = (ranges[-1][0], new_ticks)
    else:
        ranges.append((old_ticks, new_ticks))
    return tuple(ranges)


class Flip(enum.Enum):
    """What a finished set of renditions does to its lecture."""

    PLAY = "it plays, uncut"
    AWAIT_CUT = "it becomes what is cut; the old cut plays until the new one is there"
    SKIP = "nothing: only part of a set that will be cut"
    DROP_EDIT = "it plays, and the edit of another source is dropped"


def choose_flip(
    *, has_edit: bool, is_same_source: bool, is_recording: bool, is_partial: bool
) -> Flip:
    """Decide about an uncut set. Pure.

    Args:
        has_edit: Something is cut out at present.
        is_same_source: The edit was made of the version of the source that the set shows.
        is_recording: The source grows at its end and never changes before it.
    """
    if not has_edit:
        return Flip.PLAY
    if not is_same_source and not is_recording:
        return Flip.DROP_EDIT
    return Flip.SKIP if is_partial else Flip.AWAIT_CUT


def describe_state(*, has_cut: bool, job: JobState | None) -> EditState:
    """Say how far an edit is; a cancelled job will not come to an end by itself."""
    if not has_cut:
        return "none"
    if job is None:
        return "queued"
    states: dict[JobState, EditState] = {
        JobState.QUEUED: "queued",
        JobState.RUNNING: "running",
        JobState.DONE: "done",
        JobState.FAILED: "failed",
        JobState.CANCELLED: "failed",
    }
    return states[job]
