"""Lists of what members watched and should watch, in a fixed number of questions. Only reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.roles import Viewer
from vod.http.pagination import PageQuery
from vod.lectures.extras import load_extras
from vod.lectures.models import Lecture, LectureState
from vod.lectures.present import present_lecture
from vod.lectures.publication import LectureKind, Publication
from vod.lectures.visible import build_visible
from vod.series.entries import load_order
from vod.series.models import Series, SeriesLecture
from vod.series.service import show_series
from vod.watching import schemas
from vod.watching.models import Favourite, WatchRecord

Pair: TypeAlias = tuple[Lecture, WatchRecord | None]


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose list it is; ``origin`` is where addresses begin."""

    account_id: str
    viewer: Viewer
    origin: str


async def load_watched(
    session: AsyncSession, page: PageQuery, asker: Asker, state: schemas.WatchFilter
) -> tuple[list[schemas.Watched], int]:
    """Load one page of what was watched, the latest first."""
    query = (
        select(Lecture, WatchRecord)
        .join(WatchRecord, WatchRecord.lecture_id == Lecture.id)
        .where(
            WatchRecord.account_id == asker.account_id,
            Lecture.deleted_at.is_(None),
            build_visible(asker.viewer),
        )
        .order_by(WatchRecord.updated_at.desc(), Lecture.id)
    )
    if state == "finished":
        query = query.where(WatchRecord.finished_at.is_not(None))
    elif state == "unfinished":
        query = query.where(WatchRecord.finished_at.is_(None))
    pairs, total = await _load_pairs(session, query, page)
    return await _present(session, pairs, asker), total


async def load_favourites(
    session: AsyncSession, page: PageQuery, asker: Asker
) -> tuple[list[schemas.Watched], int]:
    """Load one page of what a member keeps at hand, the latest first."""
    query = (
        select(Lecture, WatchRecord)
        .join(Favourite, Favourite.lecture_id == Lecture.id)
        .outerjoin(
            WatchRecord,
            and_(
                WatchRecord.lecture_id == Lecture.id,
                WatchRecord.account_id == asker.account_id,
            ),
        )
        .where(
            Favourite.account_id == asker.account_id,
            Lecture.deleted_at.is_(None),
            build_visible(asker.viewer),
        )
        .order_by(Favourite.created_at.desc(), Lecture.id)
    )
    pairs, total = await _load_pairs(session, query, page)
    return await _present(session, pairs, asker), total


async def load_required(
    session: AsyncSession, page: PageQuery, asker: Asker
) -> schemas.RequiredPage:
    """Load required lectures that are not finished: begun ones first, then the newest series."""
    query = _select_required(asker)
    counts = query.with_only_columns(
        func.count(), func.count(WatchRecord.finished_at), maintain_column_froms=True
    )
    required_count, finished_count = (await session.execute(counts.order_by(None))).one()
    rows = await session.execute(
        query.where(WatchRecord.finished_at.is_(None))
        .limit(page.page_size)
        .offset((page.page - 1) * page.page_size)
    )
    return schemas.RequiredPage(
        items=await _present(session, list(rows.tuples()), asker),
        finished_count=finished_count,
        required_count=required_count,
        page=page.page,
        page_size=page.page_size,
        total=required_count - finished_count,
    )


def _select_required(asker: Asker) -> Select[tuple[Lecture, WatchRecord]]:
    """Each lecture once, in however many published series it is required; what can be played."""
    wanted = (
        select(
            SeriesLecture.lecture_id.label("lecture_id"),
            func.max(SeriesLecture.series_id).label("series_id"),
            func.min(SeriesLecture.position).label("position"),
        )
        .join(Series, Series.id == SeriesLecture.series_id)
        .where(SeriesLecture.is_required, Series.is_published)
        .group_by(SeriesLecture.lecture_id)
        .subquery()
    )
    is_playable = or_(
        Lecture.kind != LectureKind.MEDIA,
        Lecture.state.in_([LectureState.PLAYABLE, LectureState.READY]),
    )
    return (
        select(Lecture, WatchRecord)
        .join(wanted, wanted.c.lecture_id == Lecture.id)
        .outerjoin(
            WatchRecord,
            and_(
                WatchRecord.lecture_id == Lecture.id,
                WatchRecord.account_id == asker.account_id,
            ),
        )
        .where(
            Lecture.deleted_at.is_(None),
            Lecture.publication == Publication.PUBLISHED,
            build_visible(asker.viewer),
            is_playable,
        )
        .order_by(
            WatchRecord.updated_at.desc().nulls_last(),
            wanted.c.series_id.desc(),
            wanted.c.position,
            Lecture.id,
        )
    )


