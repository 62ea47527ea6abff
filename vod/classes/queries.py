"""Statements on live classes. They never commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kernel.errors import NotFoundError
from vod.accounts.roles import Viewer, Visibility
from vod.classes.models import LiveClass
from vod.classes.policy import may_see_class
from vod.classes.states import ClassState
from vod.http.pagination import PageQuery, build_like, load_page

ON_AIR: Final = (ClassState.LIVE, ClassState.INTERRUPTED)
LATE: Final = timedelta(hours=6)  # A class that should have begun stays in the timetable so long.


@dataclass(frozen=True, slots=True)
class ClassFilter:
    """What a list shows; empty members do not restrict it.

    Attributes:
        is_mine: Only classes that whoever asks teaches.
    """

    words: str = ""
    state: ClassState | None = None
    series_id: str | None = None
    is_mine: bool = False


def _select_visible(viewer: Viewer) -> Select[tuple[LiveClass]]:
    query = select(LiveClass).options(
        joinedload(LiveClass.series), joinedload(LiveClass.instructor)
    )
    if not viewer.is_signed_in:
        query = query.where(LiveClass.visibility == Visibility.PUBLIC)
    return query


async def load_classes(
    session: AsyncSession, page: PageQuery, wanted: ClassFilter, viewer: Viewer
) -> tuple[list[LiveClass], int]:
    """Load one page of what the viewer may see, latest start first."""
    query = _select_visible(viewer)
    if wanted.words.strip():
        like = build_like(wanted.words)
        query = query.where(
            or_(
                LiveClass.title.ilike(like, escape="\\"),
                LiveClass.description.ilike(like, escape="\\"),
            )
        )
    if wanted.state is not None:
        query = query.where(LiveClass.state == wanted.state)
    if wanted.series_id is not None:
        query = query.where(LiveClass.series_id == wanted.series_id)
    if wanted.is_mine:
        query = query.where(LiveClass.instructor_id == viewer.account_id)
    query = query.order_by(LiveClass.starts_at.desc().nulls_first(), LiveClass.id.desc())
    return await load_page(session, query, page)


async def load_on_air(session: AsyncSession, viewer: Viewer, *, limit: int) -> list[LiveClass]:
    """Load what is live or interrupted now, latest start first."""
    query = _select_visible(viewer).where(LiveClass.state.in_(ON_AIR))
    rows = await session.scalars(query.order_by(LiveClass.started_at.desc()).limit(limit))
    return list(rows)


async def load_upcoming(
    session: AsyncSession, viewer: Viewer, *, now: datetime, limit: int
) -> list[LiveClass]:
    """Load the timetable: next first, those without a time last, those long missed not at all."""
    query = _select_visible(viewer).where(
        LiveClass.state == ClassState.SCHEDULED,
        or_(LiveClass.starts_at.is_(None), LiveClass.starts_at > now - LATE),
    )
    rows = await session.scalars(
        query.order_by(LiveClass.starts_at.asc().nulls_last(), LiveClass.id).limit(limit)
    )
    return list(rows)


async def load_class(session: AsyncSession, live_class_id: str, viewer: Viewer) -> LiveClass:
    """Load a class.

    Raises:
        NotFoundError: There is none, or the viewer may not know of it.
    """
    live_class = await session.scalar(
        select(LiveClass)
        .where(LiveClass.id == live_class_id)
        .options(joinedload(LiveClass.series), joinedload(LiveClass.instructor))
    )
    if live_class is None or not may_see_class(viewer, live_class.visibility):
        raise NotFoundError("no such class")
    return live_class


async def lock_class(session: AsyncSession, live_class_id: str) -> LiveClass:
    """Load a class so that nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: There is none.
    """
    live_class = await session.scalar(
        select(LiveClass).where(LiveClass.id == live_class_id).with_for_update()
    )
    if live_class is None:
        raise NotFoundError("no such class")
    return live_class
