"""Units are claimed, finished and published exactly once, whatever the workers do."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from kernel.errors import ConflictError, InputError, NotFoundError
from kernel.ids import new_id
from kernel.messages import (
    LEASE_S,
    PlanReport,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
    UnitPlan,
)
from tests.integration.vod_jobs_support import Hall, make_asset, make_index, make_plan
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from tests.support.waiting import eventually
from vod.assets.models import Asset
from vod.db.engine import open_database
from vod.jobs import queries
from vod.jobs.models import Job, OutboxMessage, RenditionRow, Unit
from vod.jobs.policy import MAX_ATTEMPTS, JobState, UnitState
from vod.jobs.service import JobService
from vod.jobs.sweeper import Sweeper
from vod.lectures.models import Lecture, LectureState
from vod.storage.judges import Moment, judge_staging


async def count(hall: Hall, model: type, *conditions: object) -> int:
    async with hall.database.read() as session:
        return int(
            await session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0
        )


class FullBroker:
    """Keeps every message for ever."""

    async def send(self, queue: str, payload: str) -> None:
        """Nothing is lost here."""

    async def count_messages(self, _queue: str) -> int:
        return 1_000_000


async def find_lecture(hall: Hall, lecture_id: str) -> Lecture:
    async with hall.database.read() as session:
        lecture = await session.get(Lecture, lecture_id)
        assert lecture is not None
        return lecture


async def test_a_stored_recording_starts_one_job_however_often_it_is_told(hall: Hall) -> None:
    lecture_id, job_id = await hall.start_job()
    assert await hall.store(lecture_id) == job_id
    assert await count(hall, Job) == 1
    assert await count(hall, OutboxMessage) == 1
    claimed = await hall.claim(job_id, "plan")
    assert claimed.kind == "plan_recording"
    assert len(claimed.spec["index"]["epochs"][0]["segments"]) == 3
    assert (claimed.fence, claimed.attempt, claimed.lease_s) == (1, 1, LEASE_S)


async def test_ending_twice_makes_one_lecture(hall: Hall) -> None:
    live_class = await hall.add_class()
    assert await hall.end(live_class) == await hall.end(live_class)
    assert await count(hall, Lecture) == 1
    lecture = await find_lecture(hall, await hall.end(live_class, version=2))
    assert lecture.recording_version == 2
    assert lecture.duration_ticks == 4 * 180_000
    await hall.end(live_class, version=1)
    assert (await find_lecture(hall, lecture.id)).recording_version == 2


async def test_nothing_recorded_makes_no_lecture(hall: Hall) -> None:
    live_class = await hall.add_class()
    with pytest.raises(AssertionError):
        await hall.end(live_class, index=make_index(live_class.broadcast_id, segments_count=0))
    assert await count(hall, Lecture) == 0


async def test_of_fifty_claims_one_wins(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    unit = await hall.find_unit(job_id, "plan")
    async with open_database(hall.url) as second:
        services = itertools.cycle(
            [hall.jobs, JobService(second, hall.clock)]
            if not hall.database.is_sqlite
            else [hall.jobs]
        )
        outcomes = await asyncio.gather(
            *(next(services).claim(unit.id, worker=f"w{n}") for n in range(50)),
            return_exceptions=True,
        )
    winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    kinds = {repr(o) for o in outcomes if not isinstance(o, ConflictError)} - {repr(winners[0])}
    assert not kinds
    assert winners[0].fence == 1


async def test_a_whole_job_runs_in_order_and_publishes_once(hall: Hall) -> None:
    lecture_id, job_id = await hall.start_job()
    assert (await find_lecture(hall, lecture_id)).state is LectureState.PLAYABLE
    await hall.plan(job_id)
    assert (await hall.find_unit(job_id, "publish")).state is UnitState.WAITING
    for key in ("video-1", "audio", "video-0"):
        assert (await hall.find_unit(job_id, "publish")).state is UnitState.WAITING
        await hall.finish(job_id, key)
    job = await hall.find_job(job_id)
    claimed = await hall.claim(job_id, "publish")
    assert claimed.inputs == {key: {"key": key} for key in ("video-0", "video-1", "audio")}
    assert claimed.plan_hash == job.plan_hash
    report = UnitCompleted(
        fence=claimed.fence, result=make_asset(job.asset_id).model_dump(mode="json")
    )
    outcomes = await asyncio.gather(
        *(hall.jobs.complete(claimed.unit_id, report) for _ in range(10)), return_exceptions=True
    )
    assert outcomes == [None] * 10  # A repeated report is one completion.
    assert await count(hall, Asset) == 1
    lecture = await find_lecture(hall, lecture_id)
    assert (lecture.state, lecture.asset_id) == (LectureState.READY, job.asset_id)
    assert (await hall.find_job(job_id)).state is JobState.DONE
    assert await count(hall, RenditionRow, RenditionRow.state == JobState.DONE) == 2
    assert await count(hall, OutboxMessage) == 0


async def test_predecessors_that_finish_together_queue_their_successor_once(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    await hall.plan(job_id)
    claimed = [await hall.claim(job_id, key) for key in ("video-0", "video-1", "audio")]
    await asyncio.gather(
        *(hall.jobs.complete(c.unit_id, UnitCompleted(fence=c.fence, result={})) for c in claimed)
    )
    publish = await hall.find_unit(job_id, "publish")
    assert publish.state is UnitState.QUEUED
    assert await count(hall, OutboxMessage, OutboxMessage.unit_id == publish.id) == 1


async def test_a_worker_whose_lease_ran_out_is_refused_everywhere(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    old = await hall.claim(job_id, "plan", worker="old")
    hall.clock.advance(LEASE_S + 1)
    assert await Sweeper(hall.database, hall.clock, FullBroker()).sweep_once() == 1
    new = await hall.claim(job_id, "plan", worker="new")
    assert (new.fence, new.attempt) == (2, 2)
    for call in (
        hall.jobs.heartbeat(old.unit_id, UnitHeartbeat(fence=old.fence, progress=0.5)),
        hall.jobs.complete(old.unit_id, UnitCompleted(fence=old.fence, result={})),
        hall.jobs.fail(old.unit_id, UnitFailed(fence=old.fence, reason="late", is_permanent=True)),
    ):
        with pytest.raises(ConflictError):
            await call
    result = make_plan().model_dump(mode="json")
    await hall.jobs.complete(new.unit_id, UnitCompleted(fence=new.fence, result=result))
    with pytest.raises(ConflictError):
        await hall.jobs.complete(old.unit_id, UnitCompleted(fence=old.fence, result=result))
    assert await count(hall, Unit, Unit.job_id == job_id) == 5


async def test_heartbeats_keep_a_lease_and_show_progress(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    claimed = await hall.claim(job_id, "plan")
    for _ in range(5):
        hall.clock.advance(LEASE_S - 1)
        beat = UnitHeartbeat(fence=claimed.fence, progress=0.25, speed=3.5)
        await hall.jobs.heartbeat(claimed.unit_id, beat)
        assert await Sweeper(hall.database, hall.clock, FullBroker()).sweep_once() == 0
    unit = await hall.find_unit(job_id, "plan")
    assert (unit.state, unit.progress, unit.speed) == (UnitState.RUNNING, 0.25, 3.5)


async def test_leases_do_not_run_while_vod_is_down(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    claimed = await hall.claim(job_id, "plan")
    hall.clock.advance(3600)
    sweeper = Sweeper(hall.database, hall.clock, FullBroker())
    assert await sweeper.grant_grace() == 1
    assert await sweeper.sweep_once() == 0
    await hall.jobs.heartbeat(claimed.unit_id, UnitHeartbeat(fence=claimed.fence, progress=0.9))
    hall.clock.advance(LEASE_S + 1)
    assert await sweeper.sweep_once() == 1


async def test_a_passing_failure_is_tried_again_later_and_not_for_ever(hall: Hall) -> None:
    lecture_id, job_id = await hall.start_job()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        claimed = await hall.claim(job_id, "plan")
        assert claimed.attempt == attempt
        report = UnitFailed(fence=claimed.fence, reason="the disk was full", is_permanent=False)
        await hall.jobs.fail(claimed.unit_id, report)
        if attempt < MAX_ATTEMPTS:
            with pytest.raises(ConflictError):  # Too early.
                await hall.claim(job_id, "plan")
            hall.clock.advance(5 * 3 ** (attempt - 1))
    job = await hall.find_job(job_id)
    assert (job.state, job.reason) == (JobState.FAILED, "the disk was full")
    lecture = await find_lecture(hall, lecture_id)
    assert lecture.state is LectureState.PLAYABLE  # It still plays from the recording.


async def test_bad_input_fails_at_once_and_a_person_can_try_again(hall: Hall) -> None:
    lecture_id, job_id = await hall.start_job()
    await hall.plan(job_id)
    other = await hall.claim(job_id, "video-1")
    claimed = await hall.claim(job_id, "video-0")
    report = UnitFailed(
        fence=claimed.fence, reason="the picture is broken", is_permanent=True, log_tail="moov"
    )
    await hall.jobs.fail(claimed.unit_id, report)
    unit = await hall.find_unit(job_id, "video-0")
    assert (unit.state, unit.log_tail) == (UnitState.FAILED, "moov")
    assert await count(hall, RenditionRow, RenditionRow.reason == "the picture is broken") == 1
    assert (await hall.find_job(job_id)).state is JobState.FAILED
    # The others stop: nothing would come of their work.
    with pytest.raises(ConflictError):
        await hall.jobs.heartbeat(other.unit_id, UnitHeartbeat(fence=other.fence, progress=0.5))
    with pytest.raises(ConflictError):
        await hall.claim(job_id, "audio")
    assert await count(hall, Unit, Unit.state == UnitState.WAITING) == 3
    assert await count(hall, OutboxMessage) == 0
    await hall.jobs.retry(unit.id)
    with pytest.raises(ConflictError):
        await hall.jobs.retry(unit.id)
    assert (await hall.find_job(job_id)).state is JobState.RUNNING
    assert (await hall.find_job(job_id)).reason is None
    # What the plan said of the rung is told again.
    assert await count(hall, RenditionRow, RenditionRow.reason == "as recorded") == 1
    assert await count(hall, OutboxMessage) == 3
    for key in ("video-0", "video-1", "audio"):
        await hall.finish(job_id, key)
    asset = make_asset((await hall.find_job(job_id)).asset_id)
    await hall.finish(job_id, "publish", asset.model_dump(mode="json"))
    assert (await find_lecture(hall, lecture_id)).state is LectureState.READY


async def test_a_lost_worker_costs_an_attempt_and_five_lost_workers_the_unit(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    sweeper = Sweeper(hall.database, hall.clock, FullBroker())
    for _ in range(MAX_ATTEMPTS):
        await hall.claim(job_id, "plan", worker="oom")
        hall.clock.advance(LEASE_S + 1)
        assert await sweeper.sweep_once() == 1
    job = await hall.find_job(job_id)
    assert job.state is JobState.FAILED
    assert "失去联系" in str(job.reason)


async def test_a_newer_recording_cancels_the_older_job(hall: Hall) -> None:
    live_class = await hall.add_class()
    lecture_id = await hall.end(live_class)
    first = await hall.store(lecture_id)
    running = await hall.claim(first, "plan")
    await hall.end(live_class, version=2)
    second = await hall.store(lecture_id, version=2)
    assert second != first
    assert (await hall.find_job(first)).state is JobState.CANCELLED
    with pytest.raises(ConflictError):
        await hall.jobs.heartbeat(running.unit_id, UnitHeartbeat(fence=running.fence, progress=1))
    assert await hall.store(lecture_id, version=1) == second  # A late repetition changes nothing.
    await hall.publish(second)
    assert (await find_lecture(hall, lecture_id)).state is LectureState.READY


async def test_a_reopened_class_plays_its_longer_recording_at_once(hall: Hall) -> None:
    live_class = await hall.add_class()
    lecture_id = await hall.end(live_class)
    job_id = await hall.store(lecture_id)
    await hall.publish(job_id)
    await hall.end(live_class, version=2)
    lecture = await find_lecture(hall, lecture_id)
    assert (lecture.state, lecture.asset_id) == (LectureState.PLAYABLE, None)


async def test_an_editor_can_have_it_made_again(hall: Hall) -> None:
    lecture_id, first = await hall.start_job()
    await hall.publish(first)
    before = (await find_lecture(hall, lecture_id)).asset_id
    second = await hall.jobs.transcode_again(lecture_id)
    third = await hall.jobs.transcode_again(lecture_id)
    assert (await hall.find_job(first)).state is JobState.DONE
    assert (await hall.find_job(second)).state is JobState.CANCELLED
    assert (await find_lecture(hall, lecture_id)).asset_id == before  # Until the new one is there.
    await hall.publish(third)
    lecture = await find_lecture(hall, lecture_id)
    assert lecture.asset_id == (await hall.find_job(third)).asset_id
    assert lecture.asset_id != before


async def test_a_recording_that_is_not_stored_is_not_transcoded(hall: Hall) -> None:
    lecture_id = await hall.end(await hall.add_class())
    with pytest.raises(ConflictError):
        await hall.jobs.transcode_again(lecture_id)
    with pytest.raises(NotFoundError):
        await hall.jobs.transcode_again(new_id())


async def test_a_broken_plan_changes_nothing(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    claimed = await hall.claim(job_id, "plan")
    plan = make_plan().model_dump(mode="json")
    plan["units"] = plan["units"][:2] * 2
    for result in (plan, {"nonsense": 1}):
        with pytest.raises(InputError):
            await hall.jobs.complete(
                claimed.unit_id, UnitCompleted(fence=claimed.fence, result=result)
            )
    assert await count(hall, Unit) == 1
    assert (await hall.find_unit(job_id, "plan")).state is UnitState.RUNNING


async def test_an_asset_elsewhere_is_not_published(hall: Hall) -> None:
    lecture_id, job_id = await hall.start_job()
    await hall.plan(job_id)
    for key in ("video-0", "video-1", "audio"):
        await hall.finish(job_id, key)
    with pytest.raises(InputError, match="belongs under"):
        await hall.finish(job_id, "publish", make_asset(new_id()).model_dump(mode="json"))
    assert (await find_lecture(hall, lecture_id)).asset_id is None
    assert await count(hall, Asset) == 0


async def test_an_unknown_unit_is_not_found(hall: Hall) -> None:
    with pytest.raises(NotFoundError):
        await hall.jobs.claim(new_id(), worker="w")


def make_plan_with_addition() -> PlanReport:
    """The standard plan, and afterwards one range of AV1 and its publication."""
    plan = make_plan()
    later = [
        ("av1-0", "encode_video", ("publish",)),
        ("publish-av1", "publish_asset", ("publish", "av1-0")),
    ]
    added = [
        UnitPlan.model_validate(
            {"key": key, "kind": kind, "queue": "long", "spec": {}, "after": after}
        )
        for key, kind, after in later
    ]
    return plan.model_copy(update={"units": (*plan.units, *added)})


async def test_what_fails_after_the_set_is_published_is_a_note_and_can_be_retried(
    hall: Hall,
) -> None:
    lecture_id, job_id = await hall.start_job()
    await hall.plan(job_id, make_plan_with_addition())
    for key in ("video-0", "video-1", "audio"):
        await hall.finish(job_id, key)
    asset = make_asset((await hall.find_job(job_id)).asset_id).model_dump(mode="json")
    await hall.finish(job_id, "publish", asset)
    assert (await hall.find_job(job_id)).state is JobState.RUNNING
    claimed = await hall.claim(job_id, "av1-0")
    failure = UnitFailed(fence=claimed.fence, reason="没有编码器", is_permanent=True)
    await hall.jobs.fail(claimed.unit_id, failure)
    job = await hall.find_job(job_id)
    assert job.state is JobState.DONE
    assert job.reason is not None
    assert "可以正常观看" in job.reason
    assert "没有编码器" in job.reason
    assert (await find_lecture(hall, lecture_id)).state is LectureState.READY
    assert await count(hall, Unit, Unit.state == UnitState.FAILED) == 1, "the desk still shows it"
    assert await judge_audio(hall, job_id) == {}, "a retry may need what is staged"
    await hall.jobs.retry_job(job_id)
    job = await hall.find_job(job_id)
    assert (job.state, job.reason) == (JobState.RUNNING, None)
    await hall.finish(job_id, "av1-0")
    await hall.finish(job_id, "publish-av1", asset)
    job = await hall.find_job(job_id)
    assert (job.state, job.reason) == (JobState.DONE, None)
    assert list((await judge_audio(hall, job_id)).values()) == ["转码任务已经结束"]
    with pytest.raises(ConflictError):
        await hall.jobs.retry_job(job_id)


async def judge_audio(hall: Hall, job_id: str) -> dict[str, str]:
    """Two days later: may what the unit has staged be deleted?"""
    unit = await hall.find_unit(job_id, "audio")
    moment = Moment(hall.clock.now() + timedelta(days=2), timedelta(days=7))
    async with hall.database.read() as session:
        return await judge_staging(session, [f"staging/{unit.id}-{unit.fence}/"], moment)


@pytest.mark.parametrize("hall", ["postgresql"], indirect=True)  # SQLite has one writer at a time.
async def test_a_failure_waits_for_the_lecture_before_it_holds_the_job(hall: Hall) -> None:
    """The one order of locks: else a unit that completes meanwhile would meet a deadlock."""
    lecture_id, job_id = await hall.start_job()
    claimed = await hall.claim(job_id, "plan")
    async with hall.database.write() as session:
        await session.execute(
            update(Lecture).where(Lecture.id == lecture_id).values(state=LectureState.PROCESSING)
        )
    failure = UnitFailed(fence=claimed.fence, reason="broken", is_permanent=True)
    async with hall.database.write() as session:
        await queries.lock_lecture_of_job(session, job_id)  # As whoever completes a unit does.
        task = asyncio.create_task(hall.jobs.fail(claimed.unit_id, failure))
        await eventually(lambda: _is_somebody_waiting(hall))
        job = await session.scalar(
            select(Job.id).where(Job.id == job_id).with_for_update(nowait=True)
        )
        assert job == job_id
    await task
    assert (await find_lecture(hall, lecture_id)).state is LectureState.FAILED


async def _is_somebody_waiting(hall: Hall) -> bool:
    async with hall.database.read() as session:
        count = await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return bool(count)
