"""How busy it is: queues, workers, what waits for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Final, get_args

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.messages import Queue
from vod.jobs import schemas
from vod.jobs.models import Job, Unit
from vod.jobs.policy import UnitState
from vod.jobs.workers import load_workers
from vod.lectures.models import Lecture

QUEUES: Final[tuple[Queue, ...]] = get_args(Queue)


async def load_queues(session: AsyncSession, *, now: datetime) -> list[schemas.Queue]:
    """Load depth, running units and oldest wait of every queue."""
    rows = (
        await session.execute(
            select(Unit.queue, Unit.state, func.count().label("count"), func.min(Unit.due_at))
            .where(Unit.state.in_([UnitState.QUEUED, UnitState.RUNNING]))
            .group_by(Unit.queue, Unit.state)
        )
    ).tuples()
    counts: dict[tuple[str, UnitState], int] = {}
    oldest: dict[str, datetime] = {}
    for queue, state, count, due_at in rows:
        counts[queue, state] = count
        if state is UnitState.QUEUED and due_at is not None:
            oldest[queue] = due_at
    return [
        schemas.Queue(
            name=name,
            queued=counts.get((name, UnitState.QUEUED), 0),
            running=counts.get((name, UnitState.RUNNING), 0),
            oldest_wait_s=max(0.0, (now - oldest[name]).total_seconds())
            if name in oldest
            else None,
        )
        for name in QUEUES
    ]


async def load_summary(session: AsyncSession, *, now: datetime) -> schemas.Summary:
    """Load queues, workers with what they run, and how many units failed for good."""
    rows = await session.execute(
        select(Unit.worker, Unit.id, Unit.key, Job.lecture_id, Unit.queue, Unit.started_at)
        .join(Job, Job.id == Unit.job_id)
        .where(Unit.state == UnitState.RUNNING)
    )
    running = {row.worker: row for row in rows}
    workers = [
        schemas.Worker(
            name=row.name,
            queues=row.queues,
            seen_at=row.seen_at,
            unit=_render_unit(running.pop(row.name, None)),
            is_draining=row.is_draining,
        )
        for row in await load_workers(session)
    ]
    workers += [  # It runs something and yet has not told of itself: a lost or very new one.
        schemas.Worker(
            name=name, queues=[row.queue], seen_at=row.started_at, unit=_render_unit(row),
            is_draining=False,
        )
        for name, row in sorted(running.items())
    ]  # fmt: skip
    failed = await session.scalar(
        select(func.count())
        .select_from(Unit)
        .join(Job, Job.id == Unit.job_id)
        .join(Lecture, Lecture.id == Job.lecture_id)
        .where(Unit.state == UnitState.FAILED, Lecture.deleted_at.is_(None))
    )
    return schemas.Summary(
        queues=await load_queues(session, now=now), workers=workers, failed_units=failed or 0
    )


def _render_unit(row: object) -> schemas.UnitAtWork | None:
    return None if row is None else schemas.UnitAtWork.model_validate(row, from_attributes=True)
