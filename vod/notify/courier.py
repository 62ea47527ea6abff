"""Send the messages that are due. At least once: a crash in between sends one again."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import DependencyError
from kernel.together import run_together
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.notify.models import OutgoingMessage
from vod.notify.port import Message, Notifier
from vod.webhooks.models import ERROR_CHARS, DeliveryState
from vod.webhooks.retry import find_wait

BATCH_COUNT: Final = 20  # Per round.
PARALLEL_COUNT: Final = 4  # Mail servers refuse crowds.
LEASE: Final = timedelta(minutes=5)  # Longer than the longest attempt; another vod waits for it.

log = structlog.get_logger(__name__)
_random = random.SystemRandom()


async def send_due(database: Database, notifier: Notifier, clock: Clock) -> int:
    """Try every message that is due, once; returns how many were tried."""
    due = await _claim(database, now=clock.now())
    seats = asyncio.Semaphore(PARALLEL_COUNT)

    async def work(row: OutgoingMessage) -> None:
        async with seats:
            await _send_one(database, notifier, row, clock)

    await run_together(work(row) for row in due)
    return len(due)


async def _claim(database: Database, *, now: datetime) -> list[OutgoingMessage]:
    is_due = (OutgoingMessage.state == DeliveryState.WAITING, OutgoingMessage.next_at <= now)
    async with database.read() as session:
        if await session.scalar(select(OutgoingMessage.id).where(*is_due).limit(1)) is None:
            return []
    claimed = []
    async with database.write() as session:
        query = select(OutgoingMessage).where(*is_due).order_by(OutgoingMessage.next_at)
        for row in list(await session.scalars(query.limit(BATCH_COUNT))):
            statement = (
                update(OutgoingMessage)
                .where(OutgoingMessage.id == row.id, *is_due)
                .values(next_at=now + LEASE, attempts=OutgoingMessage.attempts + 1)
                .execution_options(synchronize_session=False)
            )
            if await change(session, statement) == 1:
                claimed.append(row)
    return claimed


async def _send_one(
    database: Database, notifier: Notifier, row: OutgoingMessage, clock: Clock
) -> None:
    message = Message(to=row.recipient, subject=row.subject, text=row.text, key=row.id)
    error: DependencyError | None = None
    try:
        await notifier.send(message)
    except DependencyError as failure:
        error = failure
    async with database.write() as session:
        await _keep(session, row, error, now=clock.now())


async def _keep(
    session: AsyncSession, row: OutgoingMessage, error: DependencyError | None, *, now: datetime
) -> None:
    attempts = row.attempts + 1
    values = {"state": DeliveryState.DELIVERED, "finished_at": now, "last_error": ""}
    if error is not None:
        jitter = _random.uniform(-1, 1)
        wait = find_wait(attempts, jitter=jitter) if error.retryable else None
        values = {"last_error": str(error)[:ERROR_CHARS]}
        values |= (
            {"state": DeliveryState.FAILED, "finished_at": now}
            if wait is None
            else {"next_at": now + wait}
        )
        # Whom it was for is in the table; the log names no person.
        log.warning(
            "message_failed", message_id=row.id, reason=str(error), will_retry=wait is not None
        )
    statement = update(OutgoingMessage).where(
        OutgoingMessage.id == row.id, OutgoingMessage.state == DeliveryState.WAITING
    )
    await change(session, statement.values(**values))


async def forget_old(session: AsyncSession, *, before: datetime) -> None:
    """Drop messages that were over before then."""
    await session.execute(delete(OutgoingMessage).where(OutgoingMessage.finished_at < before))
