"""Unit ``encode_video``: one range of the lecture into all rungs, decoded once."""

from __future__ import annotations

import time

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
    Source,
    parse_spec,
)


async def encode_video(context: UnitContext) -> Outcome:
    """Bring the range and its lead-in, encode, put every rung into staging."""
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
        share=(0.02, 0.97),
        frame_rate=float(max(rung.frame_rate for rung in spec.rungs)),
        limits=PATIENT_LIMITS if spec.is_patient else None,
    )
    if media is not None:
        media.check(result.stderr_tail)
    rungs = [
        EncodedRung(
            rung=rung.name,
            file=await context.stage(outputs[rung.name]),
            frames_count=rung.first_frame(spec.end_ticks) - rung.first_frame(spec.start_ticks),
        )
        for rung in spec.rungs
    ]
    return Outcome(
        EncodedVideo(
            rungs=tuple(rungs),
            commands=(describe_command(argv),),
            wall_s=round(time.monotonic() - started_s, 3),
        )
    )


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
