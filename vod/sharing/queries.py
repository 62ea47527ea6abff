"""What strangers may know of: statements for share pages, feeds, the calendar and the sitemap.

They never commit. What is bound to an audience is not here at all; what is for members has its
title and text, as on a notice board, but neither picture nor sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kernel.errors import NotFoundError
from vod.accounts.roles import Visibility
from vod.classes.models import LiveClass
from vod.lectures.extras import LectureExtras, load_extras
from vod.lectures.models import Lecture, LectureState
from vod.lectures.present import build_duration_s, build_image_urls, find_extra
from vod.lectures.publication import Publication
from vod.lectures.visible import build_open
from vod.material.timeline import find_folder
from vod.series.models import Series, SeriesLecture
from vod.sharing.cards import Card, clean_text, read_text
from vod.sharing.sitemap import MAX_URLS
from vod.sharing.timetable import Entry

PLAYS: Final = (LectureState.PLAYABLE, LectureState.READY)


def _select_announced() -> Select[tuple[Lecture]]:
    return select(Lecture).where(
        Lecture.deleted_at.is_(None),
        Lecture.publication == Publication.PUBLISHED,
        Lecture.audience.is_(None),
    )


async def find_card(session: AsyncSession, subject_id: str) -> Card:
    """Look a lecture, series or live class up.

    Raises:
        NotFoundError: There is none, or strangers may not know of it.
    """
    lecture = await session.scalar(_select_announced().where(Lecture.id == subject_id))
    if lecture is not None:
        return (await build_cards(session, [lecture]))[0]
    series = await session.get(Series, subject_id)
    if series is not None and series.is_published:
        return build_series_card(series)
    query = select(LiveClass).options(joinedload(LiveClass.instructor))
    row = await session.scalar(query.where(LiveClass.id == subject_id))
    if row is not None:
        return build_class_card(row)
    raise NotFoundError("nothing like that to share")


async def load_news(session: AsyncSession, *, limit: int) -> list[Card]:
    """Load the newest lectures that everybody may watch."""
    query = (
        select(Lecture)
        .where(Lecture.deleted_at.is_(None), build_open(), Lecture.state.in_(PLAYS))
        .order_by(Lecture.created_at.desc(), Lecture.id.desc())
    )
    return await build_cards(session, list(await session.scalars(query.limit(limit))))


async def load_series(
    session: AsyncSession, series_id: str, *, limit: int, is_open: bool
) -> tuple[Card, list[Card]]:
    """Load a series and its lectures in order.

    Args:
        is_open: Only what everybody may watch.

    Raises:
        NotFoundError: There is none, or it is not published.
    """
    series = await session.get(Series, series_id)
    if series is None or not series.is_published:
        raise NotFoundError("no such series")
    query = _select_announced().join(SeriesLecture, SeriesLecture.lecture_id == Lecture.id)
    query = query.where(SeriesLecture.series_id == series_id)
    if is_open:
        query = query.where(build_open(), Lecture.state.in_(PLAYS))
    rows = await session.scalars(query.order_by(SeriesLecture.position).limit(limit))
    return build_series_card(series), await build_cards(session, list(rows))


async def load_timetable(
    session: AsyncSession, *, since: datetime, limit: int, origin: str
) -> list[Entry]:
    """Load the public classes that begin, or began, after ``since``, first ones first."""
    query = select(LiveClass).where(
        LiveClass.visibility == Visibility.PUBLIC, LiveClass.starts_at >= since
    )
    rows = await session.scalars(query.order_by(LiveClass.starts_at, LiveClass.id).limit(limit))
    return [
        Entry(
            uid=f"{row.id}@lecture-hall",
            title=clean_text(row.title),
            starts_at=row.starts_at,
            ends_at=row.planned_end,
            sequence=0,  # Subscribers read the whole anew; nobody is sent a change.
            changed_at=row.created_at,
            text=clean_text(row.description),
            url=f"{origin}/classes/{row.id}",
        )
        for row in rows
        if row.starts_at is not None
    ]


async def load_sitemap(
    session: AsyncSession, *, origin: str, page: int
) -> list[tuple[str, datetime | None]]:
    """Load one file's addresses of what everybody may see; ``page`` counts from 0."""
    lectures = (
        select(Lecture.id, Lecture.created_at)
        .where(Lecture.deleted_at.is_(None), build_open())
        .order_by(Lecture.id)
        .offset(page * MAX_URLS)
        .limit(MAX_URLS)
    )
    rows = await session.execute(lectures)
    return [(f"{origin}/lectures/{lecture_id}", at) for lecture_id, at in rows.tuples()]


async def count_open(session: AsyncSession) -> int:
    """Count the lectures that everybody may watch."""
    query = select(func.count()).select_from(Lecture)
    return await session.scalar(query.where(Lecture.deleted_at.is_(None), build_open())) or 0


async def load_series_urls(
    session: AsyncSession, *, origin: str
) -> list[tuple[str, datetime | None]]:
    """Load the addresses of all published series."""
    query = select(Series.id, Series.created_at).where(Series.is_published)
    rows = await session.execute(query.order_by(Series.id).limit(MAX_URLS))
    return [(f"{origin}/series/{series_id}", at) for series_id, at in rows.tuples()]


async def build_cards(session: AsyncSession, lectures: Sequence[Lecture]) -> list[Card]:
    """Build the cards of lectures in a fixed number of queries."""
    extras = await load_extras(session, lectures)
    return [_build_card(lecture, extras[lecture.id]) for lecture in lectures]


def _build_card(lecture: Lecture, extras: LectureExtras) -> Card:
    is_open = lecture.visibility is Visibility.PUBLIC
    asset, audio = extras.asset, find_extra(extras.asset, "audio_download")
    has_sound = is_open and asset is not None and audio is not None
    return Card(
        kind="lecture",
        id=lecture.id,
        title=clean_text(lecture.title),
        text=read_text(lecture.description, lecture.introduction),
        created_at=lecture.created_at,
        teachers=tuple(clean_text(one.name) for one in extras.catalogue.instructors),
        cover_path=build_image_urls(lecture, extras, "")[0] if is_open else None,
        duration_s=build_duration_s(lecture, asset),
        is_open=is_open,
        audio_key=find_folder(asset) + audio if has_sound and asset and audio else None,
    )


def build_series_card(series: Series) -> Card:
    path = f"/api/v1/series/{series.id}/cover?v={series.cover[:12]}" if series.cover else None
    return Card(
        kind="series",
        id=series.id,
        title=clean_text(series.title),
        text=read_text(series.description, series.introduction),
        created_at=series.created_at,
        cover_path=path,
    )


def build_class_card(row: LiveClass) -> Card:
    """Build the card of a class; ``instructor`` must be loaded."""
    return Card(
        kind="live_class",
        id=row.id,
        title=clean_text(row.title),
        text=clean_text(row.description),
        created_at=row.created_at,
        teachers=(clean_text(row.instructor.display_name),) if row.instructor else (),
        is_open=row.visibility is Visibility.PUBLIC,
        starts_at=row.starts_at,
        state=row.state,
    )
