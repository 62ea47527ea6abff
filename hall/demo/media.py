"""Files of generated lessons: slides and speech-like sound, as fast as they can be made."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from hall.demo.lecture import SPEECH
from hall.demo.script import Lesson
from hall.demo.slides import SlidePainter
from kernel.errors import DependencyError

WIDTH_PX: Final = 960
HEIGHT_PX: Final = 540
FPS: Final = 10
DEADLINE_S: Final = 300.0


async def render_lesson(lesson: Lesson, path: Path, *, ffmpeg: Path) -> None:
    """Write the lesson as MP4, or M4A when it has no slides.

    Raises:
        DependencyError: ffmpeg failed, or took longer than ``DEADLINE_S``.
    """
    process = await asyncio.create_subprocess_exec(
        *_build_argv(lesson, path, ffmpeg=ffmpeg),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _feed(process, lesson)
            code = await process.wait()
    except (TimeoutError, BrokenPipeError, ConnectionResetError) as error:
        raise DependencyError(f"the sample lesson {path.name} was not made: {error!r}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise DependencyError(
            f"the sample lesson {path.name} was not made: ffmpeg ended with {code}"
        )


async def _feed(process: asyncio.subprocess.Process, lesson: Lesson) -> None:
    pipe = process.stdin
    if pipe is None:
        raise RuntimeError("ffmpeg was started without a pipe")
    if lesson.slides:
        painter = await asyncio.to_thread(SlidePainter, WIDTH_PX, HEIGHT_PX, lesson.slides)
        frames = lesson.duration_s * FPS
        for index in range(frames):
            slide = index * len(lesson.slides) // frames
            pipe.write(painter.paint_plain(slide_index=slide))
            await pipe.drain()
    pipe.close()


def _build_argv(lesson: Lesson, path: Path, *, ffmpeg: Path) -> list[str]:
    sound = ["-f", "lavfi", "-i", SPEECH]
    picture: list[str] = []
    encoder: list[str] = []
    if lesson.slides:
        size = f"{WIDTH_PX}x{HEIGHT_PX}"
        picture = [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            size,
            "-r",
            str(FPS),
            "-i",
            "pipe:0",
        ]
        encoder = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-crf", "20"]
    return [
        str(ffmpeg), "-nostdin", "-hide_banner", "-loglevel", "error", "-y",
        *picture, *sound, "-t", str(lesson.duration_s), *encoder,
        "-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-ac", "2",
        "-movflags", "+faststart", "-f", "mp4", str(path),
    ]  # fmt: skip


def build_captions(lesson: Lesson) -> bytes:
    """WebVTT that says what the slides show, while they show it."""
    length_s = lesson.duration_s / len(lesson.slides)
    lines = ["WEBVTT", ""]
    for number, slide in enumerate(lesson.slides):
        step_s = length_s / (1 + len(slide.points))
        for row, text in enumerate((slide.heading, *slide.points)):
            start_s = number * length_s + row * step_s
            lines += [f"{_format_time(start_s)} --> {_format_time(start_s + step_s)}", text, ""]
    return "\n".join(lines).encode()


def _format_time(at_s: float) -> str:
    minutes, seconds = divmod(at_s, 60)
    return f"00:{int(minutes):02}:{seconds:06.3f}"
