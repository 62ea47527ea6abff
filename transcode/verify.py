"""Check a finished set before anybody sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S, to_seconds
from transcode import commands
from transcode.context import UnitContext
from transcode.joins import JoinedFile
from transcode.specs import Grid, Rung

TOLERANCE_TICKS: Final = 40 * TICKS_PER_S // 1000  # Every rendition holds lecture time within it.


def check_lengths(
    rungs: Sequence[tuple[Rung, JoinedFile]],
    audio: JoinedFile,
    *,
    duration_ticks: int,
    grid: Grid,
) -> None:
    """Check lengths, frame counts and the keyframe grid. Pure.

    Raises:
        EncodeError: Names the rendition, what it has and what it should have.
    """
    for name, joined in [("audio", audio), *((rung.name, joined) for rung, joined in rungs)]:
        off = joined.duration_ticks - duration_ticks
        if abs(off) > TOLERANCE_TICKS:
            raise _refuse(f"{name} is {to_seconds(off):+.3f} s off the lecture's length")
    for rung, joined in rungs:
        planned = rung.first_frame(duration_ticks)
        if joined.samples_count != planned:
            raise _refuse(f"{rung.name} has {joined.samples_count} frames, planned {planned}")
        for segment in joined.segments:
            if not grid.is_boundary(segment.start_ticks):
                raise _refuse(
                    f"{rung.name} has a segment at {segment.start_ticks}, off the keyframe grid"
                )


def _refuse(detail: str) -> EncodeError:
    return EncodeError(detail, title_zh="转码结果没有通过检查")


async def verify_set(
    context: UnitContext,
    rungs: Sequence[tuple[Rung, JoinedFile]],
    audio: JoinedFile,
    *,
    duration_ticks: int,
    grid: Grid,
    share: tuple[float, float],
) -> list[str]:
    """Check the lengths, then decode every rendition once; return the command.

    Raises:
        EncodeError: Something does not decode, or fewer frames come out than went in.
    """
    check_lengths(rungs, audio, duration_ticks=duration_ticks, grid=grid)
    counts = {rung.name: context.folder / f"{rung.name}.frames" for rung, _ in rungs}
    argv = commands.verify_files(
        context.programs.ffmpeg,
        files=[(joined.path, counts[rung.name]) for rung, joined in rungs],
        audio=audio.path,
    )
    await context.encode(
        argv,
        media_s=to_seconds(duration_ticks),
        share=share,
        frame_rate=float(rungs[0][0].frame_rate) if rungs else None,
    )
    for rung, joined in rungs:
        text = await asyncio.to_thread(counts[rung.name].read_text)
        decoded = text.count("\n")
        if decoded != joined.samples_count:
            raise _refuse(f"{rung.name}: {decoded} of {joined.samples_count} frames decode")
    return argv
