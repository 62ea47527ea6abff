"""Unit ``encode_video``: one range of the lecture into all rungs, decoded once."""

from __future__ import annotations

import time

from kernel.timing import to_seconds
from transcode import commands
from transcode.context import Outcome, UnitContext, describe_command
from transcode.sources import FetchedSource, write_range
from transcode.specs import EncodedRung, EncodedVideo, EncodeVideoSpec, Source, parse_spec


async def encode_video(context: UnitContext) -> Outcome:
    """Fetch the range with its lead-in, encode, put every rung into staging."""
    spec = parse_spec(EncodeVideoSpec, context.unit.spec)
    started_s = time.monotonic()
    fetched: FetchedSource | None = None
    if isinstance(spec.source, Source):
        fetched = await write_range(
            context.store,
            spec.source,
            context.folder / "source.mp4",
            start_ticks=spec.rungs[0].frame_ticks(spec.rungs[0].first_frame(spec.start_ticks)),
        )
    outputs = {rung.name: context.folder / f"{rung.name}.mp4" for rung in spec.rungs}
    argv = commands.encode_video(
        context.programs.ffmpeg,
        spec,
        source=fetched.path if fetched else None,
        source_start_ticks=fetched.start_ticks if fetched else spec.start_ticks,
        outputs=outputs,
    )
    await context.encode(
        argv,
        media_s=to_seconds(spec.end_ticks - spec.start_ticks),
        share=(0.02, 0.97),
        frame_rate=float(spec.rungs[0].frame_rate),
    )
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
