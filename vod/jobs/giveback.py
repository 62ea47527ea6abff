"""A unit comes back unfinished: from a worker that failed, or from one that fell silent."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from vod.jobs import queries
from vod.jobs.models import Job, Unit
from vod.jobs.policy import JobState, UnitEvent, UnitState


async def give_back(
    session: AsyncSession,
    job: Job,
    unit: Unit,
    *,
    reason: str,
    is_permanent: bool,
    delay_s: int,
    now: datetime,
    log_tail: str = "",
    is_silent: bool = False,
) -> bool:
    """Queue ``unit`` again after ``delay_s``, or fail it; tell whether it was still as loaded.

    One that fails takes the rest of its job from the workers, for it would be made for nothing.

    ``is_silent``: only if its lease is over by now, for a heartbeat may just have extended it.
    The caller holds the job's lock and refreshes the job afterwards.
    """
    event = UnitEvent.GAVE_UP if is_permanent else UnitEvent.POSTPONED
    due_at = now + timedelta(seconds=delay_s)
    moved = await queries.change_unit(
        session,
        unit.id,
        event,
        Unit.fence == unit.fence,
        *([Unit.lease_until <= now] if is_silent else []),
        state=UnitState.FAILED if is_permanent else UnitState.QUEUED,
        due_at=None if is_permanent else due_at,
        sent_at=None,
        sends_count=0,
        lease_until=None,
        progress=0.0,
        speed=None,
        reason=reason,
        log_tail=log_tail,
        finished_at=now if is_permanent else None,
    )
    if not moved:
        return False
    if is_permanent:
        await queries.set_renditions(
            session,
            job.id,
            JobState.FAILED,
            only_from=(JobState.QUEUED, JobState.RUNNING),
            names=unit.renditions,
            reason=reason,
        )
        await queries.hold_units(session, job.id)
    else:
        session.add(queries.build_message(unit.id, queue=unit.queue, due_at=due_at, now=now))
    return True
