"""Set webhooks up, change and test them, send again. Owns its transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, NotFoundError
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, load_page
from vod.webhooks import schemas
from vod.webhooks.addresses import parse_target
from vod.webhooks.delivery import stop_deliveries
from vod.webhooks.distribute import build_delivery
from vod.webhooks.kinds import EventKind, build_body
from vod.webhooks.models import DeliveryState, OutgoingEvent, Webhook, WebhookDelivery

MAX_WEBHOOKS: Final = 50  # Each event is told to every one of them.
Counts = dict[str, dict[DeliveryState, int]]


async def load_webhooks(session: AsyncSession) -> tuple[list[Webhook], Counts]:
    """Load all, the oldest first, with the counts of their deliveries by state."""
    rows = list(await session.scalars(select(Webhook).order_by(Webhook.created_at, Webhook.id)))
    return rows, await load_counts(session)


async def load_counts(session: AsyncSession) -> Counts:
    """Count deliveries by webhook and state."""
    found = await session.execute(
        select(WebhookDelivery.webhook_id, WebhookDelivery.state, func.count()).group_by(
            WebhookDelivery.webhook_id, WebhookDelivery.state
        )
    )
    counts: Counts = {}
    for webhook_id, state, count in found.tuples():
        counts.setdefault(webhook_id, {})[state] = count
    return counts


async def load_webhook(
    session: AsyncSession, webhook_id: str, *, is_locked: bool = False
) -> Webhook:
    """Load one; raises ``NotFoundError``."""
    query: Select[tuple[Webhook]] = select(Webhook).where(Webhook.id == webhook_id)
    row: Webhook | None = await session.scalar(query.with_for_update() if is_locked else query)
    if row is None:
        raise NotFoundError("no such webhook")
    return row


async def create_webhook(
    database: Database,
    wanted: schemas.NewWebhook,
    *,
    actor_id: str | None,
    allow_private: bool,
    now: datetime,
) -> Webhook:
    """Raises ``InputError`` for the address, ``ConflictError`` when there are too many."""
    url = str(parse_target(wanted.url, allow_private=allow_private))
    async with database.write() as session:
        count = await session.scalar(select(func.count()).select_from(Webhook)) or 0
        if count >= MAX_WEBHOOKS:
            raise ConflictError(
                f"there are {MAX_WEBHOOKS} webhooks already",
                title_zh="Webhook 已经太多，请先删除不用的",
            )
        row = Webhook(
            url=url, kinds=sorted(set(wanted.kinds)), description=wanted.description,
            created_at=now, created_by=actor_id,
        )  # fmt: skip
        session.add(row)
        await session.flush()
        _record(session, row, "webhook.created", actor_id, now, kinds=row.kinds)
    return row


async def change_webhook(
    database: Database,
    webhook_id: str,
    wanted: schemas.WebhookChange,
    *,
    actor_id: str | None,
    allow_private: bool,
    now: datetime,
) -> Webhook:
    """Raises ``NotFoundError``, and ``InputError`` for the address."""
    given = wanted.model_dump(exclude_none=True)
    if "url" in given:
        given["url"] = str(parse_target(given["url"], allow_private=allow_private))
    if "kinds" in given:
        given["kinds"] = sorted(set(given["kinds"]))
    async with database.write() as session:
        row = await load_webhook(session, webhook_id, is_locked=True)
        for name, value in given.items():
            setattr(row, name, value)
        if wanted.is_enabled is False:
            await stop_deliveries(session, row.id, now=now)
        if wanted.is_enabled is not None:  # A person decided: what the house thought is over.
            row.failing_since, row.disabled_reason = None, ""
        _record(session, row, "webhook.changed", actor_id, now, fields=sorted(given))
    return row


async def delete_webhook(
    database: Database, webhook_id: str, *, actor_id: str | None, now: datetime
) -> None:
    """Delete it with its deliveries; raises ``NotFoundError``."""
    async with database.write() as session:
        row = await load_webhook(session, webhook_id, is_locked=True)
        await session.delete(row)
        _record(session, row, "webhook.deleted", actor_id, now)


async def rotate_secret(
    database: Database, webhook_id: str, *, actor_id: str | None, now: datetime
) -> Webhook:
    """Begin with a new secret; the old one signs too for a day. Raises ``NotFoundError``."""
    async with database.write() as session:
        row = await load_webhook(session, webhook_id, is_locked=True)
        row.secret_number += 1
        row.rotated_at = now
        _record(session, row, "webhook.rotated", actor_id, now)
    return row


async def ping(
    database: Database, webhook_id: str, *, actor_id: str | None, origin: str, now: datetime
) -> tuple[WebhookDelivery, OutgoingEvent]:
    """Send a test; raises ``NotFoundError``, and ``ConflictError`` when it is switched off."""
    async with database.write() as session:
        row = await load_webhook(session, webhook_id)
        _require_enabled(row)
        event = OutgoingEvent(
            kind=EventKind.PING.value, subject_id=row.id, data={}, occurred_at=now,
            body=build_body(EventKind.PING, row.id, {}, at=now, origin=origin),
            distributed_at=now,
        )  # fmt: skip
        session.add(event)
        await session.flush()
        delivery = build_delivery(row.id, event.id, now=now)
        session.add(delivery)
        await session.flush()
        _record(session, row, "webhook.pinged", actor_id, now)
    return delivery, event


async def resend(
    database: Database, webhook_id: str, delivery_id: str, *, actor_id: str | None, now: datetime
) -> tuple[WebhookDelivery, OutgoingEvent]:
    """Send the event again, as a new delivery with the same ``webhook-id``.

    Raises:
        NotFoundError: There is no such delivery.
        ConflictError: It is still tried, or the webhook is switched off.
    """
    async with database.write() as session:
        hook = await load_webhook(session, webhook_id, is_locked=True)
        _require_enabled(hook)
        query = (
            select(WebhookDelivery, OutgoingEvent)
            .join(OutgoingEvent, OutgoingEvent.id == WebhookDelivery.event_id)
            .where(WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.id == delivery_id)
        )
        found = (await session.execute(query)).first()
        if found is None:
            raise NotFoundError("no such delivery")
        old, event = found
        is_tried = select(WebhookDelivery.id).where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.event_id == old.event_id,
            WebhookDelivery.state == DeliveryState.WAITING,
        )
        if await session.scalar(is_tried.limit(1)) is not None:
            raise ConflictError("it is still tried", title_zh="这条消息还在发送中，不用重发")
        delivery = build_delivery(webhook_id, event.id, now=now)
        session.add(delivery)
        await session.flush()
        _record(session, hook, "webhook.resent", actor_id, now, event_id=event.id)
    return delivery, event


async def load_deliveries(
    session: AsyncSession, webhook_id: str, state: DeliveryState | None, page: PageQuery
) -> tuple[list[WebhookDelivery], dict[str, OutgoingEvent], int]:
    """Load a page of the log with the events by id; raises ``NotFoundError``."""
    await load_webhook(session, webhook_id)
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    rows, total = await load_page(session, query.order_by(WebhookDelivery.id.desc()), page)
    ids = {row.event_id for row in rows}
    events = await session.scalars(select(OutgoingEvent).where(OutgoingEvent.id.in_(ids)))
    return rows, {event.id: event for event in events}, total


def _require_enabled(row: Webhook) -> None:
    if not row.is_enabled:
        raise ConflictError("the webhook is switched off", title_zh="请先启用这个 Webhook")


def _record(
    session: AsyncSession,
    row: Webhook,
    action: str,
    actor_id: str | None,
    now: datetime,
    **detail: Any,
) -> None:
    """Trace it; of the address only the host, since receivers put keys into paths."""
    host = row.url.split("/", 3)[2]
    record(
        session, now=now, actor_id=actor_id, action=action,
        object_type="webhook", object_id=row.id, host=host, **detail,
    )  # fmt: skip
