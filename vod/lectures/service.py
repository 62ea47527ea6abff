"""Find, change and delete lectures. Owns its transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotFoundError
from vod.accounts.roles import Viewer, Visibility
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, build_like, load_page
from vod.jobs.planning import cancel_jobs
from vod.jobs.queries import change as change_rows
from vod.lectures import schemas
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import LectureKind, Publication
from vod.lectures.visible import build_visible
from vod.lectures.writing import add_tags, check_audience, write_entry
from vod.library.forms.models import LectureTag
from vod.library.models import LectureInstructor
from vod.series.entries import append_lecture, require_series
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
    kind: LectureKind | None = None
    form: str | None = None
    tag: str | None = None
    instructor_id: str | None = None
    review_until: date | None = None
    is_featured: bool | None = None
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
    query = query.where(*_build_conditions(wanted))
    if wanted.series_id is not None:
        query = query.join(SeriesLecture, SeriesLecture.lecture_id == Lecture.id)
        query = query.where(SeriesLecture.series_id == wanted.series_id)
        query = query.order_by(SeriesLecture.position, Lecture.id)
    elif wanted.review_until is not None:
        query = query.order_by(Lecture.review_by, Lecture.id)
    else:
        query = query.order_by(Lecture.recorded_at.desc().nulls_last(), Lecture.id.desc())
    return await load_page(session, query, page)


def _build_conditions(wanted: LectureFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.words.strip():
        like = build_like(wanted.words)
        yield or_(
            Lecture.title.ilike(like, escape="\\"),
            Lecture.description.ilike(like, escape="\\"),
        )
    for column, value in (
        (Lecture.state, wanted.state),
        (Lecture.publication, wanted.publication),
        (Lecture.kind, wanted.kind),
        (Lecture.form, wanted.form),
    ):
        if value is not None:
            yield column == value
    if wanted.tag is not None:
        tagged = select(LectureTag.lecture_id).where(LectureTag.name == wanted.tag)
        yield Lecture.id.in_(tagged)
    if wanted.instructor_id is not None:
        is_theirs = LectureInstructor.instructor_id == wanted.instructor_id
        yield Lecture.id.in_(select(LectureInstructor.lecture_id).where(is_theirs))
    if wanted.is_featured is not None:
        is_set = Lecture.featured_at.is_not(None)
        yield is_set if wanted.is_featured else ~is_set
    if wanted.review_until is not None:
        yield Lecture.review_by <= wanted.review_until


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
        InputError: 422, no such series, form or instructor.
        ConflictError: Somebody else has changed it since, or its external id is another's.
    """
    async with database.write() as session:
        lecture = await load_lecture(session, lecture_id, viewer)
        await count_version(session, lecture, change.version)
        await check_audience(session, change.audience)
        await write_entry(session, lecture, change.model_dump(exclude_unset=True), now=now)
        detail = change.model_dump(mode="json", exclude_unset=True)
        note(session, lecture_id, "lecture.changed", viewer, now, **detail)


async def count_version(session: AsyncSession, lecture: Lecture, seen: int | None) -> None:
    """Count the lecture's version up; raises ``ConflictError`` when ``seen`` is an older one."""
    statement = update(Lecture).where(Lecture.id == lecture.id)
    if seen is not None:
        statement = statement.where(Lecture.version == seen)
    if await change_rows(session, statement.values(version=Lecture.version + 1)) != 1:
        raise ConflictError(
            f"the lecture is at another version than {seen}",
            title_zh="课程信息已被别人改过,请刷新后再改",
        )
    await session.refresh(lecture)


async def create_lecture(
    database: Database, wanted: schemas.NewLecture, *, viewer: Viewer, now: datetime
) -> str:
    """Make a draft of papers or a page elsewhere; returns its identifier.

    Raises:
        InputError: 422, a link without address, or no such series, form or instructor.
        ConflictError: Its external id is another's.
    """
    if wanted.kind == "link" and not wanted.external_url:
        raise InputError(
            "external_url: a link needs one",
            field="external_url",
            status=422,
            title_zh="请填写网络资源的地址",
        )
    async with database.write() as session:
        lecture = Lecture(
            title=wanted.title,
            kind=LectureKind(wanted.kind),
            visibility=wanted.visibility or Visibility.MEMBERS,
            state=LectureState.READY,
            publication=Publication.DRAFT,
            recorded_at=now,
            created_at=now,
        )
        session.add(lecture)
        await session.flush()
        await check_audience(session, wanted.audience)
        values = wanted.model_dump(exclude_unset=True, exclude={"title", "kind", "visibility"})
        await write_entry(session, lecture, values, now=now)
        detail = wanted.model_dump(mode="json", exclude_unset=True)
        note(session, lecture.id, "lecture.created", viewer, now, **detail)
        return lecture.id


async def change_many(
    database: Database, change: schemas.BulkChange, *, viewer: Viewer, now: datetime
) -> int:
    """Change many lectures the same way, all or none; returns how many there were.

    Raises:
        NotFoundError: One of them does not exist (any more).
        InputError: 422, no such series or form.
    """
    ids = list(dict.fromkeys(change.lecture_ids))
    async with database.write() as session:
        rows = list(await session.scalars(_select_visible(viewer).where(Lecture.id.in_(ids))))
        if len(rows) != len(ids):
            raise NotFoundError("one of them does not exist", title_zh="有课程已被删除,请刷新")
        await check_audience(session, change.audience)
        shared = {"lecture_ids", "add_tags", "add_to_series"}
        values = change.model_dump(exclude_unset=True, exclude=shared)
        if change.add_to_series is not None:
            await require_series(session, change.add_to_series)
        order = {lecture_id: position for position, lecture_id in enumerate(ids)}
        for lecture in sorted(rows, key=lambda row: order[row.id]):
            await count_version(session, lecture, None)
            await write_entry(session, lecture, values, now=now)
            if change.add_tags:
                await add_tags(session, lecture.id, change.add_tags)
            if change.add_to_series is not None:
                await append_lecture(session, change.add_to_series, lecture.id)
            detail = change.model_dump(mode="json", exclude_unset=True, exclude={"lecture_ids"})
            note(session, lecture.id, "lecture.changed", viewer, now, **detail, is_bulk=True)
    return len(rows)


def note(
    session: AsyncSession,
    lecture_id: str,
    action: str,
    viewer: Viewer,
    now: datetime,
    **detail: Any,
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="lecture",
        object_id=lecture_id,
        **detail,
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
        note(session, lecture_id, "lecture.deleted", viewer, now, title=lecture.title)
