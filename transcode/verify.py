"""Check a finished set before anybody sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S, to_seconds
from transcode import commands
from transcode.context import UnitContext
from transcode.joins import JoinedFile, half_frame_ticks
from transcode.settings import Limits
from transcode.specs import Grid, Rung

TOLERANCE_TICKS: Final = 40 * TICKS_PER_S // 1000  # Every rendition holds lecture time within it.


def check_lengths(
    rungs: Sequence[tuple[Rung, JoinedFile]],
    audio: JoinedFile,
    *,
    duration_ticks: int,
    grid: Grid,
) -> None:
    """Check lengths, frame counts and that all rungs have the same segments. Pure.

    A rung of few frames a second may begin a segment half a frame earlier or later.

    Raises:
        EncodeError: Names the rendition, what it has and what it should have.
    """
    check_rungs(rungs, duration_ticks=duration_ticks, grid=grid)
    _check_length("audio", audio, duration_ticks, TOLERANCE_TICKS)


def check_rungs(
    rungs: Sequence[tuple[Rung, JoinedFile]], *, duration_ticks: int, grid: Grid
) -> None:
    """Check the pictures only; see ``check_lengths``."""
    for rung, joined in rungs:
        planned = rung.first_frame(duration_ticks)
        if joined.samples_count != planned:
            raise _refuse(f"{rung.name} has {joined.samples_count} frames, planned {planned}")
        _check_length(rung.name, joined, duration_ticks, half_frame_ticks(rung))
        _check_grid(rung, joined, grid)
    _check_alignment(rungs)


def _check_length(name: str, joined: JoinedFile, duration_ticks: int, tolerance: int) -> None:
    off = joined.duration_ticks - duration_ticks
    if abs(off) > max(TOLERANCE_TICKS, tolerance + 1):
        raise _refuse(f"{name} is {to_seconds(off):+.3f} s off the lecture's length")


def _check_grid(rung: Rung, joined: JoinedFile, grid: Grid) -> None:
    early = half_frame_ticks(rung)
    for segment in joined.segments:
        boundary = grid.slot_start(grid.slot(segment.start_ticks + early))
        if abs(boundary - segment.start_ticks) > early + 1:
            raise _refuse(
                f"{rung.name} has a segment at {segment.start_ticks}, off the keyframe grid"
            )


def _check_alignment(rungs: Sequence[tuple[Rung, JoinedFile]]) -> None:
    """Players change rungs by segment: each rung must have each of them.

    Only a last segment may be missing that is too short for a frame of the rung.
    """
    for rung, joined in rungs:
        lead, own = rungs[0][1].segments, joined.segments
        early = max(half_frame_ticks(rung), half_frame_ticks(rungs[0][0])) + 1
        is_aligned = all(
            abs(one.start_ticks - other.start_ticks) <= early
            for one, other in zip(lead, own, strict=False)
        )
        over = (*lead[len(own) :], *own[len(lead) :])
        if not is_aligned or sum(segment.duration_ticks for segment in over) > 2 * early:
            raise _refuse(
                f"{rung.name} has other segments ({len(own)}) than {rungs[0][0].name} ({len(lead)})"
            )


def _refuse(detail: str) -> EncodeError:
    return EncodeError(detail, title_zh="转码结果没有通过检查")


async def verify_files(
    context: UnitContext,
    rungs: Sequence[tuple[Rung, JoinedFile]],
    audio: JoinedFile | None,
    *,
    share: tuple[float, float],
    joined_only: Container[str] = (),
) -> list[str] | None:
    """Decode every rendition once, all of them side by side; return the command, if any.

    Args:
        joined_only: Names of rungs whose ranges were decoded where they were made: here the first
            picture of every segment tells that joining kept them whole.

    Raises:
        EncodeError: Something does not decode, or fewer frames come out than went in.
    """
    if not rungs and audio is None:
        return None
    files = [
        _Check(joined.path, rung.name, len(joined.segments), is_whole=False)
        if rung.name in joined_only
        else _Check(joined.path, rung.name, joined.samples_count)
        for rung, joined in rungs
    ]
    longest = max(
        [joined.duration_ticks for _, joined in rungs] + [audio.duration_ticks if audio else 0]
    )
    return await _decode(
        context, files, audio.path if audio is not None else None,
        media_s=to_seconds(longest), share=share,
        frame_rate=float(rungs[0][0].frame_rate) if rungs else None,
    )  # fmt: skip


async def verify_range(
    context: UnitContext,
    files: Mapping[str, tuple[Path, int]],
    *,
    media_s: float,
    frame_rate: float,
    share: tuple[float, float],
    limits: Limits | None = None,
) -> list[str]:
    """Decode what was encoded of one range; return the command.

    Args:
        files: Name of the rung -> its file, how many frames it must have.

    Raises:
        EncodeError: As ``verify_files``.
    """
    checks = [_Check(path, name, count) for name, (path, count) in files.items()]
    return await _decode(
        context, checks, None, media_s=media_s, share=share, frame_rate=frame_rate, limits=limits
    )


@dataclass(frozen=True, slots=True)
class _Check:
    path: Path
    name: str
    frames_count: int
    is_whole: bool = True


async def _decode(
    context: UnitContext,
    checks: Sequence[_Check],
    audio: Path | None,
    *,
    media_s: float,
    share: tuple[float, float],
    frame_rate: float | None,
    limits: Limits | None = None,
) -> list[str]:
    counts = [context.folder / f"{check.name}.frames" for check in checks]
    argv = commands.verify_files(
        context.programs.ffmpeg,
        files=[
            commands.CheckedFile(check.path, count, keyframes_only=not check.is_whole)
            for check, count in zip(checks, counts, strict=True)
        ],
        audio=audio,
    )
    await context.encode(argv, media_s=media_s, share=share, frame_rate=frame_rate, limits=limits)
    for check, count in zip(checks, counts, strict=True):
        decoded = (await asyncio.to_thread(count.read_text)).count("\n")
        if decoded != check.frames_count if check.is_whole else decoded < check.frames_count:
            raise _refuse(f"{check.name}: {decoded} of {check.frames_count} frames decode")
    return argv
