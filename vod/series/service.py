"""Create, change and list series. Owns its transactions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InputError, NotFoundError
from vod.accounts.roles import Viewer, Visibility
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, build_like, load_page
from vod.lectures.models import Lecture
from vod.series import schemas
from vod.series.models import Series


async def load_series_page(
    session: AsyncSession, page: PageQuery, *, words: str
) -> tuple[list[Series], int]:
    """Load one page, newest first."""
    query = select(Series).order_by(Series.created_at.desc(), Series.id.desc())
    if words.strip():
        like = build_like(words)
        query = query.where(
            or_(Series.title.ilike(like, escape="\\"), Series.description.ilike(like, escape="\\"))
        )
    return await load_page(session, query, page)


async def load_series(session: AsyncSession, series_id: str) -> Series:
    """Raises ``NotFoundError`` when there is none."""
    series = await session.get(Series, series_id)
    if series is None:
        raise NotFoundError("no such series")
    return series


async def require_series(session: AsyncSession, series_id: str) -> None:
    """Check a reference in a body.

    Raises:
        InputError: 422, there is no such series.
    """
    if await session.get(Series, series_id) is None:
        raise InputError("series_id: no such series", field="series_id", status=422)


async def count_lectures(
    session: AsyncSession, series_ids: Iterable[str], viewer: Viewer
) -> dict[str, int]:
    """Count per series the lectures that the viewer may see, in one query."""
    query = (
        select(Lecture.series_id, func.count())
        .where(Lecture.series_id.in_(set(series_ids)), Lecture.deleted_at.is_(None))
        .group_by(Lecture.series_id)
    )
    if not viewer.is_signed_in:
        query = query.where(Lecture.visibility == Visibility.PUBLIC)
    rows = await session.execute(query)
    return {key: count for key, count in rows.tuples() if key is not None}


async def create_series(
    database: Database, wanted: schemas.NewSeries, *, actor_id: str, now: datetime
) -> Series:
    async with database.write() as session:
        series = Series(title=wanted.title, description=wanted.description, created_at=now)
        session.add(series)
        await session.flush()
        record(
            session,
            now=now,
            actor_id=actor_id,
            action="series.created",
            object_type="series",
            object_id=series.id,
            title=wanted.title,
        )
    return series


async def change_series(
    database: Database,
    change: schemas.SeriesChange,
    *,
    series_id: str,
    actor_id: str,
    now: datetime,
) -> Series:
    """Raises ``NotFoundError`` when there is none."""
    async with database.write() as session:
        series = await load_series(session, series_id)
        if change.title is not None:
            series.title = change.title
        if change.description is not None:
            series.description = change.description
        record(
            session,
            now=now,
            actor_id=actor_id,
            action="series.changed",
            object_type="series",
            object_id=series.id,
            **change.model_dump(mode="json", exclude_unset=True),
        )
    return series
