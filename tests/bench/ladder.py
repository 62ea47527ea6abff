"""Wall time of the ladder against one hand-written ffmpeg command that makes the same renditions.

Both read the same recording of a real class (720p30). The job is everything between "transcode" and
the published set: planning, ranges, sound with its loudness, poster, storyboard, joining, checking,
uploading. The other side is one ffmpeg with the same rungs, presets and rate control and the sound,
followed by one decode of what it wrote. Each runs twice, in the order job, hand, hand, job, at the
same priority on an otherwise idle machine; the sums are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench.media import FFMPEG, make_lecture
from tests.bench.report import Report
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually
from transcode.specs import EncodeAudioSpec, EncodeVideoSpec, Rung, SourceSegment, parse_spec

CLASS_S = 60
GOAL = 1.10
NICE = 15  # What the worker gives its own ffmpegs.


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds."""

    wall_s: float
    cpu_s: float


async def run(report: Report, folder: Path) -> None:
    """Record once, then race twice."""
    source = await make_lecture(folder / "lecture.mp4", duration_s=CLASS_S + 10)
    async with Hall(folder / "hall", env={"HALL_LOG_LEVEL": "warning"}) as hall:
        admin = await hall.admin()
        lecture_id = await _teach(hall, admin, source)
        await _finish_job(hall, admin, lecture_id)  # Warms the caches; not counted.
        specs = _read_specs(hall.data / "hall.db")
        recording = await asyncio.to_thread(_join_recording, hall, specs, folder / "recording.mp4")
        argv = build_by_hand(recording, specs, folder)
        jobs, hands = [await _transcode(hall, admin, lecture_id)], [await _by_hand(argv, folder)]
        hands.append(await _by_hand(argv, folder))
        jobs.append(await _transcode(hall, admin, lecture_id))
        lecture = await admin.get(f"/lectures/{lecture_id}")
        units = _read_unit_times(hall.data / "hall.db")
    report.figure(
        "ladder_wall", sum(job.wall_s for job in jobs) / sum(hand.wall_s for hand in hands),
        unit="ratio", goal=GOAL,
        compares="transcode job from request to published / one ffmpeg plus one decode, 720p30",
        class_s=lecture["duration_s"],
        job_s=[round(job.wall_s, 2) for job in jobs],
        hand_s=[round(hand.wall_s, 2) for hand in hands],
        cpu_ratio=round(sum(job.cpu_s for job in jobs) / sum(hand.cpu_s for hand in hands), 3),
        rungs=[rung.name for rung in specs.rungs],
        last_units_s=units,
    )  # fmt: skip


@dataclass(frozen=True)
class Specs:
    """What the job was told, so that the hand-written command does the same."""

    rungs: tuple[Rung, ...]
    preset: str
    audio_bps: int
    broadcast_id: str
    epoch: int
    init: str
    segments: tuple[SourceSegment, ...]


async def _teach(hall: Hall, admin: Api, source: Path) -> str:
    made = await admin.make_class("ladder")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}", source=source):
        await admin.wait_for_state(made["id"], "live")
        await asyncio.sleep(CLASS_S)
    await admin.post(f"/live-classes/{made['id']}/end")

    async def find() -> Any:
        replay = (await admin.get(f"/live-classes/{made['id']}"))["replay"]
        return replay and replay["lecture_id"]

    return str(await eventually(find, timeout_s=30, message="no replay"))


async def _transcode(hall: Hall, admin: Api, lecture_id: str) -> Cost:
    """Run a job anew and wait for its end; its children's CPU is what the worker has reaped."""
    spent = _worker_cpu(hall)
    started = time.monotonic()
    await admin.post(f"/lectures/{lecture_id}/transcode", expect=202)
    await _finish_job(hall, admin, lecture_id)
    return Cost(time.monotonic() - started, _worker_cpu(hall) - spent)


async def _finish_job(hall: Hall, admin: Api, lecture_id: str) -> None:
    async def look() -> bool:
        jobs = (await admin.get(f"/lectures/{lecture_id}/jobs"))["items"]
        if any(job["state"] == "failed" for job in jobs):
            raise AssertionError(jobs)
        await asyncio.sleep(0.1)  # vod shares the cores with what is measured.
        return bool(jobs) and all(job["state"] == "done" for job in jobs)

    await eventually(look, timeout_s=CLASS_S * 6, message="the job does not end")
    assert hall.child("worker").is_running()


