"""Unit ``copy_video``: the source's own picture track as a rendition, without encoding."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from kernel.timing import to_seconds
from transcode import commands
from transcode.context import Outcome, UnitContext, describe_command
from transcode.copying import CopiedTrack, check_track, read_track
from transcode.sources import open_source
from transcode.specs import CopyVideoSpec, EncodedRung, EncodedVideo, parse_spec


async def copy_video(context: UnitContext) -> Outcome:
    """Look at every packet, copy the track onto the lecture's clock, put it into staging.

    Raises:
        EncodeError: Permanent: the track is not what the plan took it for.
    """
    spec = parse_spec(CopyVideoSpec, context.unit.spec)
    started_s = time.monotonic()
    media = await open_source(context, spec.source)
    media_s = to_seconds(spec.duration_ticks)
    listing = context.folder / "packets.txt"
    argv = commands.list_track(
        context.programs.ffmpeg, media, video_index=spec.source.video_index or 0, output=listing
    )
    result = await context.encode(argv, media_s=media_s, share=(0.0, 0.4))
    media.check(result.stderr_tail)
    track = await asyncio.to_thread(_read_blocking, listing, spec)
    output = context.folder / f"{spec.rung.name}.mp4"
    argv = commands.copy_track(
        context.programs.ffmpeg, spec, media, delay_frames=track.delay_frames, output=output
    )
    result = await context.encode(argv, media_s=media_s, share=(0.4, 0.95))
    media.check(result.stderr_tail)
    staged = await context.stage(output)
    return Outcome(
        EncodedVideo(
            rungs=(EncodedRung(rung=spec.rung.name, file=staged, frames_count=track.frames_count),),
            keyframes=tuple(spec.rung.frame_ticks(frame) for frame in track.keyframes),
            commands=(describe_command(argv),),
            wall_s=round(time.monotonic() - started_s, 3),
        )
    )


def _read_blocking(path: Path, spec: CopyVideoSpec) -> CopiedTrack:
    rate = spec.rung.frame_rate
    with path.open(encoding="ascii", errors="replace") as lines:
        track = read_track(lines, offset_ticks=spec.source.offset_ticks, frame_rate=rate)
    check_track(
        track, spec.grid, frame_rate=rate, frames_count=spec.rung.first_frame(spec.duration_ticks)
    )
    return track
