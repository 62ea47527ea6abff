"""Statements on notices. They never commit."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.accounts.roles import Viewer, Visibility
from vod.http.pagination import build_like
from vod.notices.models import Notice, NoticeSection, NoticeState
from vod.notices.policy import (
    NoticeStanding,
    find_standing,
    find_week_start,
    may_read,
    may_write,
)


def build_standing(standing: NoticeStanding, now: datetime) -> ColumnElement[bool]:
    """Build the condition that ``policy.find_standing`` tells of one row."""
    is_handed = and_(Notice.state == NoticeState.PUBLISHED, Notice.publish_at.is_not(None))
    is_over = and_(Notice.withdraw_at.is_not(None), Notice.withdraw_at <= now)
    is_open = or_(Notice.withdraw_at.is_(None), Notice.withdraw_at > now)
    match standing:
        case NoticeStanding.DRAFT:
            return or_(Notice.state == NoticeState.DRAFT, Notice.publish_at.is_(None))
        case NoticeStanding.WITHDRAWN:
            return and_(is_handed, is_over)
        case NoticeStanding.SCHEDULED:
            return and_(is_handed, is_open, Notice.publish_at > now)
        case NoticeStanding.PUBLISHED:
            return and_(is_handed, is_open, Notice.publish_at <= now)


def build_seen(viewer: Viewer, now: datetime) -> ColumnElement[bool]:
    """Build the condition on what ``viewer`` reads now as everybody like them does."""
    published = and_(Notice.deleted_at.is_(None), build_standing(NoticeStanding.PUBLISHED, now))
    if viewer.is_signed_in:
        return published
    return and_(published, Notice.visibility == Visibility.PUBLIC)


def build_list(
    viewer: Viewer, *, q: str, section: NoticeSection | None, now: datetime
) -> Select[tuple[Notice]]:
    """What the viewer reads, newest first."""
    query = select(Notice).where(build_seen(viewer, now))
    if section is not None:
        query = query.where(Notice.section == section)
    return _narrow(query, q).order_by(Notice.publish_at.desc(), Notice.id.desc())


def build_desk_list(
    *, q: str, standing: NoticeStanding | None, now: datetime
) -> Select[tuple[Notice]]:
    """All that there are, last changed first."""
    query = select(Notice).where(Notice.deleted_at.is_(None))
    if standing is not None:
        query = query.where(build_standing(standing, now))
    return _narrow(query, q).order_by(Notice.changed_at.desc(), Notice.id.desc())


def _narrow(query: Select[tuple[Notice]], q: str) -> Select[tuple[Notice]]:
    if not q.strip():
        return query
    like = build_like(q)
    found = (Notice.title, Notice.source, Notice.plain_text)
    return query.where(or_(*(column.ilike(like, escape="\\") for column in found)))


async def count_week(session: AsyncSession, viewer: Viewer, now: datetime) -> int:
    """Count what was published since Monday and the viewer can read now."""
    is_new = Notice.publish_at >= find_week_start(now)
    query = select(func.count()).select_from(Notice).where(build_seen(viewer, now), is_new)
    return await session.scalar(query) or 0


async def count_sections(
    session: AsyncSession, viewer: Viewer, now: datetime
) -> dict[NoticeSection, int]:
    """Count by section what the viewer can read now; every section is there."""
    query = (
        select(Notice.section, func.count(Notice.id))
        .where(build_seen(viewer, now))
        .group_by(Notice.section)
    )
    counts = dict((await session.execute(query)).tuples().all())
    return {section: counts.get(section, 0) for section in NoticeSection}


async def load_notice(
    session: AsyncSession, notice_id: str, viewer: Viewer, *, now: datetime
) -> Notice:
    """Load one.

    Raises:
        NotFoundError: There is none that the viewer may know of.
    """
    row = await session.get(Notice, notice_id)
    if row is None or row.deleted_at is not None:
        raise NotFoundError("no such notice")
    standing = find_standing(row.state, row.publish_at, row.withdraw_at, now=now)
    is_seen = standing is NoticeStanding.PUBLISHED and may_read(viewer, row.visibility)
    if not (is_seen or may_write(viewer)):
        raise NotFoundError("no such notice")
    return row
