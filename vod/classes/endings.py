"""Ending classes: carry the wish to streamer until it agrees, and end what was forgotten.

Every wish is in the database (``end_requested_at``) before streamer is asked, so it survives a
restart of either. Asking twice is harmless.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select

from kernel.errors import HallError, NotFoundError
from kernel.http import InternalClient
from kernel.messages import EndBroadcast
from vod.audit.service import record
from vod.classes.models import LiveClass
from vod.classes.policy import is_due_to_end
from vod.classes.queries import lock_class
from vod.classes.service import mark_end
from vod.classes.states import ClassState, Trigger, advance
from vod.db.engine import Database
from vod.webhooks.emit import emit_class

BATCH_COUNT: Final = 50  # Wishes carried per round; the rest in the next one.
DEFAULT_REASON: Final = "the class was ended"

log = structlog.get_logger(__name__)


async def tell_streamer(
    database: Database, streamer: InternalClient, row: LiveClass, *, now: datetime
) -> bool:
    """Ask streamer to end the broadcast of ``row``; tell whether it has been told.

    The class itself ends when ``BroadcastEnded`` arrives. A broadcast that streamer does not know
    has nothing to finish: then the class ends here.
    """
    body = EndBroadcast(reason=row.end_reason or DEFAULT_REASON)
    try:
        await streamer.call("POST", f"/internal/broadcasts/{row.broadcast_id}/end", body=body)
    except NotFoundError:
        log.warning("broadcast_unknown_to_streamer", live_class_id=row.id)
        await _end_without_streamer(database, row.id, now=now)
    except HallError as error:
        log.warning("end_postponed", live_class_id=row.id, reason=str(error))
        return False
    return True


async def _end_without_streamer(database: Database, live_class_id: str, *, now: datetime) -> None:
    async with database.write() as session:
        row = await lock_class(session, live_class_id)
        if row.end_requested_at is None:
            return  # The event came in between.
        before = row.state
        row.state = advance(row.state, Trigger.END)
        row.ended_at = row.ended_at or now
        row.end_requested_at = None
        emit_class(session, row, before, now=now)


async def carry_wishes(database: Database, streamer: InternalClient, *, now: datetime) -> int:
    """Repeat every open wish; returns how many there were."""
    async with database.read() as session:
        rows = list(
            await session.scalars(
                select(LiveClass)
                .where(LiveClass.end_requested_at.is_not(None))
                .order_by(LiveClass.end_requested_at)
                .limit(BATCH_COUNT)
            )
        )
    for row in rows:
        if not await tell_streamer(database, streamer, row, now=now):
            break  # It is away: the others would only wait for the same deadline.
    return len(rows)


async def end_idle_classes(database: Database, *, now: datetime, idle_end: timedelta) -> list[str]:
    """Write the wish for every interrupted class that was forgotten; returns their ids."""
    ended = []
    async with database.write() as session:
        rows = await session.scalars(
            select(LiveClass)
            .where(
                LiveClass.state == ClassState.INTERRUPTED,
                LiveClass.end_requested_at.is_(None),
                LiveClass.last_media_at <= now - idle_end,
                or_(LiveClass.planned_end.is_(None), LiveClass.planned_end <= now - idle_end),
            )
            .limit(BATCH_COUNT)
            .with_for_update()
        )
        for row in rows:
            if not is_due_to_end(
                now=now,
                planned_end=row.planned_end,
                last_media_at=row.last_media_at,
                idle_end=idle_end,
            ):
                continue
            mark_end(row, reason="nothing was sent for a long time", now=now)
            record(
                session,
                now=now,
                actor_id=None,
                action="class.ended_automatically",
                object_type="live_class",
                object_id=row.id,
            )
            ended.append(row.id)
    for live_class_id in ended:
        log.info("class_idle_end", live_class_id=live_class_id)
    return ended
