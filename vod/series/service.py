"""Create, change and list series. Owns its transactions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, build_like, load_page
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.series import schemas
from vod.series.entries import load_order, write_order
from vod.series.models import Series, SeriesLecture
from vod.series.policy import may_edit_series, may_see_series


async def load_series_page(
    session: AsyncSession, page: PageQuery, *, words: str, viewer: Viewer
) -> tuple[list[Series], int]:
    """Load one page of those that the viewer may know of, newest first."""
    query = select(Series).order_by(Series.created_at.desc(), Series.id.desc())
    if not may_edit_series(viewer):
        query = query.where(Series.is_published.is_(True))
    if words.strip():
        like = build_like(words)
        query = query.where(
            or_(Series.title.ilike(like, escape="\\"), Series.description.ilike(like, escape="\\"))
        )
    return await load_page(session, query, page)


async def show_series(session: AsyncSession, series_id: str, viewer: Viewer) -> Series:
    """Load a series that the viewer may know of; raises ``NotFoundError``."""
    series = await load_series(session, series_id)
    if not may_see_series(viewer, is_published=series.is_published):
        raise NotFoundError("no such series")
    return series


async def load_series(session: AsyncSession, series_id: str) -> Series:
    """Raises ``NotFoundError`` when there is none."""
    series = await session.get(Series, series_id)
    if series is None:
        raise NotFoundError("no such series")
    return series


@dataclass(frozen=True, slots=True)
class SeriesSums:
    """Of the lectures in a series that somebody may see."""

    lectures_count: int = 0
    required_count: int = 0
    hours: Decimal = Decimal(0)
    required_hours: Decimal = Decimal(0)


async def sum_series(
    session: AsyncSession, series_ids: Iterable[str], viewer: Viewer
) -> dict[str, SeriesSums]:
    """Sum up what the viewer may see of each series, in one query."""
    is_required = SeriesLecture.is_required
    query = (
        select(
            SeriesLecture.series_id,
            func.count(),
            func.count().filter(is_required),
            func.sum(Lecture.hours),
            func.sum(Lecture.hours).filter(is_required),
        )
        .join(Lecture, Lecture.id == SeriesLecture.lecture_id)
        .where(
            SeriesLecture.series_id.in_(set(series_ids)),
            Lecture.deleted_at.is_(None),
            build_visible(viewer),
        )
        .group_by(SeriesLecture.series_id)
    )
    return {
        key: SeriesSums(count, required, hours or Decimal(0), required_hours or Decimal(0))
        for key, count, required, hours, required_hours in (await session.execute(query)).tuples()
    }


async def count_lectures(
    session: AsyncSession, series_ids: Iterable[str], viewer: Viewer
) -> dict[str, int]:
    """Count per series the lectures that the viewer may see, in one query."""
    sums = await sum_series(session, series_ids, viewer)
    return {key: found.lectures_count for key, found in sums.items()}


async def create_series(
    database: Database, wanted: schemas.NewSeries, *, actor_id: str, now: datetime
) -> Series:
    async with database.write() as session:
        series = Series(**wanted.model_dump(), created_at=now)
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
    wanted: schemas.SeriesChange,
    *,
    series_id: str,
    actor_id: str,
    now: datetime,
) -> Series:
    """Raises ``NotFoundError`` when there is none."""
    async with database.write() as session:
        series = await load_series(session, series_id)
        for name, value in wanted.model_dump(exclude_unset=True).items():
            if value is not None or name == "planned_count":
                setattr(series, name, value)
        record(
            session,
            now=now,
            actor_id=actor_id,
            action="series.changed",
            object_type="series",
            object_id=series.id,
            **wanted.model_dump(mode="json", exclude_unset=True),
        )
    return series


async def change_cover(
    database: Database, name: str, *, series_id: str, viewer: Viewer, now: datetime
) -> Series:
    """Show another cover, which is in the blob store; raises ``NotFoundError``."""
    async with database.write() as session:
        series = await load_series(session, series_id)
        series.cover = name
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="series.cover_changed",
            object_type="series",
            object_id=series_id,
        )
    return series


async def load_series_order(
    session: AsyncSession, series_id: str, viewer: Viewer
) -> schemas.SeriesOrder:
    """Load the lectures of a series that the viewer may see, in order; raises ``NotFoundError``."""
    series = await show_series(session, series_id, viewer)
    rows = await load_order(session, series_id, viewer)
    return schemas.SeriesOrder(
        version=series.version,
        lectures=[
            schemas.SeriesEntry(
                lecture_id=lecture.id,
                title=lecture.title,
                publication=lecture.publication,
                hours=lecture.hours,
                is_required=entry.is_required,
            )
            for entry, lecture in rows
        ],
    )


async def order_series(
    database: Database,
    wanted: schemas.WantedOrder,
    *,
    series_id: str,
    viewer: Viewer,
    now: datetime,
) -> tuple[schemas.SeriesOrder, bool]:
    """Set the lectures of a series and their order, unless somebody else has meanwhile.

    Returns:
        How it is now, and whether it took the change.

    Raises:
        NotFoundError: There is no such series.
        InputError: 422, a lecture that does not exist or comes twice.
    """
    async with database.write() as session:
        statement = update(Series).where(Series.id == series_id, Series.version == wanted.version)
        is_saved = await change(session, statement.values(version=wanted.version + 1)) == 1
        if is_saved:
            await write_order(session, series_id, wanted.lectures)
            record(
                session,
                now=now,
                actor_id=viewer.account_id,
                action="series.ordered",
                object_type="series",
                object_id=series_id,
                lectures=[
                    {"id": entry.lecture_id, "is_required": entry.is_required}
                    for entry in wanted.lectures
                ],
            )
        return await load_series_order(session, series_id, viewer), is_saved
