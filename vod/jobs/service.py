"""What workers and editors may do with units. Each method is one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import delete, select, update

from kernel.clock import Clock
from kernel.errors import ConflictError, InputError
from kernel.messages import (
    LEASE_S,
    AssetReport,
    ClaimedUnit,
    PlanReport,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
)
from vod.assets.publish import publish_asset
from vod.db.engine import Database
from vod.jobs import queries
from vod.jobs.giveback import give_back
from vod.jobs.models import Job, OutboxMessage, Unit
from vod.jobs.planning import PLANNING, insert_plan, start_again
from vod.jobs.policy import (
    JobState,
    UnitEvent,
    UnitState,
    compute_backoff_s,
    is_retry_allowed,
)

LEASE: Final = timedelta(seconds=LEASE_S)
# The vod that sent the message may be ahead of the one that is asked; refusing would cost a minute.
CLOCK_SKEW: Final = timedelta(seconds=2)
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

    async def claim(self, unit_id: str, *, worker: str) -> ClaimedUnit:
        """Hand a queued unit to ``worker`` under a new fence and a lease of ``LEASE_S``."""
        now = self._clock.now()
        async with self._database.write() as session:
            job = await queries.lock_job_of_unit(session, unit_id)
            won = await queries.change_unit(
                session,
                unit_id,
                UnitEvent.CLAIMED,
                Unit.due_at <= now + CLOCK_SKEW,
                state=UnitState.RUNNING,
                fence=Unit.fence + 1,
                attempt=Unit.attempt + 1,
                lease_until=now + LEASE,
                started_at=now,
                worker=worker,
                progress=0.0,
                speed=None,
            )
            if not won:
                raise ConflictError(f"unit {unit_id} is done, cancelled or held by another")
            await queries.change(
                session, delete(OutboxMessage).where(OutboxMessage.unit_id == unit_id)
            )
            unit = await queries.load_unit(session, unit_id)
            await queries.set_renditions(
                session,
                job.id,
                JobState.RUNNING,
                only_from=(JobState.QUEUED,),
                names=unit.renditions,
            )
            await queries.refresh_job(session, job, reason=None, now=now)
            inputs: dict[str, dict[str, Any]] = {}
            if unit.after:
                rows = await session.execute(
                    select(Unit.key, Unit.result).where(
                        Unit.job_id == job.id, Unit.key.in_(unit.after)
                    )
                )
                inputs = {key: result or {} for key, result in rows.all()}
            return _build_claimed(unit, job, inputs)

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
                .values(lease_until=now + LEASE, progress=beat.progress, speed=beat.speed)
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
                progress=1.0,
                reason=None,
                lease_until=None,
                finished_at=now,
            )
            if not won:
                raise _old_fence(unit_id, report.fence)
            if unit.kind in PLANNING:
                plan = _read_result(PlanReport, report.result)
                await insert_plan(session, job, plan, now=now)
            elif unit.kind == "publish_asset":
                asset = _read_result(AssetReport, report.result)
                await publish_asset(session, job, asset, now=now)
            await queries.queue_ready_units(session, job.id, now=now)
            await queries.refresh_job(session, job, reason=None, now=now)

    async def fail(self, unit_id: str, report: UnitFailed) -> None:
        """Postpone the unit when trying again may help, else fail it and its job."""
        now = self._clock.now()
        async with self._database.write() as session:
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            if unit.state is not UnitState.RUNNING or unit.fence != report.fence:
                raise _old_fence(unit_id, report.fence)
            moved = await give_back(
                session,
                job,
                unit,
                reason=report.reason,
                log_tail=report.log_tail,
                is_permanent=report.is_permanent or not is_retry_allowed(unit.attempt),
                delay_s=compute_backoff_s(unit.attempt),
                now=now,
            )
            if not moved:
                raise _old_fence(unit_id, report.fence)
            await queries.refresh_job(session, job, reason=report.reason, now=now)

    async def retry(self, unit_id: str) -> None:
        """Queue a failed unit again, with all its attempts; its job goes on where it stopped."""
        now = self._clock.now()
        async with self._database.write() as session:
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            if job.files_deleted_at is not None:
                raise ConflictError(
                    "what the job had made was removed meanwhile; start it again",
                    title_zh="这个任务已被清理,请重新转码",
                )
            won = job.state is JobState.FAILED and await queries.change_unit(
                session,
                unit_id,
                UnitEvent.RETRIED,
                state=UnitState.QUEUED,
                attempt=0,
                progress=0.0,
                reason=None,
                due_at=now,
                sent_at=None,
                sends_count=0,
                finished_at=None,
            )
            if not won:
                raise ConflictError("only a failed unit of the current job can be tried again")
            session.add(queries.build_message(unit_id, queue=unit.queue, due_at=now, now=now))
            await queries.set_renditions(
                session,
                job.id,
                JobState.RUNNING,
                only_from=(JobState.FAILED,),
                names=unit.renditions,
                reason="",
            )
            await queries.queue_ready_units(session, job.id, now=now)
            await queries.refresh_job(session, job, reason=None, now=now)

    async def transcode_again(self, lecture_id: str) -> str:
        """Start a new job over the newest recording; return its id."""
        async with self._database.write() as session:
            job = await start_again(session, lecture_id=lecture_id, now=self._clock.now())
            return job.id

    async def cancel(self, job_id: str, *, reason: str) -> None:
        """Cancel what is not finished; running workers hear of it at their next heartbeat."""
        now = self._clock.now()
        async with self._database.write() as session:
            job = await session.scalar(select(Job).where(Job.id == job_id).with_for_update())
            if job is None or job.state is JobState.DONE:
                raise ConflictError("the job is done or unknown")
            await queries.cancel_units(session, job_id, reason=reason, now=now)


def _build_claimed(unit: Unit, job: Job, inputs: dict[str, dict[str, Any]]) -> ClaimedUnit:
    return ClaimedUnit.model_validate(
        {
            "unit_id": unit.id,
            "job_id": job.id,
            "key": unit.key,
            "kind": unit.kind,
            "fence": unit.fence,
            "attempt": unit.attempt,
            "lease_s": LEASE_S,
            "lecture_id": job.lecture_id,
            "asset_id": job.asset_id,
            "plan_hash": job.plan_hash,
            "spec": unit.spec,
            "inputs": inputs,
        }
    )


def _read_result(model: type[Report], result: dict[str, Any]) -> Report:
    try:
        return model.model_validate(result)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["result", *(str(part) for part in first["loc"])])
        raise InputError(f"{field}: {first['msg']}", field=field, status=422) from error


def _old_fence(unit_id: str, fence: int) -> ConflictError:
    return ConflictError(f"unit {unit_id} is no longer yours under fence {fence}")
