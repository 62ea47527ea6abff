"""Depth of the outbox, queues, failures and speeds, read when Prometheus asks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.messages import FailureCause, UnitKind
from vod.db.engine import Database
from vod.jobs.models import OutboxMessage, Unit, UnitAttempt
from vod.jobs.policy import UnitState
from vod.jobs.summary import load_queues

RECENT_SPEED: Final = timedelta(minutes=15)
RECENT_FAILURES: Final = timedelta(hours=1)


class JobsMetrics:
    """Gauges of one database; every vod on it shows the same."""

    def __init__(self, registry: CollectorRegistry, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._depth = Gauge(
            "hall_outbox_messages", "Messages that wait for the broker", registry=registry
        )
        self._age = Gauge(
            "hall_outbox_oldest_seconds",
            "How long the oldest message has been due, 0 when none is",
            registry=registry,
        )
        self._units = Gauge("hall_units", "Units by state", ["state"], registry=registry)
        self._queue = Gauge(
            "hall_queue_units", "Units of a queue", ["queue", "state"], registry=registry
        )
        self._wait = Gauge(
            "hall_queue_oldest_wait_seconds",
            "How long the oldest queued unit has been waiting, 0 when none is",
            ["queue"],
            registry=registry,
        )
        self._failures = Gauge(
            "hall_unit_failures_hour",
            "Attempts that failed within the last hour, by cause",
            ["cause"],
            registry=registry,
        )
        self._speed = Gauge(
            "hall_unit_speed_ratio",
            "Media seconds per second, mean of units at work or done within 15 minutes, 0: none",
            ["kind"],
            registry=registry,
        )

    async def refresh(self) -> None:
        """Read the numbers.

        Raises:
            DependencyError: The database is away; the gauges keep what they showed.
        """
        now = self._clock.now()
        async with self._database.read() as session:
            count, oldest = (
                await session.execute(
                    select(func.count(), func.min(OutboxMessage.due_at)).select_from(OutboxMessage)
                )
            ).one()
            rows = await session.execute(select(Unit.state, func.count()).group_by(Unit.state))
            by_state = dict(rows.tuples().all())
            queues = await load_queues(session, now=now)
            failures = await _count_failures(session, since=now - RECENT_FAILURES)
            speeds = await _measure_speeds(session, since=now - RECENT_SPEED)
        late_s = (now - oldest).total_seconds() if oldest is not None else 0.0
        self._depth.set(count)
        self._age.set(max(0.0, late_s))
        for state in UnitState:
            self._units.labels(state.value).set(by_state.get(state, 0))
        for queue in queues:
            self._queue.labels(queue.name, "queued").set(queue.queued)
            self._queue.labels(queue.name, "running").set(queue.running)
            self._wait.labels(queue.name).set(queue.oldest_wait_s or 0.0)
        for cause in get_args(FailureCause):
            self._failures.labels(cause).set(failures.get(cause, 0))
        for kind in get_args(UnitKind):
            self._speed.labels(kind).set(speeds.get(kind, 0.0))


async def _count_failures(session: AsyncSession, *, since: datetime) -> dict[str, int]:
    rows = await session.execute(
        select(UnitAttempt.cause, func.count())
        .where(UnitAttempt.ended_at >= since, UnitAttempt.cause.is_not(None))
        .group_by(UnitAttempt.cause)
    )
    return {str(cause): count for cause, count in rows.tuples()}


async def _measure_speeds(session: AsyncSession, *, since: datetime) -> dict[str, float]:
    rows = await session.execute(
        select(Unit.kind, func.avg(Unit.speed))
        .where(
            Unit.speed.is_not(None),
            or_(Unit.state == UnitState.RUNNING, Unit.finished_at >= since),
        )
        .group_by(Unit.kind)
    )
    return {kind: float(speed) for kind, speed in rows.tuples()}
