"""Live segments go only when a whole, verified asset has taken their place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kernel.blobs.directory import DirectoryBlobStore
from kernel.errors import ConflictError
from kernel.http import InternalClient, problem_middleware
from kernel.layout import journal_key
from kernel.messages import AssetReport
from tests.integration.vod_jobs_support import Hall, make_index
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from vod.assets.retention import Retention, find_missing_quality, require_segments
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.recordings.models import Recording

WEEK = timedelta(days=7)


@dataclass
class Shelf:
    """A published lecture whose blobs really lie in a folder."""

    hall: Hall
    blobs: DirectoryBlobStore
    retention: Retention
    forgotten: list[str] = field(default_factory=list)
    live_class: LiveClass = field(init=False)
    lecture_id: str = field(init=False)
    report: AssetReport = field(init=False)

    async def fill(self) -> None:
        self.live_class = await self.hall.add_class()
        index = make_index(self.live_class.broadcast_id, segments_count=3)
        self.lecture_id = await self.hall.end(self.live_class, index=index)
        job_id = await self.hall.store(self.lecture_id)
        base = f"live/{self.live_class.broadcast_id}"
        for name in ("0/av/0.m4s", "0/av/init-aa.mp4", "0/audio/0.m4s", "journal.jsonl"):
            await self.put(f"{base}/{name}", b"x")
        self.report = await self.hall.publish(job_id)
        media = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nx.mp4\n#EXTINF:2,\nx.mp4\n"
        for made in self.report.renditions:
            await self.put(f"{self.report.prefix}{made.name}.mp4", b"m" * made.size_bytes)
            await self.put(
                f"{self.report.prefix}{made.name}.m3u8", (media + "#EXT-X-ENDLIST\n").encode()
            )
        index_text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n360p.m3u8\n"
        await self.put(self.report.prefix + "index.m3u8", index_text.encode())
        manifest = {"report": self.report.model_dump(mode="json"), "commands": {}}
        await self.put(self.report.prefix + "manifest.json", json.dumps(manifest).encode())

    async def put(self, key: str, data: bytes) -> None:
        await self.blobs.put_bytes(key, data, content_type="application/octet-stream")

    async def list_live(self) -> list[str]:
        prefix = f"live/{self.live_class.broadcast_id}/"
        return [info.key async for info in self.blobs.list_keys(prefix)]


@pytest.fixture
async def shelf(hall: Hall, tmp_path: Path) -> AsyncIterator[Shelf]:
    blobs = DirectoryBlobStore(tmp_path / "blobs")
    forgotten: list[str] = []

    async def forget(request: web.Request) -> web.Response:
        forgotten.append(request.match_info["b"])
        return web.Response(status=204)

    streamer = web.Application(middlewares=[problem_middleware])
    streamer.router.add_post("/internal/broadcasts/{b}/forget-live", forget)
    async with TestServer(streamer) as server:
        client = InternalClient(str(server.make_url("/")), secret=None)
        async with client:
            retention = Retention(hall.database, blobs, client, hall.clock, keep=WEEK)
            made = Shelf(hall, blobs, retention, forgotten)
            await made.fill()
            yield made
    await blobs.close()


async def test_segments_go_a_week_after_a_verified_asset_and_the_journal_stays(
    shelf: Shelf,
) -> None:
    shelf.hall.clock.advance(WEEK.total_seconds() - 1)
    assert await shelf.retention.judge() == []
    assert await shelf.retention.sweep_once() == 0
    assert len(await shelf.list_live()) == 4
    shelf.hall.clock.advance(1)
    [verdict] = await shelf.retention.judge()
    assert verdict.kept_because == ""
    assert len(await shelf.list_live()) == 4  # Judging deletes nothing.
    await require_segments(shelf.hall.database, shelf.live_class.broadcast_id)
    assert await shelf.retention.sweep_once() == 1
    assert await shelf.list_live() == [journal_key(shelf.live_class.broadcast_id)]
    assert shelf.forgotten == [shelf.live_class.broadcast_id]
    assert await shelf.retention.sweep_once() == 0
    with pytest.raises(ConflictError):
        await require_segments(shelf.hall.database, shelf.live_class.broadcast_id)
    with pytest.raises(ConflictError):
        await shelf.hall.jobs.transcode_again(shelf.lecture_id)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("360p.mp4", b"short"),
        ("360p.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nx.mp4\n#EXT-X-ENDLIST\n"),
        ("audio.m3u8", b"\xff\xfe"),
        ("index.m3u8", b"nothing"),
        ("manifest.json", b"{}"),
        ("manifest.json", b"[]"),
        ("audio.mp4", None),
        ("manifest.json", None),
    ],
)
async def test_a_damaged_asset_saves_the_segments(
    shelf: Shelf, name: str, data: bytes | None
) -> None:
    shelf.hall.clock.advance(WEEK.total_seconds())
    if data is None:
        await shelf.blobs.delete(shelf.report.prefix + name)
    else:
        await shelf.put(shelf.report.prefix + name, data)
    [verdict] = await shelf.retention.judge()
    assert verdict.kept_because
    assert await shelf.retention.sweep_once() == 0
    assert len(await shelf.list_live()) == 4


async def test_a_running_job_a_newer_recording_or_a_reopened_class_save_the_segments(
    shelf: Shelf,
) -> None:
    shelf.hall.clock.advance(WEEK.total_seconds())
    [candidate] = [v.candidate for v in await shelf.retention.judge()]
    async with shelf.hall.database.write() as session:
        row = await session.get(LiveClass, shelf.live_class.id)
        assert row is not None
        row.state = ClassState.INTERRUPTED
    assert await shelf.retention.judge() == []
    assert not await shelf.retention._mark(candidate)
    async with shelf.hall.database.write() as session:
        row = await session.get(LiveClass, shelf.live_class.id)
        assert row is not None
        row.state = ClassState.ENDED
    job_id = await shelf.hall.jobs.transcode_again(shelf.lecture_id)
    assert await shelf.retention.judge() == []
    assert not await shelf.retention._mark(candidate)
    await shelf.hall.jobs.cancel(job_id, reason="a test")
    assert len(await shelf.retention.judge()) == 1
    await shelf.hall.end(shelf.live_class, version=2)
    assert await shelf.retention.judge() == []
    assert not await shelf.retention._mark(candidate)
    assert len(await shelf.list_live()) == 4


async def test_a_deletion_that_was_cut_off_is_finished(shelf: Shelf) -> None:
    shelf.hall.clock.advance(WEEK.total_seconds())
    [verdict] = await shelf.retention.judge()
    assert await shelf.retention._mark(verdict.candidate)
    assert len(await shelf.list_live()) == 4
    await shelf.retention.sweep_once()
    assert len(await shelf.list_live()) == 1
    async with shelf.hall.database.read() as session:
        recording = await session.get(Recording, verdict.candidate.recording_id)
        assert recording is not None
        assert recording.live_deleted_at is not None


@pytest.mark.parametrize(
    ("height_px", "words"), [(360, ""), (240, ""), (720, "720 lines high, the asset 360")]
)
async def test_originals_better_than_the_asset_are_kept(
    shelf: Shelf, height_px: int, words: str
) -> None:
    index = make_index("b", height_px=height_px, width_px=height_px * 16 // 9)
    assert words in find_missing_quality(index, shelf.report)
    assert bool(words) == bool(find_missing_quality(index, shelf.report))


async def test_a_recording_without_picture_needs_audio_only(shelf: Shelf) -> None:
    index = make_index("b", video_codec=None, height_px=None, width_px=None)
    sound = shelf.report.model_copy(update={"renditions": shelf.report.renditions[1:]})
    silent = shelf.report.model_copy(update={"renditions": shelf.report.renditions[:1]})
    assert find_missing_quality(index, sound) == ""
    assert find_missing_quality(index, silent)
    assert find_missing_quality(make_index("b"), sound)
