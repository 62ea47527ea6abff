"""The outbox relay: rows written with a change become messages after its commit, at least once.

A relay reserves rows for ``RESERVE`` with one conditional UPDATE, sends them, and deletes them.
A relay that dies in between leaves rows that the next one sends again; workers drop the second
message when they claim. While the broker is away the rows wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import delete, or_, select, update

from kernel.clock import Clock
from kernel.errors import DependencyError
from kernel.ids import new_id
from vod.db.engine import Database, log_dependency
from vod.jobs.broker import Broker
from vod.jobs.models import OutboxMessage, Unit
from vod.jobs.queries import change, lock_units

BATCH_COUNT: Final = 50  # Rows reserved at once; sent well within RESERVE.
RESERVE: Final = timedelta(seconds=60)
POLL_S: Final = 0.5  # One indexed query; the delay a queued unit feels on top of the broker's.
MAX_WAIT_S: Final = 10.0  # Between attempts while the broker or the database is away.

log = structlog.get_logger(__name__)


class OutboxRelay:
    """Sends outbox rows for as long as :meth:`run` runs; several may run at once."""

    def __init__(self, database: Database, broker: Broker, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._id = new_id()
        self.sent_count = 0

    async def run(self) -> None:
        """Relay until cancelled; a neighbour that is away is waited for, ever longer."""
        wait_s = POLL_S
        while True:
            try:
                sent = await self.relay_once()
                wait_s = POLL_S
                if sent:
                    continue
            except DependencyError as error:
                wait_s = min(MAX_WAIT_S, wait_s * 2)
                log.warning("outbox_waits", detail=str(error), retry_in_s=wait_s)
            await asyncio.sleep(wait_s)

    async def relay_once(self) -> int:
        """Send what is due now; return how many messages went out.

        Raises:
            DependencyError: The broker or the database is away; unsent rows are free again.
        """
        rows = await self._reserve()
        sent: list[OutboxMessage] = []
        try:
            for row in rows:
                await self._broker.send(row.queue, row.payload)
                sent.append(row)
        except BaseException:
            # What ended it goes on, a cancellation above all; the claims run out by themselves.
            with log_dependency("outbox_claims_stay"):
                await asyncio.shield(self._settle(rows, sent))
            raise
        if rows:
            await asyncio.shield(self._settle(rows, sent))
        return len(sent)

    async def _reserve(self) -> Sequence[OutboxMessage]:
        now = self._clock.now()
        is_free = or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until <= now)
        due = (
            select(OutboxMessage.id)
            .where(OutboxMessage.due_at <= now, is_free)
            .order_by(OutboxMessage.due_at, OutboxMessage.id)
            .limit(BATCH_COUNT)
        )
        async with self._database.read() as session:
            ids = (await session.scalars(due)).all()
        if not ids:
            return ()
        async with self._database.write() as session:
            await change(
                session,
                update(OutboxMessage)
                .where(OutboxMessage.id.in_(ids), is_free)
                .values(claimed_by=self._id, claimed_until=now + RESERVE),
            )
            mine = select(OutboxMessage).where(
                OutboxMessage.id.in_(ids), OutboxMessage.claimed_by == self._id
            )
            rows = await session.scalars(mine.order_by(OutboxMessage.due_at, OutboxMessage.id))
            return rows.all()

    async def _settle(
        self, reserved: Sequence[OutboxMessage], sent: Sequence[OutboxMessage]
    ) -> None:
        """Delete what went out and note it on its unit; free the rest."""
        now = self._clock.now()
        async with self._database.write() as session:
            if sent:
                # Units before outbox rows, as whoever claims a unit does: its worker may be quick.
                ids = await lock_units(session, Unit.id.in_([r.unit_id for r in sent]))
                await change(
                    session,
                    update(Unit)
                    .where(Unit.id.in_(ids))
                    .values(sent_at=now, sends_count=Unit.sends_count + 1),
                )
                await change(
                    session, delete(OutboxMessage).where(OutboxMessage.id.in_([r.id for r in sent]))
                )
            left = {row.id for row in reserved} - {row.id for row in sent}
            if left:
                await change(
                    session,
                    update(OutboxMessage)
                    .where(OutboxMessage.id.in_(left), OutboxMessage.claimed_by == self._id)
                    .values(claimed_by=None, claimed_until=None),
                )
        self.sent_count += len(sent)
