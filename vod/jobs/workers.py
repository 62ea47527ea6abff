"""Workers as they tell of themselves: seen lately, draining, gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.messages import WorkersSeen
from vod.jobs.models import WorkerRow
from vod.jobs.statements import change

FORGOTTEN_AFTER: Final = timedelta(minutes=10)  # Who looks still sees which one fell silent.


async def note_workers(session: AsyncSession, seen: WorkersSeen, *, now: datetime) -> None:
    """Keep what a worker process says of itself; drop who has been silent for long."""
    names = sorted(set(seen.names))
    await change(session, delete(WorkerRow).where(WorkerRow.seen_at <= now - FORGOTTEN_AFTER))
    if seen.is_gone:
        await change(session, delete(WorkerRow).where(WorkerRow.name.in_(names)))
        return
    rows = await session.scalars(
        select(WorkerRow).where(WorkerRow.name.in_(names)).order_by(WorkerRow.name)
    )
    known = {row.name: row for row in rows}
    for name in names:
        row = known.get(name)
        if row is None:
            row = WorkerRow(name=name, queues=[], is_draining=False, seen_at=now)
            session.add(row)
        row.queues, row.is_draining, row.seen_at = list(seen.queues), seen.is_draining, now


async def load_workers(session: AsyncSession) -> list[WorkerRow]:
    """Load who was seen within ``FORGOTTEN_AFTER``, by name."""
    return list(await session.scalars(select(WorkerRow).order_by(WorkerRow.name)))