async def load_positions(
    session: AsyncSession, lecture_ids: Collection[str], asker: Asker
) -> list[schemas.Position]:
    """Load where a member stopped in some lectures; those that were not begun are left out."""
    rows = await session.scalars(
        select(WatchRecord).where(
            WatchRecord.account_id == asker.account_id, WatchRecord.lecture_id.in_(lecture_ids)
        )
    )
    return [
        schemas.Position(
            lecture_id=row.lecture_id,
            position_s=row.position_s,
            watched_s=row.watched_s,
            is_finished=row.finished_at is not None,
        )
        for row in rows
    ]


async def load_series_progress(
    session: AsyncSession, series_id: str, asker: Asker
) -> schemas.SeriesProgress:
    """Load how far a member is with the published episodes of a series.

    Raises:
        NotFoundError: There is no such series, or the member may not know of it.
    """
    await show_series(session, series_id, asker.viewer)
    order = [
        (entry, lecture)
        for entry, lecture in await load_order(session, series_id, asker.viewer)
        if lecture.publication is Publication.PUBLISHED
    ]
    rows = await session.scalars(
        select(WatchRecord)
        .join(SeriesLecture, SeriesLecture.lecture_id == WatchRecord.lecture_id)
        .where(SeriesLecture.series_id == series_id, WatchRecord.account_id == asker.account_id)
    )
    found = {row.lecture_id: row for row in rows}
    return build_progress(
        [_build_episode(entry, lecture, found.get(lecture.id)) for entry, lecture in order]
    )


def build_progress(episodes: Sequence[schemas.EpisodeState]) -> schemas.SeriesProgress:
    """Count, and find where to go on: after the last finished one, else the first open one."""
    finished = [one.is_finished for one in episodes]
    last = max((index for index, is_done in enumerate(finished) if is_done), default=-1)
    open_ones = [index for index, is_done in enumerate(finished) if not is_done]
    index = next((one for one in open_ones if one > last), open_ones[0] if open_ones else None)
    required = [one for one in episodes if one.is_required]
    return schemas.SeriesProgress(
        lectures_count=len(episodes),
        finished_count=sum(finished),
        required_count=len(required),
        required_finished_count=sum(one.is_finished for one in required),
        episodes=list(episodes),
        next=None if index is None else episodes[index],
    )


def _build_episode(
    entry: SeriesLecture, lecture: Lecture, row: WatchRecord | None
) -> schemas.EpisodeState:
    return schemas.EpisodeState(
        lecture_id=lecture.id,
        title=lecture.title,
        is_required=entry.is_required,
        position_s=row.position_s if row else 0,
        watched_s=row.watched_s if row else 0,
        is_finished=row is not None and row.finished_at is not None,
    )


async def _load_pairs(
    session: AsyncSession, query: Select[tuple[Lecture, WatchRecord]], page: PageQuery
) -> tuple[list[Pair], int]:
    counted = query.with_only_columns(Lecture.id, maintain_column_froms=True).order_by(None)
    total = await session.scalar(select(func.count()).select_from(counted.subquery()))
    rows = await session.execute(
        query.limit(page.page_size).offset((page.page - 1) * page.page_size)
    )
    return list(rows.tuples()), total or 0


async def _present(
    session: AsyncSession, pairs: Sequence[Pair], asker: Asker
) -> list[schemas.Watched]:
    extras = await load_extras(session, [lecture for lecture, _ in pairs])
    return [
        schemas.Watched(
            lecture=present_lecture(
                lecture, extras[lecture.id], viewer=asker.viewer, origin=asker.origin
            ),
            position_s=row.position_s if row else 0,
            watched_s=row.watched_s if row else 0,
            finished_at=row.finished_at if row else None,
            updated_at=row.updated_at if row else None,
        )
        for lecture, row in pairs
    ]
