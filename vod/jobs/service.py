"""What workers and editors may do with units. Each method is one transaction."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import select, update

from kernel.clock import Clock
from kernel.errors import CapacityError, ConflictError, InputError
from kernel.messages import (
    AssetReport,
    ClaimedUnit,
    ClaimUnit,
    ClipReport,
    PlanReport,
    TranscriptReport,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
    UnitReleased,
)
from vod.assets.publish import publish_asset
from vod.clips.service import keep_result
from vod.db.engine import Database
from vod.jobs import claims, queries
from vod.jobs.attempts import close_attempts, count_failures
from vod.jobs.claims import LEASE
from vod.jobs.fairness import Priority
from vod.jobs.giveback import Setback, give_back, release_unit, retry_units
from vod.jobs.models import Unit
from vod.jobs.planning import MAKE_CLIP, PLANNING, insert_plan, start_again
from vod.jobs.policy import (
    AttemptOutcome,
    JobState,
    UnitEvent,
    UnitState,
    compute_backoff_s,
    is_retry_allowed,
)
from vod.material.imports import import_plan, import_transcript
from vod.uploads.outcome import PLAN_UPLOAD, note_accepted, note_refused

MAX_CHOICES: Final = 5  # Each is lost only to somebody who cancels in that very moment.
Report = TypeVar("Report", bound=BaseModel)


class JobService:
    """Claims, reports and the buttons of the desk, over one database.

    Raises (all methods):
        NotFoundError: No such unit, job or lecture.
        ConflictError: 409; the unit is not in a state for it, or the fence is old.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, unit_id: str, *, worker: str, claim_id: str | None = None) -> ClaimedUnit:
        """Hand out a unit of the same queue as ``unit_id``, under a new fence and lease.

        The message that named the unit is only a permission: what runs is whatever is fairest.
        """
        now = self._clock.now()
        wanted = ClaimUnit(worker=worker, claim_id=claim_id)
        for _ in range(MAX_CHOICES):
            async with self._database.write() as session:
                queue = await claims.find_queue(session, unit_id)
                await claims.take_turn(session, queue)
                if (again := await claims.find_repeated(session, wanted)) is not None:
                    job = await queries.lock_job_of_unit(session, again)
                    unit = await queries.load_unit(session, again)
                    return await claims.build_claimed(session, unit, job)
                chosen = await claims.choose(session, queue, message_unit_id=unit_id, now=now)
                claimed = await claims.hand_out(
                    session, chosen, wanted, message_unit_id=unit_id, now=now
                )
            if claimed is not None:
                return claimed
        raise CapacityError("units change too fast, ask again")

    async def heartbeat(self, unit_id: str, beat: UnitHeartbeat) -> None:
        """Extend the lease and note the progress."""
        now = self._clock.now()
        async with self._database.write() as session:
            statement = (
                update(Unit)
                .where(
                    Unit.id == unit_id,
                    Unit.state == UnitState.RUNNING,
                    Unit.fence == beat.fence,
                )
                .values(
                    lease_until=now + LEASE,
                    progress=beat.progress,
                    speed=beat.speed,
                    **({} if beat.log_tail is None else {"log_tail": beat.log_tail}),
                )
            )
            if await queries.change(session, statement) != 1:
                raise _old_fence(unit_id, beat.fence)

    async def complete(self, unit_id: str, report: UnitCompleted) -> None:
        """Store the result, queue the successors, and publish when it is the last unit.

        The same report twice is one completion, so a worker whose answer got lost may repeat it.

        Raises:
            InputError: 422; the result of planning or publishing does not hold.
        """
        now = self._clock.now()
        async with self._database.write() as session:
            await queries.lock_lecture_of_unit(session, unit_id)  # Publishing writes it.
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            if unit.state is UnitState.DONE and unit.fence == report.fence:
                return
            won = await queries.change_unit(
                session,
                unit_id,
                UnitEvent.COMPLETED,
                Unit.fence == report.fence,
                state=UnitState.DONE,
                result=report.result,
                log_tail=report.log_tail,
                commands=list(report.commands),
                progress=1.0,
                reason=None,
                lease_until=None,
                finished_at=now,
            )
            if not won:
                raise _old_fence(unit_id, report.fence)
            await close_attempts(session, [unit_id], AttemptOutcome.DONE, now=now)
            if unit.kind in PLANNING:
                plan = _read_result(PlanReport, report.result)
                await insert_plan(session, job, plan, now=now)
                await import_plan(session, job, plan, now=now)
                await note_accepted(session, job)
            elif unit.kind == "transcribe":
                transcript = _read_result(TranscriptReport, report.result)
                await import_transcript(session, job, transcript, now=now)
            elif unit.kind == MAKE_CLIP:
                await keep_result(session, job, unit, _read_result(ClipReport, report.result))
            elif unit.kind == "publish_asset":
                asset = _read_result(AssetReport, report.result)
                await publish_asset(session, job, asset, now=now)
            await queries.queue_ready_units(session, job.id, now=now)
            await queries.refresh_job(session, job, reason=None, now=now)

    async def fail(self, unit_id: str, report: UnitFailed) -> None:
        """Postpone the unit when trying again may help, else fail it and its job."""
        now = self._clock.now()
        async with self._database.write() as session:
            await queries.lock_lecture_of_unit(session, unit_id)  # It may fail with its job.
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            if unit.state is not UnitState.RUNNING or unit.fence != report.fence:
                raise _old_fence(unit_id, report.fence)
            same_count = 1 + await count_failures(session, unit, report.cause)
            may_retry = is_retry_allowed(
                unit.attempt, cause=report.cause, same_cause_count=same_count
            )
            moved = await give_back(
                session,
                job,
                unit,
                Setback(
                    AttemptOutcome.FAILED,
                    reason=report.reason,
                    cause=report.cause,
                    log_tail=report.log_tail,
                    commands=report.commands,
                    is_permanent=report.is_permanent or not may_retry,
                    delay_s=compute_backoff_s(unit.attempt),
                ),
                now=now,
            )
            if not moved:
                raise _old_fence(unit_id, report.fence)
            if unit.kind == PLAN_UPLOAD and report.is_permanent and report.cause == "media":
                await note_refused(session, job, reason=report.reason)
            await queries.refresh_job(session, job, reason=report.reason, now=now)

    async def release(self, unit_id: str, report: UnitReleased) -> None:
        """Queue a unit at once that its worker cannot finish; the attempt does not count."""
        now = self._clock.now()
        async with self._database.write() as session:
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            if unit.state is not UnitState.RUNNING or unit.fence != report.fence:
                raise _old_fence(unit_id, report.fence)
            await release_unit(
                session, unit, reason=report.reason or f"转码节点 {unit.worker} 正在停止", now=now
            )
            await queries.refresh_job(session, job, reason=None, now=now)

    async def retry(self, unit_id: str) -> None:
        """Queue a failed unit again, with all its attempts; its job goes on where it stopped."""
        now = self._clock.now()
        async with self._database.write() as session:
            await queries.lock_lecture_of_unit(session, unit_id)
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            await retry_units(session, job, [unit], now=now)

    async def retry_job(self, job_id: str) -> None:
        """Queue every failed unit of a job again."""
        now = self._clock.now()
        async with self._database.write() as session:
            await queries.lock_lecture_of_job(session, job_id)
            job = await queries.lock_job(session, job_id)
            failed = await session.scalars(
                select(Unit)
                .where(Unit.job_id == job_id, Unit.state == UnitState.FAILED)
                .order_by(Unit.id)
            )
            await retry_units(session, job, failed.all(), now=now)

    async def set_priority(self, job_id: str, priority: Priority) -> None:
        """Change how a job is weighed against others; what runs goes on."""
        async with self._database.write() as session:
            job = await queries.lock_job(session, job_id)
            if job.state in {JobState.DONE, JobState.CANCELLED}:
                raise ConflictError("the job is over", title_zh="这个任务已经结束,不能再调整优先级")
            job.priority = priority

    async def transcode_again(self, lecture_id: str) -> str:
        """Start a new job over the newest recording; return its id."""
        async with self._database.write() as session:
            job = await start_again(session, lecture_id=lecture_id, now=self._clock.now())
            return job.id

    async def cancel(self, job_id: str, *, reason: str) -> None:
        """Cancel what is not finished; running workers hear of it at their next heartbeat.

        A lecture that has nothing to play yet then says so instead of being processed for ever.
        """
        now = self._clock.now()
        async with self._database.write() as session:
            await queries.lock_lecture_of_job(session, job_id)
            job = await queries.lock_job(session, job_id)
            if job.state is JobState.CANCELLED:
                return
            if job.state is JobState.DONE:
                raise ConflictError("the job is done", title_zh="这个任务已经完成,不能取消")
            await queries.cancel_units(session, job_id, reason=reason, now=now)
            await queries.settle_lecture(session, job)


def _read_result(model: type[Report], result: dict[str, Any]) -> Report:
    try:
        return model.model_validate(result)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["result", *(str(part) for part in first["loc"])])
        raise InputError(f"{field}: {first['msg']}", field=field, status=422) from error


def _old_fence(unit_id: str, fence: int) -> ConflictError:
    return ConflictError(f"unit {unit_id} is no longer yours under fence {fence}")
