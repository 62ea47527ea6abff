"""Unit ``encode_video``: one range of the lecture into all rungs, decoded once, and checked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.timing import to_seconds
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.context import Outcome, UnitContext, describe_command
from transcode.entry import choose_entry
from transcode.settings import PATIENT_LIMITS
from transcode.sources import open_source, write_range
from transcode.specs import (
    EncodedRung,
    EncodedVideo,
    EncodeVideoSpec,
    FileSource,
    Rung,
    Source,
    parse_spec,
)
from transcode.verify import verify_range

ENCODED_SHARE: Final = 0.87  # Of the unit's progress; decoding what came out takes the rest.


async def encode_video(context: UnitContext) -> Outcome:
    """Bring the range and its lead-in, encode, decode what came out, put it into staging."""
    spec = parse_spec(EncodeVideoSpec, context.unit.spec)
    started_s = time.monotonic()
    media, entry_ticks = await _open(context, spec)
    outputs = {rung.name: context.folder / f"{rung.name}.mp4" for rung in spec.rungs}
    argv = commands.encode_video(
        context.programs.ffmpeg, spec, media=media, entry_ticks=entry_ticks, outputs=outputs
    )
    result = await context.encode(
        argv,
        media_s=to_seconds(spec.end_ticks - spec.start_ticks),
        share=(0.02, ENCODED_SHARE),
        frame_rate=float(max(rung.frame_rate for rung in spec.rungs)),
        limits=PATIENT_LIMITS if spec.is_patient else None,
    )
    if media is not None:
        media.check(result.stderr_tail)
    check = await _verify(context, spec, outputs)
    rungs = [
        EncodedRung(
            rung=rung.name,
            file=await context.stage(outputs[rung.name]),
            frames_count=_count_frames(spec, rung),
            is_decoded=rung.name in check.names,
        )
        for rung in spec.rungs
    ]
    commands_run = (argv, check.argv) if check.names else (argv,)
    return Outcome(
        EncodedVideo(
            rungs=tuple(rungs),
            commands=tuple(describe_command(line) for line in commands_run),
            wall_s=round(time.monotonic() - started_s, 3),
        )
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """What was decoded again, and how; no names when nothing was."""

    names: frozenset[str]
    argv: list[str]


async def _verify(
    context: UnitContext, spec: EncodeVideoSpec, outputs: Mapping[str, Path]
) -> _Check:
    """Decode the range here, where others decode theirs meanwhile: publishing is one unit.

    AV1 is left to the unit that publishes it; not every ffmpeg decodes it.
    """
    files = {
        rung.name: (outputs[rung.name], _count_frames(spec, rung))
        for rung in spec.rungs
        if rung.codec == "h264" and _count_frames(spec, rung)
    }
    if not files:
        return _Check(frozenset(), [])
    argv = await verify_range(
        context,
        files,
        media_s=to_seconds(spec.end_ticks - spec.start_ticks),
        frame_rate=float(next(rung.frame_rate for rung in spec.rungs if rung.name in files)),
        share=(ENCODED_SHARE, 0.97),
        limits=PATIENT_LIMITS if spec.is_patient else None,
    )
    return _Check(frozenset(files), argv)


def _count_frames(spec: EncodeVideoSpec, rung: Rung) -> int:
    return rung.first_frame(spec.end_ticks) - rung.first_frame(spec.start_ticks)


async def _open(
    context: UnitContext, spec: EncodeVideoSpec
) -> tuple[MediaInput | None, int | None]:
    """Return what to read and where in it to begin."""
    source, start_ticks = spec.source, _first_shown(spec)
    if isinstance(source, Source):
        path = context.folder / "source.mp4"
        await write_range(context.store, source, path, start_ticks=start_ticks)
        return MediaInput(str(path), "mp4"), None
    if isinstance(source, FileSource):
        media = await open_source(context, source)
        return media, await choose_entry(context, media, source, start_ticks=start_ticks)
    return None, None


def _first_shown(spec: EncodeVideoSpec) -> int:
    """Return the time of the first frame of any rung."""
    return min(rung.frame_ticks(rung.first_frame(spec.start_ticks)) for rung in spec.rungs)
