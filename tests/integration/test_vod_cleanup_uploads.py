"""Uploaded files stay while a lecture uses them; first publications go after the whole set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from kernel.blobs.directory import DirectoryBlobStore
from kernel.clock import FakeClock
from kernel.http import InternalClient
from kernel.ids import new_id
from kernel.layout import asset_prefix, upload_key, upload_tail_key
from kernel.messages import AssetReport
from tests.integration.vod_jobs_support import PLAN_HASH, Hall, make_asset
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from vod.accounts.models import Account
from vod.accounts.roles import Role, Visibility
from vod.assets.cleanup import Cleanup
from vod.jobs.planning import plan_upload
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadState

WEEK = timedelta(days=7)


class Shelf:
    """Lectures made from uploaded files, and what lies in the store."""

    def __init__(self, hall: Hall, blobs: DirectoryBlobStore) -> None:
        self.hall, self.blobs = hall, blobs
        self.account_id = new_id()
        self.lecture = Lecture(
            id=new_id(), title="课", visibility=Visibility.PUBLIC, created_at=self.clock.now()
        )

    @property
    def clock(self) -> FakeClock:
        return self.hall.clock

    async def fill(self) -> None:
        account = Account(
            id=self.account_id, login="e", display_name="E", role=Role.EDITOR,
            password_hash="x", created_at=self.clock.now(),
        )  # fmt: skip
        async with self.hall.database.write() as session:
            session.add_all([account, self.lecture])

    async def upload(self) -> str:
        """A file arrives for the lecture and its job is planned; returns the upload's id."""
        now, upload_id = self.clock.now(), new_id()
        upload = Upload(
            id=upload_id, account_id=self.account_id, filename="a.mp4", metadata_text="",
            title="课", visibility=Visibility.PUBLIC, lecture_id=self.lecture.id, size_bytes=3,
            part_bytes=5, received_bytes=3, multipart="m", state=UploadState.DONE,
            created_at=now, expires_at=now, finished_at=now,
        )  # fmt: skip
        async with self.hall.database.write() as session:
            session.add(upload)
            await session.flush()
            lecture = await session.get_one(Lecture, self.lecture.id)
            lecture.upload_id = upload_id
            lecture.source_version += 1
            await session.flush()
            job = await plan_upload(session, lecture, upload, now=now)
            self.job_id = job.id
        await self.put(upload_key(upload_id))
        return upload_id

    async def put(self, key: str) -> None:
        await self.blobs.put_bytes(key, b"abc", content_type="video/mp4")

    async def publish(self) -> AssetReport:
        report = await self.hall.publish(self.job_id)
        await self.put(report.prefix + "manifest.json")
        return report

    async def sweep(self, *, keeps_originals: bool = True) -> int:
        unused = InternalClient("http://127.0.0.1:1", secret=None)
        cleanup = Cleanup(
            self.hall.database, self.blobs, unused, self.clock, keep=WEEK,
            keeps_originals=keeps_originals,
        )  # fmt: skip
        planned = {leftover.prefix for leftover in await cleanup.find_leftovers()}
        before = await self.keys()
        count = await cleanup.sweep_once()
        gone = before - await self.keys()
        assert all(any(key.startswith(prefix) for prefix in planned) for key in gone)
        return count

    async def keys(self) -> set[str]:
        return {info.key async for info in self.blobs.list_keys("")}


@pytest.fixture
async def shelf(hall: Hall, tmp_path: Path) -> AsyncIterator[Shelf]:
    made = Shelf(hall, DirectoryBlobStore(tmp_path / "blobs"))
    await made.fill()
    yield made
    await made.blobs.close()


async def test_an_original_stays_for_ever_unless_the_settings_say_otherwise(shelf: Shelf) -> None:
    upload_id = await shelf.upload()
    await shelf.publish()
    shelf.clock.advance(52 * WEEK.total_seconds())
    assert await shelf.sweep() == 0
    assert await shelf.sweep(keeps_originals=False) == 1
    assert upload_key(upload_id) not in await shelf.keys()
    async with shelf.hall.database.read() as session:
        upload = await session.get_one(Upload, upload_id)
    assert upload.bytes_deleted_at == shelf.clock.now()


async def test_an_original_that_is_still_needed_stays_in_any_case(shelf: Shelf) -> None:
    await shelf.upload()
    shelf.clock.advance(2 * WEEK.total_seconds())
    assert await shelf.sweep(keeps_originals=False) == 0, "nothing was published from it"
    await shelf.publish()
    shelf.clock.advance(WEEK.total_seconds() - 1)
    assert await shelf.sweep(keeps_originals=False) == 0, "its grace is not over"


async def test_a_replaced_file_goes_a_week_after_the_new_one_plays(shelf: Shelf) -> None:
    first = await shelf.upload()
    old = await shelf.publish()
    shelf.clock.advance(3 * WEEK.total_seconds())
    second = await shelf.upload()
    shelf.clock.advance(3 * WEEK.total_seconds())
    assert await shelf.sweep() == 0, "the new one may turn out to be no media"
    new = await shelf.publish()
    assert await shelf.sweep() == 0
    shelf.clock.advance(WEEK.total_seconds())
    assert await shelf.sweep() == 2
    assert await shelf.keys() == {upload_key(second), new.prefix + "manifest.json"}
    assert upload_key(first) not in await shelf.keys()
    assert old.prefix != new.prefix
    assert await shelf.sweep() == 0


async def test_a_deleted_lecture_takes_its_files_along(shelf: Shelf) -> None:
    upload_id = await shelf.upload()
    await shelf.put(upload_tail_key(upload_id, received_bytes=3))
    await shelf.publish()
    async with shelf.hall.database.write() as session:
        await session.execute(
            update(Lecture)
            .where(Lecture.id == shelf.lecture.id)
            .values(deleted_at=shelf.clock.now())
        )
    shelf.clock.advance(WEEK.total_seconds() - 1)
    assert await shelf.sweep() == 0
    shelf.clock.advance(1)
    assert await shelf.sweep() == 3
    assert await shelf.keys() == set()


async def test_what_is_no_media_goes_after_the_grace(shelf: Shelf) -> None:
    upload_id = await shelf.upload()
    async with shelf.hall.database.write() as session:
        upload = await session.get_one(Upload, upload_id)
        upload.state = UploadState.REFUSED
    shelf.clock.advance(WEEK.total_seconds())
    assert await shelf.sweep() == 1
    assert await shelf.keys() == set()


async def test_the_first_publication_goes_a_week_after_the_whole_set(shelf: Shelf) -> None:
    await shelf.upload()
    job = await shelf.hall.find_job(shelf.job_id)
    first = asset_prefix(job.asset_id, plan_hash=PLAN_HASH, is_partial=True)
    await shelf.put(first + "index.m3u8")
    report = await shelf.publish()
    assert report == make_asset(job.asset_id)
    shelf.clock.advance(WEEK.total_seconds() - 1)
    assert await shelf.sweep() == 0
    shelf.clock.advance(1)
    assert await shelf.sweep() == 1
    assert first + "index.m3u8" not in await shelf.keys()
    assert report.prefix + "manifest.json" in await shelf.keys()
