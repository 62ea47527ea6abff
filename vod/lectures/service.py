"""Find, change and delete lectures. Owns its transactions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, build_like, load_page
from vod.jobs.planning import cancel_jobs
from vod.lectures import schemas
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import LectureKind, Publication
from vod.lectures.visible import build_visible
from vod.series.entries import assign_series
from vod.series.models import SeriesLecture


@dataclass(frozen=True, slots=True)
class LectureFilter:
    """What a list shows; empty members do not restrict it.

    ``deleted_after``: instead of the present ones those that were deleted since then.
    """

    words: str = ""
    series_id: str | None = None
    state: LectureState | None = None
    publication: Publication | None = None
    deleted_after: datetime | None = None


def _select_visible(
    viewer: Viewer, *, deleted_after: datetime | None = None
) -> Select[tuple[Lecture]]:
    is_there = Lecture.deleted_at.is_(None)
    return select(Lecture).where(
        is_there if deleted_after is None else Lecture.deleted_at > deleted_after,
        build_visible(viewer),
    )


async def load_lectures(
    session: AsyncSession, page: PageQuery, wanted: LectureFilter, viewer: Viewer
) -> tuple[list[Lecture], int]:
    """Load one page of what the viewer may see: in a series by position, else newest first."""
    query = _select_visible(viewer, deleted_after=wanted.deleted_after)
    if wanted.words.strip():
        like = build_like(wanted.words)
        query = query.where(
            or_(
                Lecture.title.ilike(like, escape="\\"),
                Lecture.description.ilike(like, escape="\\"),
            )
        )
    if wanted.state is not None:
        query = query.where(Lecture.state == wanted.state)
    if wanted.publication is not None:
        query = query.where(Lecture.publication == wanted.publication)
    if wanted.series_id is not None:
        query = query.join(SeriesLecture, SeriesLecture.lecture_id == Lecture.id)
        query = query.where(SeriesLecture.series_id == wanted.series_id)
        query = query.order_by(SeriesLecture.position, Lecture.id)
    else:
        query = query.order_by(Lecture.recorded_at.desc().nulls_last(), Lecture.id.desc())
    return await load_page(session, query, page)


async def load_recent(session: AsyncSession, viewer: Viewer, *, limit: int) -> list[Lecture]:
    """Load the newest published lectures that can be played."""
    query = (
        _select_visible(viewer)
        .where(
            Lecture.state.in_([LectureState.PLAYABLE, LectureState.READY]),
            Lecture.publication == Publication.PUBLISHED,
            Lecture.kind == LectureKind.MEDIA,
        )
        .order_by(Lecture.recorded_at.desc().nulls_last(), Lecture.id.desc())
    )
    return list(await session.scalars(query.limit(limit)))


async def load_replays(
    session: AsyncSession, live_class_ids: Iterable[str], viewer: Viewer
) -> dict[str, Lecture]:
    """Load the replays of classes by class id, as far as the viewer may see them."""
    query = _select_visible(viewer).where(Lecture.live_class_id.in_(set(live_class_ids)))
    rows = await session.scalars(query)
    return {row.live_class_id: row for row in rows if row.live_class_id is not None}


async def load_lecture(session: AsyncSession, lecture_id: str, viewer: Viewer) -> Lecture:
    """Load a lecture.

    Raises:
        NotFoundError: There is none, it was deleted, or the viewer may not know of it.
    """
    lecture = await session.scalar(_select_visible(viewer).where(Lecture.id == lecture_id))
    if lecture is None:
        raise NotFoundError("no such lecture")
    return lecture


async def change_lecture(
    database: Database,
    change: schemas.LectureChange,
    *,
    lecture_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Change the members that were sent; the caller has checked the right.

    Raises:
        NotFoundError: There is no such lecture.
        InputError: 422, no such series.
    """
    async with database.write() as session:
        lecture = await load_lecture(session, lecture_id, viewer)
        values = change.model_dump(exclude_unset=True)
        series_ids = values.pop("series_ids", None)
        if series_ids is not None:
            await assign_series(session, lecture_id, series_ids)
        for name, value in values.items():
            if value is not None:
                setattr(lecture, name, value)
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="lecture.changed",
            object_type="lecture",
            object_id=lecture_id,
            **change.model_dump(mode="json", exclude_unset=True),
        )


async def delete_lecture(
    database: Database, *, lecture_id: str, viewer: Viewer, now: datetime
) -> None:
    """Hide a lecture for good; its media go after a grace period (``vod.assets.cleanup``).

    Raises:
        NotFoundError: There is no such lecture.
    """
    async with database.write() as session:
        lecture = await load_lecture(session, lecture_id, viewer)
        lecture.deleted_at = now
        await cancel_jobs(session, lecture_id, reason="课程已删除", now=now)
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="lecture.deleted",
            object_type="lecture",
            object_id=lecture_id,
            title=lecture.title,
        )
