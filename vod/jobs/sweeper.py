"""The sweeper: units whose worker fell silent or whose message got lost are sent again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import DependencyError
from kernel.messages import LEASE_S
from vod.db.engine import Database
from vod.jobs import queries
from vod.jobs.broker import Broker
from vod.jobs.giveback import Setback, give_back
from vod.jobs.models import OutboxMessage, Unit
from vod.jobs.policy import (
    RESEND_BASE_S,
    AttemptOutcome,
    UnitState,
    compute_resend_s,
    is_retry_allowed,
)

PERIOD_S: Final = 10.0
BATCH_COUNT: Final = 100

log = structlog.get_logger(__name__)


class Sweeper:
    """Looks after units every ``PERIOD_S``; several may run at once."""

    def __init__(self, database: Database, clock: Clock, broker: Broker) -> None:
        self._database = database
        self._clock = clock
        self._broker = broker

    async def grant_grace(self) -> int:
        """Give every running unit a whole lease from now; call it before vod is reachable.

        Leases do not run out while vod was down: nobody could have extended them.
        """
        until = self._clock.now() + timedelta(seconds=LEASE_S)
        async with self._database.write() as session:
            return await queries.change(
                session,
                update(Unit)
                .where(Unit.state == UnitState.RUNNING, Unit.lease_until < until)
                .values(lease_until=until),
            )

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep_once()
            except DependencyError as error:
                log.warning("sweeper_waits", detail=str(error))
            await asyncio.sleep(PERIOD_S)

    async def sweep_once(self) -> int:
        """Take back expired units and re-send lost messages; return how many units moved."""
        now = self._clock.now()
        async with self._database.read() as session:
            expired = await session.scalars(
                select(Unit.id)
                .where(Unit.state == UnitState.RUNNING, Unit.lease_until <= now)
                .order_by(Unit.lease_until)
                .limit(BATCH_COUNT)
            )
            expired_ids = expired.all()
            silent = await _find_silent(session, now)
            sent_counts = await _count_sent(session)
        short = await self._find_short_queues(sent_counts) if silent else frozenset()
        lost_ids = [
            (row.unit_id, row.queue) for row in silent if row.is_overdue or row.queue in short
        ]
        moved = 0
        for unit_id in expired_ids:
            moved += await self._take_back(unit_id, now)
        for unit_id, queue in lost_ids[:BATCH_COUNT]:
            moved += await self._send_again(unit_id, queue, now)
        return moved

    async def _find_short_queues(self, sent_counts: dict[str, int]) -> frozenset[str]:
        """Find the queues with fewer messages than units that wait for one: they were emptied.

        Behind a long queue messages are repeated ever more rarely; a broker that lost its memory
        must not cost as much.
        """
        short = set()
        try:
            for queue, count in sent_counts.items():
                if await self._broker.count_messages(queue) < count:
                    short.add(queue)
        except DependencyError as error:
            log.warning("queues_not_counted", detail=str(error))
        return frozenset(short)

    async def _take_back(self, unit_id: str, now: datetime) -> bool:
        async with self._database.write() as session:
            await queries.lock_lecture_of_unit(session, unit_id)  # It may fail with its job.
            job = await queries.lock_job_of_unit(session, unit_id)
            unit = await queries.load_unit(session, unit_id)
            if unit.state is not UnitState.RUNNING:
                return False
            reason = f"转码节点 {unit.worker} 失去联系(第 {unit.attempt} 次尝试)"
            moved = await give_back(
                session,
                job,
                unit,
                Setback(
                    AttemptOutcome.LOST,
                    reason=reason,
                    cause="lost",
                    log_tail=unit.log_tail,
                    commands=tuple(unit.commands or ()),
                    is_permanent=not is_retry_allowed(unit.attempt),
                    is_silent=True,
                ),
                now=now,
            )
            if moved:
                await queries.refresh_job(session, job, reason=reason, now=now)
                log.info("lease_expired", unit_id=unit_id, attempt=unit.attempt)
            return moved

    async def _send_again(self, unit_id: str, queue: str, now: datetime) -> bool:
        async with self._database.write() as session:
            # Two sweepers: whoever moves sent_at first writes the row.
            statement = (
                update(Unit)
                .where(Unit.id == unit_id, Unit.state == UnitState.QUEUED, _has_no_message())
                .where(func.coalesce(Unit.sent_at, Unit.due_at) < now)
                .values(sent_at=now)
            )
            if await queries.change(session, statement) != 1:
                return False
            session.add(queries.build_message(unit_id, queue=queue, due_at=now, now=now))
            log.info("message_sent_again", unit_id=unit_id)
            return True


def _has_no_message() -> ColumnElement[bool]:
    return ~exists().where(OutboxMessage.unit_id == Unit.id)


@dataclass(frozen=True, slots=True)
class _Silent:
    """A queued unit whose message went out a while ago and was not taken up."""

    unit_id: str
    queue: str
    is_overdue: bool


async def _find_silent(session: AsyncSession, now: datetime) -> list[_Silent]:
    since = func.coalesce(Unit.sent_at, Unit.due_at)
    rows = await session.execute(
        select(Unit.id, Unit.queue, Unit.sent_at, Unit.due_at, Unit.sends_count)
        .where(Unit.state == UnitState.QUEUED, since <= now - timedelta(seconds=RESEND_BASE_S))
        .where(_has_no_message())
        .order_by(since)
        .limit(BATCH_COUNT * 10)
    )
    return [
        _Silent(
            row.id,
            row.queue,
            is_overdue=now - (row.sent_at or row.due_at)
            >= timedelta(seconds=compute_resend_s(row.sends_count)),
        )
        for row in rows
    ]


async def _count_sent(session: AsyncSession) -> dict[str, int]:
    """How many units of each queue have a message that nobody has taken up."""
    rows = await session.execute(
        select(Unit.queue, func.count())
        .where(Unit.state == UnitState.QUEUED, _has_no_message())
        .group_by(Unit.queue)
    )
    return dict(rows.tuples().all())
