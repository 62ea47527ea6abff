"""Unit ``make_clip``: a range of a published lecture becomes one MP4 of limited size."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from kernel.errors import BlobMissingError, EncodeError
from kernel.messages import ClipReport
from transcode import commands
from transcode.clips.lettering import Strip, draw_cues_blocking, find_font_blocking, plan_strip
from transcode.clips.plan import ClipPlan, build_clip_plan
from transcode.clips.spec import MakeClipSpec
from transcode.commands.base import MediaInput
from transcode.context import MIME, Outcome, UnitContext
from transcode.publishing import AUDIO_FILE
from transcode.sources import open_key
from transcode.specs import parse_spec

TRIES_COUNT: Final = 2  # The encoder keeps its rate; a second one only in case it does not.
LENGTH_TOLERANCE_S: Final = 0.25  # A frame of slides at 5 frames/s, and what AAC adds.
ENCODE_SHARE: Final = (0.05, 0.95)


async def make_clip(context: UnitContext) -> Outcome:
    """Encode, check and store the clip.

    Raises:
        EncodeError: Permanent, with a sentence: the set is gone, no font has the letters, or the
            size cannot be kept.
    """
    spec = parse_spec(MakeClipSpec, context.unit.spec)
    pictures = await _open(context, f"{spec.prefix}{spec.source.name}.mp4")
    sound = await _open(context, spec.prefix + AUDIO_FILE) if spec.has_sound else None
    output = context.folder / "clip.mp4"
    scale, size_bytes = 1.0, 0
    for _ in range(TRIES_COUNT):
        plan = build_clip_plan(spec, scale=scale)
        argv = commands.encode_clip(
            context.programs.ffmpeg,
            plan,
            pictures=pictures,
            sound=sound,
            start_ticks=spec.start_ticks,
            words=await _draw(context, spec, plan),
            output=output,
            title=spec.title,
        )
        result = await context.encode(argv, media_s=plan.duration_s, share=ENCODE_SHARE)
        for media in filter(None, (pictures, sound)):
            media.check(result.stderr_tail)
        size_bytes = (await asyncio.to_thread(output.stat)).st_size
        if size_bytes <= spec.limit_bytes:
            return Outcome(await _deliver(context, spec, plan, output, size_bytes=size_bytes))
        scale *= 0.9 * spec.limit_bytes / size_bytes
    raise EncodeError(
        f"{size_bytes} bytes, {spec.limit_bytes} are allowed",
        permanent=True,
        title_zh="压不到要求的大小;请缩短片段或放宽大小",
    )


async def _open(context: UnitContext, key: str) -> MediaInput:
    try:
        size_bytes = (await context.store.head(key)).size_bytes
    except BlobMissingError as error:
        raise EncodeError(
            f"{key} is gone", permanent=True, title_zh="课程文件已被替换,请重新制作短片"
        ) from error
    return await open_key(context, key, size_bytes=size_bytes, demuxer="mp4")


async def _draw(
    context: UnitContext, spec: MakeClipSpec, plan: ClipPlan
) -> tuple[Path, Strip] | None:
    if not spec.cues:
        return None
    font = await asyncio.to_thread(find_font_blocking)
    path = await asyncio.to_thread(
        draw_cues_blocking, spec.cues, plan, folder=context.folder, font=font
    )
    return path, plan_strip(plan)


async def _deliver(
    context: UnitContext, spec: MakeClipSpec, plan: ClipPlan, output: Path, *, size_bytes: int
) -> ClipReport:
    streams = json.loads(await context.ask(commands.probe(context.programs.ffprobe, output)))
    duration_s = check_clip(streams["streams"], plan, has_sound=spec.has_sound)
    key = f"{spec.target}{context.unit.fence}.mp4"
    await context.store.put_file(key, output, content_type=MIME[".mp4"])
    return ClipReport(
        key=key,
        size_bytes=size_bytes,
        duration_s=duration_s,
        width_px=plan.width_px,
        height_px=plan.height_px,
    )


def check_clip(streams: list[dict[str, Any]], plan: ClipPlan, *, has_sound: bool) -> float:
    """Compare what was made with what was planned; return its seconds. Pure.

    Raises:
        EncodeError: It has another size or length, or no sound.
    """
    video = next((item for item in streams if item["codec_type"] == "video"), None)
    is_heard = any(item["codec_type"] == "audio" for item in streams)
    if video is None or is_heard is not has_sound:
        raise EncodeError(f"the clip has {[item['codec_type'] for item in streams]}")
    if (video["width"], video["height"]) != (plan.width_px, plan.height_px):
        raise EncodeError(f"the clip is {video['width']}x{video['height']}")
    duration_s = float(video.get("duration", 0))
    if abs(duration_s - plan.duration_s) > LENGTH_TOLERANCE_S:
        raise EncodeError(f"the clip is {duration_s:.3f} s long, not {plan.duration_s:.3f}")
    return duration_s
