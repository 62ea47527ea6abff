"""The command line that makes a clip. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ffmpeg

from transcode.clips.lettering import Strip
from transcode.clips.plan import ClipPlan
from transcode.commands.base import (
    MediaInput,
    Stream,
    compile_command,
    open_input,
    open_media,
    with_progress,
)
from transcode.commands.frames import format_seconds
from transcode.commands.sound import AUDIO_RATE_HZ

BLUR_SHRINK: Final = 8  # Blurred small and enlarged: as soft, and sixty times cheaper.
GOP_FRAMES: Final = 60  # Phones scrub; two seconds at 30 frames/s.


def encode_clip(
    program: Path,
    plan: ClipPlan,
    *,
    pictures: MediaInput,
    sound: MediaInput | None,
    start_ticks: int,
    words: tuple[Path, Strip] | None,
    output: Path,
    title: str = "",
) -> list[str]:
    """Build the one command that makes the MP4.

    Args:
        pictures, sound: Files of the published set; both have lecture time.
        words: The list of caption pictures and where they stand.
    """
    seek = {"ss": format_seconds(start_ticks)}  # Exact: decoding begins at the keyframe before.
    picture = _frame(open_media(pictures, **seek).video, plan)
    if words is not None:
        picture = _letter(picture, *words)
    streams = [picture.filter("format", "yuv420p")]
    if sound is not None:
        # As loud as the lecture: its sound was brought to one level when it was published.
        streams.append(open_media(sound, **seek).audio)
    result = ffmpeg.output(*streams, str(output), **_options(plan, title=title))
    return compile_command(program, with_progress(result))


def _frame(picture: Stream, plan: ClipPlan) -> Stream:
    if plan.inner is not None:
        return _put_before_blur(picture, plan, plan.inner)
    if plan.crop is not None:
        box = plan.crop
        picture = picture.filter("crop", box.width_px, box.height_px, box.x_px, box.y_px)
    scaled = picture.filter("scale", plan.width_px, plan.height_px, flags="bicubic")
    return scaled.filter("setsar", 1)


def _put_before_blur(picture: Stream, plan: ClipPlan, inner: tuple[int, int]) -> Stream:
    parts = picture.filter_multi_output("split", 2)
    small = (plan.width_px // BLUR_SHRINK, plan.height_px // BLUR_SHRINK)
    behind = (
        parts.stream(0)
        .filter("scale", *small, force_original_aspect_ratio="increase")
        .filter("crop", *small)
        .filter("boxblur", 5, 2)
        .filter("scale", plan.width_px, plan.height_px, flags="bicubic")
        .filter("setsar", 1)
    )
    front = parts.stream(1).filter("scale", *inner, flags="bicubic").filter("setsar", 1)
    place = {"x": (plan.width_px - inner[0]) // 2, "y": (plan.height_px - inner[1]) // 2}
    return ffmpeg.filter([behind, front], "overlay", **place)


def _letter(picture: Stream, words: Path, strip: Strip) -> Stream:
    """Lay the captions over the picture.

    They are one stream of pictures that change in time. An input and a filter for each of them
    would be hundreds of threads.
    """
    drawn = open_input(words, demuxer="concat", safe=1).video
    return ffmpeg.filter([picture, drawn], "overlay", x=0, y=strip.top_px, eof_action="pass")


def _options(plan: ClipPlan, *, title: str) -> dict[str, Any]:
    sound = {"c:a": "aac", "b:a": plan.sound_bps, "ar": AUDIO_RATE_HZ, "ac": 2}
    return {
        "t": f"{plan.duration_s:.6f}",
        "c:v": "libx264",
        "preset": "veryfast",
        "profile:v": "high",
        "crf": 21,  # Slides cost little ...
        "maxrate": plan.video_bps,  # ... and nothing more than the limit allows,
        "bufsize": plan.video_bps,  # over one second.
        "g": GOP_FRAMES,
        **(sound if plan.sound_bps else {"an": None}),
        "map_metadata": -1,
        "map_chapters": -1,
        **({"metadata": f"title={title}"} if title else {}),
        "movflags": "+faststart",  # It plays while it comes.
        "f": "mp4",
    }