def _worker_cpu(hall: Hall) -> float:
    total = 0.0
    worker = hall.child("worker")
    for process in (worker, *worker.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
            if process.name() != "ffmpeg":
                total += times.children_user + times.children_system
    return total


def _read_specs(database: Path) -> Specs:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT kind, spec FROM units").fetchall()
    found: dict[str, list[Any]] = {}
    for kind, spec in rows:
        found.setdefault(kind, []).append(json.loads(spec))
    videos = [parse_spec(EncodeVideoSpec, spec) for spec in found["encode_video"]]
    audio = parse_spec(EncodeAudioSpec, found["encode_audio"][0])
    sources = [video.source for video in videos if video.source is not None]
    segments = {item.msn: item for source in sources for item in source.segments}
    if not sources or len({source.epoch for source in sources}) != 1:
        raise AssertionError("the class is not one epoch with pictures")
    return Specs(
        rungs=videos[0].rungs,
        preset=videos[0].preset,
        audio_bps=audio.bitrate_bps,
        broadcast_id=sources[0].broadcast_id,
        epoch=sources[0].epoch,
        init=sources[0].init,
        segments=tuple(segments[msn] for msn in sorted(segments)),
    )


def _read_unit_times(database: Path) -> dict[str, float]:
    """Seconds per unit of the newest job, from its claim to its end."""
    query = (
        "SELECT key, (julianday(finished_at) - julianday(started_at)) * 86400 FROM units"
        " WHERE job_id = (SELECT id FROM jobs ORDER BY created_at DESC LIMIT 1) ORDER BY position"
    )
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {key: round(seconds, 2) for key, seconds in connection.execute(query)}


def _join_recording(hall: Hall, specs: Specs, path: Path) -> Path:
    """Init and segments in one file: what a person with the recording would have."""
    folder = hall.data / "blobs" / "live" / specs.broadcast_id / str(specs.epoch) / "av"
    with path.open("wb") as output:
        for name in (specs.init, *(f"{segment.msn}.m4s" for segment in specs.segments)):
            with (folder / name).open("rb") as piece:
                shutil.copyfileobj(piece, output)
    return path


def build_by_hand(recording: Path, specs: Specs, folder: Path) -> list[str]:
    """The command as an experienced person would type it; files go to ``folder``."""
    rates = sorted({rung.frame_rate for rung in specs.rungs}, reverse=True)
    graph = [f"[0:v]split={len(rates)}" + "".join(f"[r{n}]" for n in range(len(rates)))]
    outputs: list[str] = []
    for number, rate in enumerate(rates):
        group = [rung for rung in specs.rungs if rung.frame_rate == rate]
        split = "".join(f"[{rung.name}in]" for rung in group)
        graph.append(f"[r{number}]fps={rate},split={len(group)}{split}")
        for rung in group:
            graph.append(
                f"[{rung.name}in]scale={rung.width_px}:{rung.height_px}:flags=bicubic,"
                f"format=yuv420p,setsar=1[{rung.name}]"
            )
            outputs += [
                "-map", f"[{rung.name}]", "-c:v", "libx264", "-preset", specs.preset,
                "-profile:v", "high", "-level:v", rung.level, "-crf", str(rung.crf),
                "-maxrate", str(rung.maxrate_bps), "-bufsize", str(2 * rung.maxrate_bps),
                "-g", str(round(4 * rung.frame_rate)),
                "-keyint_min", str(round(4 * rung.frame_rate)),
                "-sc_threshold", "0", "-movflags", "+faststart",
                "-f", "mp4", str(folder / f"hand-{rung.name}.mp4"),
            ]  # fmt: skip
    outputs += [
        "-map", "0:a", "-af", "volume=-2dB,alimiter=limit=0.84:level=0",
        "-c:a", "aac", "-b:a", str(specs.audio_bps), "-ac", "2", "-ar", "48000",
        "-f", "mp4", str(folder / "hand-audio.mp4"),
    ]  # fmt: skip
    return ["-i", str(recording), "-filter_complex", ";".join(graph), *outputs]


async def _by_hand(argv: list[str], folder: Path) -> Cost:
    before, started = _children_cpu(), time.monotonic()
    await _run_nice(argv)
    files = sorted(folder.glob("hand-*.mp4"))
    inputs = [word for path in files for word in ("-i", str(path))]
    maps = [word for number in range(len(files)) for word in ("-map", str(number))]
    await _run_nice([*inputs, *maps, "-c:v", "wrapped_avframe", "-f", "null", "-"])
    return Cost(time.monotonic() - started, _children_cpu() - before)


async def _run_nice(argv: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", str(NICE), FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", "-y",
        *argv, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(errors.decode()[-2000:])


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
