"""Where decoding of a range begins. Seeking is asked, never trusted.

Containers without an index, wrong indexes, open GOPs, gradual refresh: a seek may land behind the
time that was asked for, or on a picture that is not whole yet. So we ask the very seek that the
encoder will make for the keyframe it lands on, and ask for an earlier one until that lies well
before the range.
"""

from __future__ import annotations

from typing import Final

import structlog

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.context import UnitContext
from transcode.specs import FileSource

# Before the range. The first one hides gradual refresh and pictures that follow a keyframe but
# are shown before it, and costs 5 % of a range's decoding.
MARGINS_S: Final = (6, 30, 150)
MIN_LEAD_TICKS: Final = TICKS_PER_S  # The keyframe found must lie at least so far before.

log = structlog.get_logger(__name__)


async def choose_entry(
    context: UnitContext, media: MediaInput, source: FileSource, *, start_ticks: int
) -> int | None:
    """Return the time stamp in the file to seek to, or ``None``: read from its start.

    Args:
        start_ticks: Lecture time where the range begins.
    """
    if source.video_index is None or start_ticks <= MARGINS_S[0] * TICKS_PER_S:
        return None
    begin_ticks = source.offset_ticks + start_ticks
    for margin_s in MARGINS_S:
        if start_ticks <= margin_s * TICKS_PER_S:
            break
        entry_ticks = begin_ticks - margin_s * TICKS_PER_S
        found = await _find_keyframe(context, media, source.video_index, entry_ticks)
        if found is not None and found <= begin_ticks - MIN_LEAD_TICKS:
            return entry_ticks
        log.info("seek_landed_late", margin_s=margin_s, found_ticks=found, begin_ticks=begin_ticks)
    return None


async def _find_keyframe(
    context: UnitContext, media: MediaInput, video_index: int, entry_ticks: int
) -> int | None:
    argv = commands.find_entry(
        context.programs.ffmpeg, media, video_index=video_index, entry_ticks=entry_ticks
    )
    try:
        return parse_entry(await context.ask(argv))
    except EncodeError as error:  # Reading from the start is slower, and always right.
        log.info("seek_not_possible", detail=str(error))
        return None


def parse_entry(output: bytes) -> int | None:
    """Read the first packet's time stamp, in ticks, from ``framecrc`` text. Pure, total."""
    num, den = 0, 0
    for line in output.decode("ascii", "replace").splitlines():
        if line.startswith("#tb 0:"):
            left, _, right = line.removeprefix("#tb 0:").strip().partition("/")
            num, den = _to_int(left) or 0, _to_int(right) or 0
        elif not line.startswith("#"):
            fields = line.split(",")
            pts = _to_int(fields[2]) if len(fields) > 2 else None  # noqa: PLR2004 - dts, pts, ...
            if pts is None or num <= 0 or den <= 0:
                return None
            return pts * num * TICKS_PER_S // den
    return None


def _to_int(text: str) -> int | None:
    try:
        return int(text.strip()[:24])
    except ValueError:
        return None
