"""A unit comes back unfinished: it failed, its worker fell silent, or its worker stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError
from kernel.messages import FailureCause
from vod.jobs import queries
from vod.jobs.attempts import close_attempts
from vod.jobs.models import Job, Unit
from vod.jobs.plan import PLAN_KEY
from vod.jobs.policy import AttemptOutcome, JobState, UnitEvent, UnitState


@dataclass(frozen=True, slots=True)
class Setback:
    """Why a unit comes back, and what follows from it.

    Attributes:
        outcome: Of the attempt: failed or lost.
        delay_s: Before it may be tried again, unless it ``is_permanent``.
        is_silent: Only if its lease is over by now, for a heartbeat may just have extended it.
    """

    outcome: AttemptOutcome
    reason: str
    cause: FailureCause
    is_permanent: bool
    delay_s: int = 0
    log_tail: str = ""
    commands: tuple[str, ...] = ()
    is_silent: bool = False


async def give_back(
    session: AsyncSession, job: Job, unit: Unit, setback: Setback, *, now: datetime
) -> bool:
    """Queue ``unit`` again after the delay, or fail it; tell whether it was still as loaded.

    One that fails takes the rest of its job from the workers, for it would be made for nothing.
    The caller holds the job's lock and refreshes the job afterwards.
    """
    is_permanent = setback.is_permanent
    due_at = now + timedelta(seconds=setback.delay_s)
    moved = await queries.change_unit(
        session,
        unit.id,
        UnitEvent.GAVE_UP if is_permanent else UnitEvent.POSTPONED,
        Unit.fence == unit.fence,
        *([Unit.lease_until <= now] if setback.is_silent else []),
        state=UnitState.FAILED if is_permanent else UnitState.QUEUED,
        due_at=None if is_permanent else due_at,
        sent_at=None,
        sends_count=0,
        lease_until=None,
        progress=0.0,
        speed=None,
        reason=setback.reason,
        log_tail=setback.log_tail,
        commands=list(setback.commands),
        finished_at=now if is_permanent else None,
    )
    if not moved:
        return False
    await close_attempts(
        session, [unit.id], setback.outcome, now=now, cause=setback.cause, reason=setback.reason
    )
    if is_permanent:
        await queries.set_renditions(
            session,
            job.id,
            JobState.FAILED,
            only_from=(JobState.QUEUED, JobState.RUNNING),
            names=unit.renditions,
            reason=setback.reason,
        )
        await queries.hold_units(session, job.id, now=now)
    else:
        session.add(queries.build_message(unit.id, queue=unit.queue, due_at=due_at, now=now))
    return True


async def release_unit(session: AsyncSession, unit: Unit, *, reason: str, now: datetime) -> None:
    """Queue a running ``unit`` at once, as if it had not been tried.

    Raises:
        ConflictError: It moved meanwhile.
    """
    moved = await queries.change_unit(
        session,
        unit.id,
        UnitEvent.RELEASED,
        Unit.fence == unit.fence,
        state=UnitState.QUEUED,
        attempt=max(0, unit.attempt - 1),
        due_at=now,
        sent_at=None,
        sends_count=0,
        lease_until=None,
        progress=0.0,
        speed=None,
    )
    if not moved:
        raise ConflictError(f"unit {unit.id} is no longer yours under fence {unit.fence}")
    await close_attempts(session, [unit.id], AttemptOutcome.RELEASED, now=now, reason=reason)
    session.add(queries.build_message(unit.id, queue=unit.queue, due_at=now, now=now))


async def _load_planned_reasons(session: AsyncSession, job_id: str) -> dict[str, str]:
    """What the plan said of each rendition: why it is as it is."""
    query = select(Unit.result).where(Unit.job_id == job_id, Unit.key == PLAN_KEY)
    result: dict[str, Any] | None = await session.scalar(query)
    if result is None:
        return {}
    return {item["name"]: item["reason"] for item in result.get("renditions", ())}


async def retry_units(
    session: AsyncSession, job: Job, units: Sequence[Unit], *, now: datetime
) -> None:
    """Queue failed ``units`` of a job again, with all their attempts; the job goes on.

    The caller holds the job's lock.

    Raises:
        ConflictError: 409; nothing of it failed, or what it had made was removed meanwhile.
    """
    if job.files_deleted_at is not None:
        raise ConflictError(
            "what the job had made was removed meanwhile; start it again",
            title_zh="这个任务已被清理,请重新转码",
        )
    # Of a job that is done, what was to be added to its set may have failed.
    if job.state not in {JobState.FAILED, JobState.DONE} or not units:
        raise ConflictError(
            "only a failed unit of the current job can be tried again",
            title_zh="只有失败的任务才能重试",
        )
    planned = await _load_planned_reasons(session, job.id)
    for unit in units:
        won = await queries.change_unit(
            session,
            unit.id,
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
        session.add(queries.build_message(unit.id, queue=unit.queue, due_at=now, now=now))
        for name in unit.renditions:
            await queries.set_renditions(
                session,
                job.id,
                JobState.RUNNING,
                only_from=(JobState.FAILED,),
                names=(name,),
                reason=planned.get(name, ""),
            )
    await queries.queue_ready_units(session, job.id, now=now)
    await queries.refresh_job(session, job, reason=None, now=now)
