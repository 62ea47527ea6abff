"""Publish and withdraw by the clock. Idempotent over several vods: one UPDATE has one winner."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vod.audit.service import record
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.lectures.publication import Publication
from vod.notices.drafting import draft_notice
from vod.webhooks.emit import emit_lecture
from vod.webhooks.kinds import EventKind

BATCH_COUNT: Final = 500  # Per round; what is left comes with the next one.

log = structlog.get_logger(__name__)


async def follow_clock(database: Database, *, now: datetime) -> int:
    """Publish what is due, then withdraw what is; returns how many changed.

    Most rounds only read: nobody else waits for them.
    """
    async with database.read() as session:
        if await session.scalar(select(Lecture.id).where(or_(*_are_due(now))).limit(1)) is None:
            return 0
    async with database.write() as session:
        is_to_publish, is_to_withdraw = _are_due(now)
        published = await _turn(
            session, is_to_publish, now, publication=Publication.PUBLISHED, publish_at=None
        )
        withdrawn = await _turn(
            session, is_to_withdraw, now, publication=Publication.WITHDRAWN, withdraw_at=None
        )
    log.info("publications_turned", published_count=published, withdrawn_count=withdrawn)
    return published + withdrawn


def _are_due(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    is_present = Lecture.deleted_at.is_(None)
    return (
        and_(
            is_present,
            Lecture.publication == Publication.SCHEDULED,
            Lecture.publish_at <= now,
        ),
        and_(
            is_present,
            Lecture.publication == Publication.PUBLISHED,
            Lecture.withdraw_at <= now,
        ),
    )


async def _turn(
    session: AsyncSession, is_due: ColumnElement[bool], now: datetime, **values: Any
) -> int:
    ids = list(await session.scalars(select(Lecture.id).where(is_due).limit(BATCH_COUNT)))
    count = 0
    for lecture_id in ids:
        # Asked again with the write: another vod may have done it since.
        statement = update(Lecture).where(Lecture.id == lecture_id, is_due).values(**values)
        if await change(session, statement) != 1:
            continue
        count += 1
        record(
            session,
            now=now,
            actor_id=None,
            action=f"lecture.{values['publication'].value}",
            object_type="lecture",
            object_id=lecture_id,
            is_by_clock=True,
        )
        if values["publication"] is Publication.PUBLISHED:
            lecture = await session.get_one(Lecture, lecture_id)
            emit_lecture(session, EventKind.LECTURE_PUBLISHED, lecture, now=now)
            await draft_notice(
                session, kind="lecture", subject_id=lecture_id, actor_id=None, now=now
            )
    return count
