"""Whatever happens to messages, answers, workers and vod: one complete asset or one clear failure.

Each seed is a story of some hundred events: lost, doubled and shuffled messages, a flushed broker,
requests and answers that do not arrive, workers that die, stop, or come back after their lease,
and a vod that restarts at any point. The same seed tells the same story.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kernel.blobs.directory import DirectoryBlobStore
from kernel.clock import FakeClock
from kernel.http import InternalClient
from tests.integration.vod_jobs_support import Hall, make_asset, open_hall
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from tests.support.unruly_hall import UnrulyHall
from vod.assets.cleanup import Cleanup
from vod.assets.models import Asset
from vod.jobs.models import Unit, UnitAttempt
from vod.jobs.policy import AttemptOutcome, JobState, UnitState
from vod.lectures.models import Lecture, LectureState
from vod.storage.orphans import Orphans

STEPS_COUNT = 120
WEEK = timedelta(days=7)


async def check_end(world: UnrulyHall, state: JobState) -> None:
    """Exactly one complete asset, or one clear failure; nothing is stuck, nothing is left over."""
    async with world.hall.database.read() as session:
        assets = list(await session.scalars(select(Asset)))
        lecture = await session.get_one(Lecture, world.lecture_id)
        units = list(await session.scalars(select(Unit).where(Unit.job_id == world.job_id)))
        open_count = await session.scalar(
            select(func.count()).select_from(UnitAttempt).where(UnitAttempt.ended_at.is_(None))
        )
    job = await world.find_job()
    assert open_count == 0
    left = await sweep_everything(world)
    report = make_asset(job.asset_id)
    complete = {report.prefix + name for name in world.asset_names(report)}
    if state is JobState.DONE:
        assert {unit.state for unit in units} == {UnitState.DONE}
        assert [asset.id for asset in assets] == [job.asset_id] == [lecture.asset_id]
        assert lecture.state is LectureState.READY
        assert left == complete
    else:
        assert state is JobState.FAILED
        assert job.reason
        assert {unit.state for unit in units} <= {
            UnitState.DONE,
            UnitState.FAILED,
            UnitState.WAITING,
        }
        assert assets == []
        assert lecture.state is LectureState.PLAYABLE, "it still plays from the recording"
        assert left == set()


async def sweep_everything(world: UnrulyHall) -> set[str]:
    """A month later: the sweeps that run by themselves, then the orphans; what is left."""
    hall, blobs = world.hall, world.blobs
    clock = FakeClock(datetime.now(UTC) + timedelta(days=30))
    nobody = InternalClient("http://127.0.0.1:1", secret=None)
    await Cleanup(hall.database, blobs, nobody, clock, keep=WEEK).sweep_once()
    orphans = Orphans(hall.database, blobs, clock, keep=WEEK)
    token = (await orphans.find(at_most_s=60)).token
    await orphans.delete(token, at_most_s=60)
    return {info.key async for info in blobs.list_keys("") if not info.key.startswith("live/")}


async def live_through(world: UnrulyHall, *, faults: float) -> JobState:
    await world.start(faults=faults)
    for _ in range(STEPS_COUNT):
        await world.act()
    return await world.calm()


@pytest.mark.parametrize("seed", range(12))
async def test_every_story_ends_well_or_clearly(tmp_path: Path, seed: int) -> None:
    blobs = DirectoryBlobStore(tmp_path / "blobs")
    async with open_hall(f"sqlite+aiosqlite:///{tmp_path / 'hall.db'}") as hall:
        world = UnrulyHall(hall, blobs, seed)
        state = await live_through(world, faults=0.25)
        if state is JobState.FAILED and seed % 2:
            await hall.jobs.retry_job(world.job_id)
            assert await world.calm() is JobState.DONE, "a person's retry heals what was passing"
            state = JobState.DONE
        await check_end(world, state)
    await blobs.close()


async def test_the_same_on_postgresql(hall: Hall, tmp_path: Path) -> None:
    blobs = DirectoryBlobStore(tmp_path / "blobs")
    world = UnrulyHall(hall, blobs, seed=1000)
    await check_end(world, await live_through(world, faults=0.25))
    await blobs.close()


async def test_without_faults_each_unit_is_made_once(hall: Hall, tmp_path: Path) -> None:
    blobs = DirectoryBlobStore(tmp_path / "blobs")
    world = UnrulyHall(hall, blobs, seed=1)
    await world.start(faults=0.0)
    assert await world.calm() is JobState.DONE
    assert sorted(world.done) == ["audio", "plan", "publish", "video-0", "video-1"]
    async with hall.database.read() as session:
        outcomes = set(await session.scalars(select(UnitAttempt.outcome)))
    assert outcomes == {AttemptOutcome.DONE}
    await check_end(world, JobState.DONE)
    await blobs.close()
