"""Give events out: a delivery for every webhook that asks, a message for every recipient."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vod.db.engine import Database
from vod.jobs.queries import change
from vod.notices.models import Notice, NoticeState
from vod.notices.policy import build_summary
from vod.notify.models import OutgoingMessage
from vod.notify.rules import Recipients, build_messages
from vod.webhooks.emit import emit
from vod.webhooks.kinds import SUBSCRIBABLE, EventKind, build_body
from vod.webhooks.models import OutgoingEvent, Webhook, WebhookDelivery

BATCH_COUNT: Final = 100  # Per round; what is left comes with the next one.


async def distribute_events(
    database: Database, recipients: Recipients, *, origin: str, now: datetime
) -> int:
    """Give out what is new; returns how many. Several at once give each out once.

    Most rounds only read: nobody else waits for them.
    """
    is_new = OutgoingEvent.distributed_at.is_(None)
    async with database.read() as session:
        if await session.scalar(select(OutgoingEvent.id).where(is_new).limit(1)) is None:
            return 0
    async with database.write() as session:
        query = select(OutgoingEvent).where(is_new).order_by(OutgoingEvent.id).limit(BATCH_COUNT)
        events = list(await session.scalars(query))
        hooks = list(await session.scalars(select(Webhook).where(Webhook.is_enabled)))
        for event in events:
            await _distribute(session, event, hooks, recipients, origin=origin, now=now)
    return len(events)


async def _distribute(
    session: AsyncSession,
    event: OutgoingEvent,
    hooks: Sequence[Webhook],
    recipients: Recipients,
    *,
    origin: str,
    now: datetime,
) -> None:
    kind = EventKind(event.kind)
    body = build_body(kind, event.subject_id, event.data, at=event.occurred_at, origin=origin)
    statement = (
        update(OutgoingEvent)
        .where(OutgoingEvent.id == event.id, OutgoingEvent.distributed_at.is_(None))
        .values(distributed_at=now, body=body)
        .execution_options(synchronize_session=False)
    )
    if await change(session, statement) != 1:
        return  # Another vod has done it.
    for hook in hooks:
        # What happened before it was asked for is not told.
        if (
            kind in SUBSCRIBABLE
            and event.kind in hook.kinds
            and hook.created_at <= event.occurred_at
        ):
            session.add(build_delivery(hook.id, event.id, now=now))
    for message in build_messages(kind, event.subject_id, event.data, recipients, origin=origin):
        session.add(
            OutgoingMessage(
                event_id=event.id,
                recipient=message.to,
                subject=message.subject,
                text=message.text,
                next_at=now,
                created_at=now,
            )
        )


def build_delivery(webhook_id: str, event_id: str, *, now: datetime) -> WebhookDelivery:
    """Build a delivery that is due at once."""
    return WebhookDelivery(webhook_id=webhook_id, event_id=event_id, next_at=now, created_at=now)


async def tell_notices(database: Database, *, now: datetime) -> int:
    """Note the notices that members see by now and nobody was told of; each is told once."""
    is_due = (
        Notice.told_at.is_(None),
        Notice.deleted_at.is_(None),
        Notice.state == NoticeState.PUBLISHED,
        Notice.publish_at <= now,
        (Notice.withdraw_at.is_(None) | (Notice.withdraw_at > now)),
    )
    async with database.read() as session:
        if await session.scalar(select(Notice.id).where(*is_due).limit(1)) is None:
            return 0
    count = 0
    async with database.write() as session:
        for row in list(await session.scalars(select(Notice).where(*is_due).limit(BATCH_COUNT))):
            statement = (
                update(Notice)
                .where(Notice.id == row.id, *is_due)
                .values(told_at=now)
                .execution_options(synchronize_session=False)
            )
            if await change(session, statement) != 1:
                continue
            count += 1
            emit(
                session,
                EventKind.NOTICE_SENT,
                row.id,
                now=now,
                title=row.title,
                section=row.section.value,
                summary=build_summary(row.plain_text),
                visibility=row.visibility.value,
            )
    return count


async def forget_old(session: AsyncSession, *, before: datetime) -> None:
    """Drop events that were given out before then, with their deliveries."""
    await session.execute(delete(OutgoingEvent).where(OutgoingEvent.distributed_at < before))
