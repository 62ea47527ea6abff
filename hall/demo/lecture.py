"""Publish the generated lecture over RTMP: one ffmpeg, fed with frames in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from hall.demo.slides import SlidePainter
from hall.processes import ends_within

SLIDE_S: Final = 12
GOODBYE_S: Final = 5.0  # To flush what it has encoded; then it is killed.
# Harmonics of a low voice, opened and closed like syllables, with a breath every four seconds.
SPEECH: Final = (
    "aevalsrc=exprs='0.25*(sin(2*PI*130*t)+0.6*sin(2*PI*260*t)+0.4*sin(2*PI*520*t)"
    "+0.2*sin(2*PI*1040*t))*pow(abs(sin(2*PI*2.1*t)),1.5)*(0.15+0.85*lt(mod(t\\,4)\\,3.3))'"
    ":s=48000:c=mono"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LectureFormat:
    """Picture of the generated lecture."""

    width_px: int = 1280
    height_px: int = 720
    fps: int = 15
    bitrate_bps: int = 1_200_000
    gop_s: int = 2


async def publish_lecture(
    url: str,
    *,
    ffmpeg: Path,
    picture: LectureFormat | None = None,
    duration_s: float | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Teach until cancelled or for ``duration_s``; ends when the server hangs up.

    Args:
        url: ``rtmp://host:port/live/KEY``; never logged, it holds the key.
        now: The clock that is drawn into the picture.
    """
    picture = picture or LectureFormat()
    process = await asyncio.create_subprocess_exec(
        *_build_argv(url, ffmpeg=ffmpeg, picture=picture),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _feed(process, picture=picture, duration_s=duration_s, now=now)
    finally:
        await _dismiss(process)
        log.debug("lecture_over", code=process.returncode)


async def _dismiss(process: asyncio.subprocess.Process) -> None:
    """End the encoder for certain: told to stop, it still waits for its next picture."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        process.terminate()
    if not await ends_within(process, GOODBYE_S):
        process.kill()
        await process.wait()


async def _feed(
    process: asyncio.subprocess.Process,
    *,
    picture: LectureFormat,
    duration_s: float | None,
    now: Callable[[], datetime],
) -> None:
    pipe = process.stdin
    if pipe is None:
        raise RuntimeError("ffmpeg was started without a pipe")
    painter = await asyncio.to_thread(SlidePainter, picture.width_px, picture.height_px)
    loop = asyncio.get_running_loop()
    started, index = loop.time(), 0
    try:
        while duration_s is None or index < duration_s * picture.fps:
            slide = index // (SLIDE_S * picture.fps)
            pipe.write(await asyncio.to_thread(painter.paint, now(), slide_index=slide))
            await pipe.drain()
            index += 1
            await asyncio.sleep(max(0.0, started + index / picture.fps - loop.time()))
        pipe.close()
        await process.wait()
    except (BrokenPipeError, ConnectionResetError):
        return  # The server ended the class; ffmpeg left.


def _build_argv(url: str, *, ffmpeg: Path, picture: LectureFormat) -> list[str]:
    """As a live encoder: in real time, at a constant rate."""
    size = f"{picture.width_px}x{picture.height_px}"
    rate, bitrate = str(picture.fps), str(picture.bitrate_bps)
    gop = str(picture.gop_s * picture.fps)
    return [
        str(ffmpeg), "-nostdin", "-hide_banner", "-loglevel", "error",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "pipe:0",
        "-re", "-f", "lavfi", "-i", SPEECH,
        "-map", "0:v", "-map", "1:a", "-shortest",
        "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
        "-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate,
        "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",  # An IDR every two seconds, no more.
        "-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-ac", "2",
        "-f", "flv", url,
    ]  # fmt: skip
