"""Find, change and delete lectures. Owns its transactions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kernel.errors import NotFoundError
from vod.accounts.roles import Viewer, Visibility
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, build_like, load_page
from vod.jobs.planning import cancel_jobs
from vod.lectures import schemas
from vod.lectures.models import Lecture, LectureState
from vod.lectures.policy import may_see_lecture
from vod.series.service import require_series


@dataclass(frozen=True, slots=True)
class LectureFilter:
    """What a list shows; empty members do not restrict it.

    ``deleted_after``: instead of the present ones those that were deleted since then.
    """

    words: str = ""
    series_id: str | None = None
    state: LectureState | None = None
    deleted_after: datetime | None = None


def _select_visible(
    viewer: Viewer, *, deleted_after: datetime | None = None
) -> Select[tuple[Lecture]]:
    is_there = Lecture.deleted_at.is_(None)
    query = select(Lecture).where(
        is_there if deleted_after is None else Lecture.deleted_at > deleted_after
    )
    if not viewer.is_signed_in:
        query = query.where(Lecture.visibility == Visibility.PUBLIC)
    return query.options(joinedload(Lecture.series))


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
    if wanted.series_id is not None:
        query = query.where(Lecture.series_id == wanted.series_id)
        query = query.order_by(Lecture.position.asc().nulls_last(), Lecture.recorded_at, Lecture.id)
    else:
        query = query.order_by(Lecture.recorded_at.desc().nulls_last(), Lecture.id.desc())
    return await load_page(session, query, page)


async def load_recent(session: AsyncSession, viewer: Viewer, *, limit: int) -> list[Lecture]:
    """Load the newest lectures that can be played."""
    query = (
        _select_visible(viewer)
        .where(Lecture.state.in_([LectureState.PLAYABLE, LectureState.READY]))
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
    lecture = await session.scalar(
        select(Lecture)
        .where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
        .options(joinedload(Lecture.series))
    )
    if lecture is None or not may_see_lecture(viewer, lecture.visibility):
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
        if values.get("series_id") is not None:
            await require_series(session, values["series_id"])
        for name, value in values.items():
            if value is not None or name in {"series_id", "position"}:
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
