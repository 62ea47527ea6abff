"""Files of every awkward kind, and the frames that the ranges of a file give, as hashes."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kernel.blobs import BlobStore
from kernel.blobs.directory import DirectoryBlobStore
from kernel.messages import ClaimedUnit
from kernel.timing import TICKS_PER_S
from tests.support.synthetic_recording import FFMPEG, FFPROBE
from transcode import commands
from transcode.context import ProgressCell, UnitContext
from transcode.entry import choose_entry
from transcode.plan.cuts import cut_file_ranges
from transcode.settings import Programs
from transcode.sources import open_source
from transcode.specs import DecodeSpec, EncodeVideoSpec, FileSource, Grid, Rung, Shape

SHAPE = Shape(width_px=160, height_px=90)
HASHES = {"c:v": "rawvideo", "f": "framehash", "hash": "md5", "fps_mode": "passthrough"}


@dataclass(frozen=True)
class Stored:
    """A file in a store, as probing would describe it."""

    store: BlobStore
    source: FileSource
    decode: DecodeSpec
    duration_ticks: int
    picture_ticks: tuple[int, ...]


def build_context(store: BlobStore, folder: Path, spec: object = None) -> UnitContext:
    """A claimed unit as a worker would hold it."""
    folder.mkdir(parents=True, exist_ok=True)
    unit = ClaimedUnit(
        unit_id="u",
        job_id="j",
        key="video-0000",
        kind="encode_video",
        fence=1,
        attempt=1,
        lease_s=60,
        lecture_id="l",
        asset_id="a",
        plan_hash="0" * 12,
        spec=json.loads(spec.model_dump_json()) if hasattr(spec, "model_dump_json") else {},
        inputs={},
    )
    programs = Programs(Path(FFMPEG), Path(FFPROBE))
    return UnitContext(
        unit=unit, store=store, programs=programs, folder=folder, progress=ProgressCell()
    )


def build_rung(name: str, rate: Fraction, shape: Shape = SHAPE) -> Rung:
    return Rung(
        name=name,
        width_px=shape.width_px,
        height_px=shape.height_px,
        frame_rate=rate,
        crf=30,
        maxrate_bps=500_000,
        level="3.1",
        reason="test",
    )


async def store_file(
    folder: Path, path: Path, *, demuxer: str, rate: Fraction | None, index: int = 0
) -> Stored:
    """Put a file where workers find it; its first picture is lecture time 0."""
    store = DirectoryBlobStore(folder / "blobs")
    info = await store.put_file("uploads/u1", path, content_type="application/octet-stream")
    times = await asyncio.to_thread(list_picture_ticks, path, index)
    if rate is None:
        length = times[-1] - times[0] + TICKS_PER_S // 30
    else:
        length = int(len(times) * TICKS_PER_S / rate)
    return Stored(
        store=store,
        source=FileSource(
            key=info.key,
            size_bytes=info.size_bytes,
            demuxer=demuxer,
            video_index=index,
            offset_ticks=times[0],
        ),
        decode=DecodeSpec(pixel_format="yuv420p", frame_rate=rate),
        duration_ticks=length,
        picture_ticks=tuple(time - times[0] for time in times),
    )


def list_picture_ticks(path: Path, index: int = 0) -> list[int]:
    """Time stamps of all decoded pictures in the file's clock; those without any are guessed."""
    argv = [
        *[FFPROBE, "-v", "error", "-select_streams", str(index), "-show_entries"],
        *["stream=time_base:frame=best_effort_timestamp", "-of", "json", str(path)],
    ]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout)
    clock = Fraction(found["streams"][0]["time_base"]) * TICKS_PER_S
    times: list[int] = []
    for frame in found["frames"]:
        stamp = frame.get("best_effort_timestamp")
        times.append(round(stamp * clock) if stamp is not None else times[-1] + int(clock))
    return times


def select_nearest(
    hashes: list[str], ticks: tuple[int, ...], rate: Fraction, count: int
) -> list[str]:
    """Say which picture each frame of a constant rate shows: the last one that is not later."""
    places = [math.floor(tick * rate / TICKS_PER_S + Fraction(1, 2)) for tick in ticks]
    chosen: list[str] = []
    for frame in range(count):
        shown = [picture for picture, place in zip(hashes, places, strict=True) if place <= frame]
        chosen.append(shown[-1] if shown else hashes[0])
    return chosen


async def hash_ranges(
    folder: Path,
    stored: Stored,
    rungs: tuple[Rung, ...],
    *,
    range_s: int,
    decode: DecodeSpec | None = None,
    shape: Shape = SHAPE,
) -> dict[str, list[str]]:
    """Hash what every range of the file gives, in order, per rung."""
    context = build_context(stored.store, folder)
    media = await open_source(context, stored.source)
    grid = Grid.regular(rungs[0].frame_rate)
    found: dict[str, list[str]] = {rung.name: [] for rung in rungs}
    ranges = cut_file_ranges(stored.duration_ticks, grid=grid, range_ticks=range_s * TICKS_PER_S)
    for number, (start, end) in enumerate(ranges):
        spec = EncodeVideoSpec(
            start_ticks=start,
            end_ticks=end,
            grid=grid,
            source=stored.source,
            decode=decode or stored.decode,
            shape=shape,
            rungs=rungs,
            colour="bt709",
            preset="ultrafast",
        )
        outputs = {rung.name: folder / f"{number}-{rung.name}.hash" for rung in rungs}
        argv = commands.encode_video(
            Path(FFMPEG),
            spec,
            media=media,
            entry_ticks=await choose_entry(context, media, stored.source, start_ticks=start),
            outputs=outputs,
            muxer=HASHES,
        )
        await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, timeout=60)
        for rung in rungs:
            hashes = read_hashes(outputs[rung.name])
            assert len(hashes) == rung.first_frame(end) - rung.first_frame(start), (number, rung)
            found[rung.name] += hashes
    return found


def read_hashes(path: Path) -> list[str]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [line.rsplit(",", 1)[1].strip() for line in lines]


def hash_plain(path: Path, folder: Path, *, index: int = 0, filters: str = "null") -> list[str]:
    """Hash every decoded picture, straight through, with nothing of ours."""
    target = folder / "plain.hash"
    argv = [
        *[FFMPEG, "-nostdin", "-y", "-v", "error", "-copyts", "-i", str(path)],
        *["-map", f"0:{index}", "-vf", f"{filters},format=yuv420p", "-c:v", "rawvideo"],
        *["-fps_mode", "passthrough", "-f", "framehash", "-hash", "md5", str(target)],
    ]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return read_hashes(target)
