"""What may be cut out of a lecture, and from which rung. Pure. No I/O, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from kernel.errors import ConflictError, InputError
from kernel.timing import TICKS_PER_S, to_seconds
from vod.clips.models import ClipShape

MIN_TICKS: Final = TICKS_PER_S
MAX_TICKS: Final = 600 * TICKS_PER_S
# The page computes in milliseconds and its player may end a little late.
END_TOLERANCE_TICKS: Final = TICKS_PER_S // 2
MIN_LIMIT_MB, MAX_LIMIT_MB, USUAL_LIMIT_MB = 1, 500, 60
BYTES_PER_MB: Final = 1_000_000  # Platforms count in these; counted so, nothing is refused there.
MIN_RATE_BPS: Final = 300_000  # Sound and the smallest picture, with room.
MAX_CLIPS: Final = 50  # Of one lecture, finished ones included.
MAX_OPEN_CLIPS: Final = 5  # Of one lecture, waiting or being made.
KEPT_FOR: Final = timedelta(days=30)  # It is on its platform by then, and quickly made again.
FULL_HD_PX: Final = 1080


def read_range(start_s: float, end_s: float, *, duration_ticks: int) -> tuple[int, int]:
    """Check a range and turn it into ticks.

    Raises:
        InputError: 422; too short, too long, outside of the lecture.
    """
    if not (math.isfinite(start_s) and math.isfinite(end_s)):
        raise _refuse("a range has finite times", "start_s", "时间不对")
    start, end = round(start_s * TICKS_PER_S), round(end_s * TICKS_PER_S)
    if start < 0 or end > duration_ticks + END_TOLERANCE_TICKS:
        raise _refuse("the range lies inside the lecture", "end_s", "片段超出了课程")
    end = min(end, duration_ticks)
    if end - start < MIN_TICKS:
        raise _refuse("a clip lasts at least 1 s", "end_s", "片段至少要有 1 秒,结束要晚于开始")
    if end - start > MAX_TICKS:
        raise _refuse("a clip lasts at most 600 s", "end_s", "片段最长 10 分钟")
    return start, end


def read_limit(limit_mb: int, *, length_ticks: int) -> int:
    """Turn the size limit into bytes.

    Raises:
        InputError: 422; so long a clip cannot be so small.
    """
    limit_bytes = limit_mb * BYTES_PER_MB
    least = to_seconds(length_ticks) * MIN_RATE_BPS / 8
    if limit_bytes < least:
        wanted = math.ceil(least / BYTES_PER_MB)
        raise _refuse(
            f"{limit_mb} MB are too few for {to_seconds(length_ticks):.0f} s",
            "limit_mb",
            f"这么长的片段至少需要 {wanted} MB",
        )
    return limit_bytes


def choose_rung(renditions: Iterable[dict[str, Any]], shape: ClipShape) -> dict[str, Any]:
    """Choose the rung that pictures come from: enlarged crops want the largest there is.

    Args:
        renditions: Of an asset's report.

    Raises:
        ConflictError: There is no H.264 picture, as of a recording of sound alone.
    """
    rungs = [
        item
        for item in renditions
        if item["kind"] == "video"
        and item["codec"].startswith("avc1")
        and item.get("width_px")
        and item.get("height_px")
    ]
    if not rungs:
        raise ConflictError("there is no picture", title_zh="这门课只有声音,不能制作短片")
    rungs.sort(key=lambda item: item["width_px"] * item["height_px"])
    if shape is not ClipShape.CROP:
        for item in rungs:
            if min(item["width_px"], item["height_px"]) >= FULL_HD_PX:
                return item
    return rungs[-1]


def name_range(start_ticks: int, end_ticks: int) -> str:
    """Name a range in a file's name: ``00.12.10-00.13.00``."""
    return f"{_name_moment(start_ticks)}-{_name_moment(end_ticks)}"


def _name_moment(ticks: int) -> str:
    minutes, seconds = divmod(ticks // TICKS_PER_S, 60)
    return f"{minutes // 60:02}.{minutes % 60:02}.{seconds:02}"


def _refuse(detail: str, field: str, title_zh: str) -> InputError:
    return InputError(detail, field=field, status=422, title_zh=title_zh)
