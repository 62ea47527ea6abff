"""Apply streamer's events: each once, in one transaction with all that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import ConflictError, InputError, NotFoundError
from kernel.messages import (
    BroadcastEnded,
    BroadcastEvent,
    EpochEnded,
    EpochStarted,
    RecordingStored,
    SegmentsStored,
)
from vod.classes.models import LiveClass
from vod.classes.states import ClassState, Trigger, advance
from vod.db.engine import Database
from vod.db.upsert import insert_if_absent
from vod.events.models import InboxEvent
from vod.jobs.planning import plan_recording
from vod.lectures.models import Lecture
from vod.recordings.service import record_end
from vod.webhooks.emit import emit_class

log = structlog.get_logger(__name__)


async def accept_events(
    database: Database, events: Sequence[BroadcastEvent], *, clock: Clock
) -> int:
    """Apply ``events`` in order; returns how many were new.

    An event that cannot be applied (a bug on the other side) is logged and kept as seen: refusing
    it would hold up every later event of the broadcast for ever.

    Raises:
        DependencyError: The database is away; nothing of the failed event is kept, so the sender
            repeats it.
    """
    new_count = 0
    for event in events:
        try:
            async with database.write() as session:
                new_count += await _accept_one(session, event, now=clock.now())
        except (InputError, NotFoundError, ConflictError) as error:
            await _keep_refused(database, event, reason=str(error), now=clock.now())
    return new_count


async def _keep_refused(
    database: Database, event: BroadcastEvent, *, reason: str, now: datetime
) -> None:
    log.error("event_refused", event_id=event.event_id, type=event.type, reason=reason)
    async with database.write() as session:
        await _note(session, event, now=now)


async def _note(session: AsyncSession, event: BroadcastEvent, *, now: datetime) -> bool:
    return await insert_if_absent(
        session,
        InboxEvent,
        {
            "event_id": event.event_id,
            "broadcast_id": event.broadcast_id,
            "type": event.type,
            "received_at": now,
        },
        conflict="event_id",
    )


async def _accept_one(session: AsyncSession, event: BroadcastEvent, *, now: datetime) -> bool:
    if not await _note(session, event, now=now):
        return False
    row = await session.scalar(
        select(LiveClass).where(LiveClass.broadcast_id == event.broadcast_id).with_for_update()
    )
    if row is None:
        log.warning("event_of_unknown_broadcast", broadcast_id=event.broadcast_id, type=event.type)
        return True
    before = row.state
    await _apply(session, row, event, now=now)
    emit_class(session, row, before, now=now)
    say = log.info if before is not row.state else log.debug
    say(
        "event_applied", live_class_id=row.id, type=event.type,
        before=before.value, after=row.state.value,
    )  # fmt: skip
    return True


async def _apply(
    session: AsyncSession, row: LiveClass, event: BroadcastEvent, *, now: datetime
) -> None:
    match event:
        case EpochStarted():
            _apply_epoch_started(row, event, now=now)
        case EpochEnded():
            _apply_epoch_ended(row, event)
        case SegmentsStored():
            row.stored_ticks = max(row.stored_ticks, event.stored_ticks)
            row.recorded_ticks = max(row.recorded_ticks, row.stored_ticks)
        case BroadcastEnded():
            await _apply_broadcast_ended(session, row, event)
        case RecordingStored():
            await _apply_recording_stored(session, row, event, now=now)


def _apply_epoch_started(row: LiveClass, event: EpochStarted, *, now: datetime) -> None:
    row.started_at = row.started_at or event.at
    row.last_media_at = _later(row.last_media_at, event.at)
    if row.state is ClassState.ENDED:
        # It was ended here while its first media was already on the way: have it ended there too.
        row.end_requested_at = row.end_requested_at or now
        return
    row.state = advance(row.state, Trigger.MEDIA_STARTED)


def _apply_epoch_ended(row: LiveClass, event: EpochEnded) -> None:
    row.last_media_at = _later(row.last_media_at, event.at)
    if event.is_interrupted and row.state in {ClassState.LIVE, ClassState.INTERRUPTED}:
        row.state = advance(row.state, Trigger.MEDIA_LOST)


async def _apply_broadcast_ended(
    session: AsyncSession, row: LiveClass, event: BroadcastEnded
) -> None:
    lecture = await record_end(session, event, row)
    if lecture is not None:  # What has a replay was live, even if its beginning was never told.
        row.started_at = row.started_at or lecture.recorded_at
    row.state = advance(row.state, Trigger.END)
    row.ended_at = event.at
    row.end_requested_at = None
    row.recorded_ticks = event.index.duration_ticks


async def _apply_recording_stored(
    session: AsyncSession, row: LiveClass, event: RecordingStored, *, now: datetime
) -> None:
    row.stored_ticks = max(row.stored_ticks, row.recorded_ticks)
    lecture_id = await session.scalar(
        select(Lecture.id).where(Lecture.live_class_id == row.id, Lecture.deleted_at.is_(None))
    )
    if lecture_id is None:
        log.info("recording_without_lecture", live_class_id=row.id)
        return
    await plan_recording(
        session, lecture_id=lecture_id, recording_version=event.recording_version, now=now
    )


def _later(left: datetime | None, right: datetime) -> datetime:
    return right if left is None else max(left, right)


async def forget_old(session: AsyncSession, *, before: datetime) -> None:
    """Drop inbox rows so old that nobody repeats them any more."""
    await session.execute(delete(InboxEvent).where(InboxEvent.received_at < before))
