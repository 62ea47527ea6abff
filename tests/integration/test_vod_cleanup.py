"""What nobody can see any more is removed after a grace period, and nothing else is."""

from __future__ import annotations

import pytest

from kernel.errors import ConflictError
from kernel.layout import asset_prefix
from kernel.messages import UnitFailed
from tests.integration.test_playback_retention import WEEK, Shelf
from tests.integration.test_playback_retention import shelf as shelf  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import PLAN_HASH
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from vod.assets.cleanup import Cleanup
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.lectures.models import Lecture
from vod.recordings.models import Recording


def make_cleanup(shelf: Shelf) -> Cleanup:
    return Cleanup(
        shelf.hall.database, shelf.blobs, shelf.retention._streamer, shelf.hall.clock, keep=WEEK
    )


async def list_all(shelf: Shelf, prefix: str = "") -> list[str]:
    return [info.key async for info in shelf.blobs.list_keys(prefix)]


async def delete_lecture(shelf: Shelf) -> None:
    async with shelf.hall.database.write() as session:
        lecture = await session.get_one(Lecture, shelf.lecture_id)
        lecture.deleted_at = shelf.hall.clock.now()


async def test_a_deleted_lecture_loses_all_its_media_after_the_grace(shelf: Shelf) -> None:
    await delete_lecture(shelf)
    cleanup = make_cleanup(shelf)
    before = await list_all(shelf)
    shelf.hall.clock.advance(WEEK.total_seconds() - 1)
    assert await cleanup.sweep_once() == 0
    shelf.hall.clock.advance(1)
    found = await cleanup.find_leftovers()
    assert {item.prefix for item in found} == {
        f"live/{shelf.live_class.broadcast_id}/",
        shelf.report.prefix.removesuffix(f"{PLAN_HASH}/"),
    }
    assert await list_all(shelf) == before, "a dry run deletes nothing"
    assert await cleanup.sweep_once() == len(before)
    assert await list_all(shelf) == []
    assert shelf.forgotten == [shelf.live_class.broadcast_id]
    assert await cleanup.sweep_once() == 0


async def test_a_reopened_class_keeps_what_was_recorded(shelf: Shelf) -> None:
    await delete_lecture(shelf)
    async with shelf.hall.database.write() as session:
        live_class = await session.get_one(LiveClass, shelf.live_class.id)
        live_class.state = ClassState.INTERRUPTED
    shelf.hall.clock.advance(WEEK.total_seconds())
    await make_cleanup(shelf).sweep_once()
    assert len(await shelf.list_live()) == 4


async def test_a_longer_recording_leaves_the_old_renditions_until_new_ones_are_published(
    shelf: Shelf,
) -> None:
    shelf.hall.clock.advance(3 * WEEK.total_seconds())
    await shelf.hall.end(shelf.live_class, version=2)
    shelf.hall.clock.advance(WEEK.total_seconds())
    assert await make_cleanup(shelf).find_leftovers() == []


async def test_what_a_lecture_plays_stays_for_ever(shelf: Shelf) -> None:
    before = await list_all(shelf)
    shelf.hall.clock.advance(100 * WEEK.total_seconds())
    assert await make_cleanup(shelf).find_leftovers() == []
    assert await make_cleanup(shelf).sweep_once() == 0
    assert await list_all(shelf) == before


async def test_replaced_renditions_go_a_week_after_the_new_ones(shelf: Shelf) -> None:
    cleanup = make_cleanup(shelf)
    shelf.hall.clock.advance(3 * WEEK.total_seconds())
    job_id = await shelf.hall.jobs.transcode_again(shelf.lecture_id)
    assert await cleanup.sweep_once() == 0, "the old ones play until the new ones are there"
    report = await shelf.hall.publish(job_id)
    await shelf.put(report.prefix + "manifest.json", b"new")
    assert await cleanup.sweep_once() == 0, "players that are open still read the old ones"
    shelf.hall.clock.advance(WEEK.total_seconds())
    assert await cleanup.sweep_once() > 0
    assert await list_all(shelf, "assets/") == [report.prefix + "manifest.json"]


async def test_a_failed_job_is_removed_with_its_staging_and_not_retried(shelf: Shelf) -> None:
    cleanup = make_cleanup(shelf)
    job_id = await shelf.hall.jobs.transcode_again(shelf.lecture_id)
    unit = await shelf.hall.claim(job_id, "plan")
    job = await shelf.hall.find_job(job_id)
    staged = f"staging/{unit.unit_id}-{unit.fence}/a.mp4"
    half = asset_prefix(job.asset_id, plan_hash=PLAN_HASH) + "360p.mp4"
    for key in (staged, half, f"staging/{'0' * 20}-1/b.mp4"):
        await shelf.put(key, b"x")
    failure = UnitFailed(fence=unit.fence, reason="坏了", is_permanent=True)
    await shelf.hall.jobs.fail(unit.unit_id, failure)
    assert await cleanup.sweep_once() == 0
    shelf.hall.clock.advance(WEEK.total_seconds())
    assert await cleanup.sweep_once() == 2
    left = await list_all(shelf)
    assert staged not in left
    assert half not in left
    assert f"staging/{'0' * 20}-1/b.mp4" in left, "what the database does not know is kept"
    assert shelf.report.prefix + "manifest.json" in left
    with pytest.raises(ConflictError):
        await shelf.hall.jobs.retry(unit.unit_id)


async def test_recordings_that_must_stay_do_not_hide_others(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vod.assets.retention.BATCH_COUNT", 1)
    kept = shelf.live_class
    await shelf.blobs.delete(shelf.report.prefix + "manifest.json")
    shelf.hall.clock.advance(1)
    await shelf.fill()
    shelf.hall.clock.advance(WEEK.total_seconds())
    assert await shelf.retention.sweep_once() == 1
    async with shelf.hall.database.read() as session:
        recording = await session.get(Recording, await find_recording_id(shelf, kept))
    assert recording is not None
    assert recording.live_deleted_at is None


async def find_recording_id(shelf: Shelf, live_class: LiveClass) -> str:
    from sqlalchemy import select

    async with shelf.hall.database.read() as session:
        query = select(Recording.id).where(Recording.broadcast_id == live_class.broadcast_id)
        return str(await session.scalar(query))
