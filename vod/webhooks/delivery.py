"""Deliver what is due. At least once: receivers know a repetition by its ``webhook-id``.

A round takes a few of the oldest of every receiver, so that a silent one holds up nobody else.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.together import run_together
from vod.audit.service import record
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.webhooks.emit import emit
from vod.webhooks.kinds import EventKind
from vod.webhooks.models import (
    ERROR_CHARS,
    DeliveryState,
    OutgoingEvent,
    Webhook,
    WebhookDelivery,
)
from vod.webhooks.retry import find_wait, is_dead
from vod.webhooks.sender import Outcome, WebhookSender, open_sender
from vod.webhooks.signing import build_headers, find_secrets

PER_WEBHOOK_COUNT: Final = 4  # Per round.
PARALLEL_COUNT: Final = 8
LEASE: Final = timedelta(minutes=2)  # A round of all receivers at their deadline is over by then.
GONE: Final = "the receiver is gone (410)"
OFF: Final = "the webhook was switched off"

log = structlog.get_logger(__name__)
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What one attempt needs; ``attempts`` counts it."""

    delivery_id: str
    event_id: str
    attempts: int
    body: str
    hook: Webhook


async def deliver_due(database: Database, clock: Clock, *, key: bytes, allow_private: bool) -> int:
    """Try what is due, once each; returns how many attempts were made.

    Args:
        key: Of the house; secrets are derived from it.
    """
    parcels = await _claim(database, now=clock.now())
    if not parcels:
        return 0
    seats = asyncio.Semaphore(PARALLEL_COUNT)

    async def work(sender: WebhookSender, parcel: _Parcel) -> None:
        async with seats:
            outcome = await _send(sender, parcel, key=key, now=clock.now())
        async with database.write() as session:
            await _keep(session, parcel, outcome, now=clock.now())

    async with open_sender(allow_private=allow_private) as sender:
        await run_together(work(sender, parcel) for parcel in parcels)
    return len(parcels)


async def _claim(database: Database, *, now: datetime) -> list[_Parcel]:
    is_due = (WebhookDelivery.state == DeliveryState.WAITING, WebhookDelivery.next_at <= now)
    query = (
        select(Webhook)
        .where(Webhook.is_enabled, select(WebhookDelivery.id)
               .where(WebhookDelivery.webhook_id == Webhook.id, *is_due).exists())
        .order_by(Webhook.id)
    )  # fmt: skip
    async with database.read() as session:
        hooks = list(await session.scalars(query))
    if not hooks:
        return []
    parcels = []
    async with database.write() as session:
        for hook in hooks:
            rows = await session.execute(
                select(WebhookDelivery, OutgoingEvent.body)
                .join(OutgoingEvent, OutgoingEvent.id == WebhookDelivery.event_id)
                .where(WebhookDelivery.webhook_id == hook.id, *is_due)
                .order_by(WebhookDelivery.next_at)
                .limit(PER_WEBHOOK_COUNT)
            )
            for row, body in rows.tuples().all():
                values = {"next_at": now + LEASE, "attempts": row.attempts + 1}
                statement = (
                    update(WebhookDelivery)
                    .where(WebhookDelivery.id == row.id, *is_due)
                    .values(**values)
                    .execution_options(synchronize_session=False)
                )
                if await change(session, statement) == 1:
                    parcels.append(_Parcel(row.id, row.event_id, row.attempts + 1, body, hook))
    return parcels


async def _send(sender: WebhookSender, parcel: _Parcel, *, key: bytes, now: datetime) -> Outcome:
    hook, body = parcel.hook, parcel.body.encode()
    secrets = find_secrets(key, hook.id, hook.secret_number, hook.rotated_at, now=now)
    timestamp_s = int(now.timestamp())
    headers = build_headers(secrets, parcel.event_id, body, timestamp_s=timestamp_s)
    return await sender.send(hook.url, body, headers)


async def _keep(session: AsyncSession, parcel: _Parcel, outcome: Outcome, *, now: datetime) -> None:
    # The webhook is locked before its deliveries, here and in the service: two never cross.
    hook = await session.scalar(
        select(Webhook)
        .where(Webhook.id == parcel.hook.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    values: dict[str, Any] = {
        "last_status": outcome.status,
        "last_error": outcome.error[:ERROR_CHARS],
    }
    if outcome.is_delivered:
        values |= {"state": DeliveryState.DELIVERED, "finished_at": now}
    else:
        jitter = _random.uniform(-1, 1)
        wait = find_wait(parcel.attempts, jitter=jitter, retry_after=outcome.retry_after)
        is_over = wait is None or outcome.is_gone
        values |= (
            {"state": DeliveryState.FAILED, "finished_at": now}
            if is_over or wait is None
            else {"next_at": now + wait}
        )
        log.info(
            "webhook_attempt_failed", webhook_id=parcel.hook.id, delivery_id=parcel.delivery_id,
            attempts=parcel.attempts, reason=outcome.error,
        )  # fmt: skip
    statement = update(WebhookDelivery).where(
        WebhookDelivery.id == parcel.delivery_id, WebhookDelivery.state == DeliveryState.WAITING
    )
    await change(session, statement.values(**values))
    await _judge_receiver(session, hook, outcome, now=now)


async def _judge_receiver(
    session: AsyncSession, hook: Webhook | None, outcome: Outcome, *, now: datetime
) -> None:
    """Note since when nothing gets through; switch off who is gone or silent for days."""
    if hook is None or not hook.is_enabled:
        return
    if outcome.is_delivered:
        hook.failing_since = None
        return
    hook.failing_since = hook.failing_since or now
    if outcome.is_gone or is_dead(hook.failing_since, now=now):
        hook.is_enabled = False
        hook.disabled_reason = GONE if outcome.is_gone else outcome.error[:ERROR_CHARS]
        await stop_deliveries(session, hook.id, now=now)
        emit(
            session, EventKind.WEBHOOK_DISABLED, hook.id, now=now,
            url=hook.url, reason=hook.disabled_reason,
        )  # fmt: skip
        record(
            session, now=now, actor_id=None, action="webhook.disabled",
            object_type="webhook", object_id=hook.id, reason=hook.disabled_reason,
        )  # fmt: skip
        log.warning("webhook_disabled", webhook_id=hook.id, reason=hook.disabled_reason)


async def stop_deliveries(session: AsyncSession, webhook_id: str, *, now: datetime) -> None:
    """End what still waits for a webhook that is switched off; each can be sent again by hand."""
    statement = update(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.state == DeliveryState.WAITING
    )
    await change(
        session,
        statement.values(state=DeliveryState.FAILED, finished_at=now, last_error=OFF),
    )
