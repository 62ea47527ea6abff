"""A worker with a message asks for a unit: find who may run, choose, hand it out.

Claims of one queue take turns (an advisory lock on PostgreSQL, the only writer on SQLite), so that
a crowd of workers does not fight for the same unit. What still changes under our hands is a unit
that is cancelled or held in that moment; then we choose again.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, NotFoundError
from kernel.messages import LEASE_S, ClaimedUnit, ClaimUnit
from vod.jobs import queries
from vod.jobs.attempts import open_attempt
from vod.jobs.fairness import Contender, choose_unit
from vod.jobs.models import Job, OutboxMessage, Unit
from vod.jobs.policy import JobState, UnitEvent, UnitState
from vod.jobs.statements import change

LEASE: Final = timedelta(seconds=LEASE_S)
# The vod that sent the message may be ahead of the one that is asked; refusing would cost a minute.
CLOCK_SKEW: Final = timedelta(seconds=2)
_LOCK_CLASS: Final = 0x756E6974  # "unit": our half of PostgreSQL's advisory lock keys.


async def find_queue(session: AsyncSession, unit_id: str) -> str:
    """Find the queue that the message of a unit stands for.

    Raises:
        NotFoundError: No such unit.
    """
    queue: str | None = await session.scalar(select(Unit.queue).where(Unit.id == unit_id))
    if queue is None:
        raise NotFoundError(f"no unit {unit_id!r}")
    return queue


async def take_turn(session: AsyncSession, queue: str) -> None:
    """Wait until no other claim of the queue is open; ends with the transaction."""
    if session.get_bind().dialect.name == "postgresql":
        number = zlib.crc32(queue.encode()) - (1 << 31)  # The key is a signed 32-bit number.
        await session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, number)))


async def find_contenders(session: AsyncSession, queue: str, *, now: datetime) -> list[Contender]:
    """Load every job that could use a worker of the queue now, each with its next unit."""
    is_ready = and_(
        Unit.queue == queue, Unit.state == UnitState.QUEUED, Unit.due_at <= now + CLOCK_SKEW
    )
    ready = (
        select(
            Unit.job_id,
            func.min(Unit.position).label("position"),
            func.min(Unit.due_at).label("due_at"),
        )
        .where(is_ready)
        .group_by(Unit.job_id)
        .cte("ready")
    )
    is_open = Unit.state.not_in([UnitState.DONE, UnitState.CANCELLED])
    load = (
        select(
            Unit.job_id,
            func.sum(case((Unit.state == UnitState.RUNNING, 1), else_=0)).label("held"),
            func.sum(case((is_open, Unit.weight * (1 - Unit.progress)), else_=0.0)).label("left"),
            func.max(Unit.started_at).label("served_at"),
        )
        .where(Unit.job_id.in_(select(ready.c.job_id)))
        .group_by(Unit.job_id)
        .cte("load")
    )
    rows = await session.execute(
        select(
            Job.id, Job.priority, Unit.id.label("unit_id"), ready.c.due_at,
            load.c.held, load.c.left, load.c.served_at,
        )
        .join(ready, ready.c.job_id == Job.id)
        .join(load, load.c.job_id == Job.id)
        .join(Unit, and_(Unit.job_id == Job.id, Unit.position == ready.c.position, is_ready))
    )  # fmt: skip
    return [
        Contender(
            job_id=row.id,
            unit_id=row.unit_id,
            priority=row.priority,
            held_count=int(row.held),
            remaining_weight=float(row.left),
            idle_since=max(row.due_at, row.served_at or row.due_at),
        )
        for row in rows
    ]


async def choose(session: AsyncSession, queue: str, *, message_unit_id: str, now: datetime) -> str:
    """Choose the unit that a worker with a message of the queue gets.

    Within a job messages come in the order of its plan, so there the message's own unit goes;
    only what comes earlier in the plan but has a late message passes it: what was begun before and
    came back, and what had to wait for others, such as the first publication.

    Raises:
        ConflictError: 409; nothing of the queue may run now.
    """
    chosen = choose_unit(await find_contenders(session, queue, now=now), now=now)
    if chosen is None:
        raise ConflictError(f"nothing to do on queue {queue}")
    may_run = and_(
        Unit.job_id == chosen.job_id,
        Unit.state == UnitState.QUEUED,
        Unit.due_at <= now + CLOCK_SKEW,
    )
    rows = await session.execute(
        select(Unit.id, Unit.fence, Unit.after).where(
            Unit.id.in_([message_unit_id, chosen.unit_id]), may_run
        )
    )
    is_late = {unit_id: fence > 0 or bool(after) for unit_id, fence, after in rows.tuples()}
    if message_unit_id not in is_late or is_late.get(chosen.unit_id, False):
        return chosen.unit_id
    return message_unit_id


async def find_repeated(session: AsyncSession, wanted: ClaimUnit) -> str | None:
    """Find the unit that this very claim got before: its answer was lost on the way."""
    if wanted.claim_id is None:
        return None
    found: str | None = await session.scalar(
        select(Unit.id).where(
            Unit.state == UnitState.RUNNING,
            Unit.claim_id == wanted.claim_id,
            Unit.worker == wanted.worker,
        )
    )
    return found


async def hand_out(
    session: AsyncSession, unit_id: str, wanted: ClaimUnit, *, message_unit_id: str, now: datetime
) -> ClaimedUnit | None:
    """Give the unit to the worker; ``None`` when it was cancelled or held in this moment."""
    job = await queries.lock_job_of_unit(session, unit_id)
    won = await queries.change_unit(
        session,
        unit_id,
        UnitEvent.CLAIMED,
        Unit.due_at <= now + CLOCK_SKEW,
        state=UnitState.RUNNING,
        fence=Unit.fence + 1,
        attempt=Unit.attempt + 1,
        claim_id=wanted.claim_id,
        lease_until=now + LEASE,
        started_at=now,
        worker=wanted.worker,
        progress=0.0,
        speed=None,
    )
    if not won:
        return None
    if unit_id == message_unit_id:
        # Its message was used up. Another unit's stays: it is the permission that this one had.
        await change(session, delete(OutboxMessage).where(OutboxMessage.unit_id == unit_id))
    unit = await queries.load_unit(session, unit_id)
    open_attempt(session, unit, now=now)
    await queries.set_renditions(
        session, job.id, JobState.RUNNING, only_from=(JobState.QUEUED,), names=unit.renditions
    )
    await queries.refresh_job(session, job, reason=None, now=now)
    return await build_claimed(session, unit, job)


async def build_claimed(session: AsyncSession, unit: Unit, job: Job) -> ClaimedUnit:
    """Build the answer to a claim, with the results of the unit's predecessors."""
    inputs: dict[str, dict[str, Any]] = {}
    if unit.after:
        rows = await session.execute(
            select(Unit.key, Unit.result).where(Unit.job_id == job.id, Unit.key.in_(unit.after))
        )
        inputs = {key: result or {} for key, result in rows.all()}
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
