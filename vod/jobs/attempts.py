"""The history of a unit: one row per claim, closed with what became of it. They never commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.messages import FailureCause
from vod.jobs.models import Unit, UnitAttempt
from vod.jobs.policy import AttemptOutcome
from vod.jobs.statements import change

SHOWN_COUNT: Final = 50  # Newest attempts of one unit that the desk shows.
RECENT: Final = timedelta(days=1)


def open_attempt(session: AsyncSession, unit: Unit, *, now: datetime) -> None:
    """Note that ``unit`` was claimed just now."""
    session.add(
        UnitAttempt(
            unit_id=unit.id,
            number=unit.attempt,
            fence=unit.fence,
            worker=unit.worker or "",
            started_at=now,
        )
    )


async def close_attempts(
    session: AsyncSession,
    unit_ids: Sequence[str],
    outcome: AttemptOutcome,
    *,
    now: datetime,
    cause: FailureCause | None = None,
    reason: str | None = None,
) -> None:
    """Note how the open attempts of these units (at most one each) ended."""
    await change(
        session,
        update(UnitAttempt)
        .where(UnitAttempt.unit_id.in_(unit_ids), UnitAttempt.ended_at.is_(None))
        .values(ended_at=now, outcome=outcome, cause=cause, reason=reason),
    )


async def count_failures(session: AsyncSession, unit: Unit, cause: FailureCause) -> int:
    """How many of the tries that still count ended for ``cause``; a person's retry starts anew."""
    query = (
        select(func.count())
        .select_from(UnitAttempt)
        .where(
            UnitAttempt.unit_id == unit.id,
            UnitAttempt.cause == cause,
            UnitAttempt.fence > unit.fence - unit.attempt,
        )
    )
    return int(await session.scalar(query) or 0)
