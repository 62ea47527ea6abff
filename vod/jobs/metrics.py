"""Depth of the outbox and units by state, read from the database when Prometheus asks."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import func, select

from kernel.clock import Clock
from vod.db.engine import Database
from vod.jobs.models import OutboxMessage, Unit
from vod.jobs.policy import UnitState


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

    async def refresh(self) -> None:
        """Read the numbers.

        Raises:
            DependencyError: The database is away; the gauges keep what they showed.
        """
        async with self._database.read() as session:
            count, oldest = (
                await session.execute(
                    select(func.count(), func.min(OutboxMessage.due_at)).select_from(OutboxMessage)
                )
            ).one()
            rows = await session.execute(select(Unit.state, func.count()).group_by(Unit.state))
            by_state = dict(rows.tuples().all())
        late_s = (self._clock.now() - oldest).total_seconds() if oldest is not None else 0.0
        self._depth.set(count)
        self._age.set(max(0.0, late_s))
        for state in UnitState:
            self._units.labels(state.value).set(by_state.get(state, 0))
