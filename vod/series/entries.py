"""Statements on the lectures of series. They never commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InputError
from vod.accounts.roles import Viewer
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.series.models import Series, SeriesLecture
from vod.series.schemas import SeriesMembership, WantedEntry


async def require_series(session: AsyncSession, series_id: str) -> None:
    """Check a reference in a body.

    Raises:
        InputError: 422, there is no such series.
    """
    if await session.get(Series, series_id) is None:
        raise InputError("series_id: no such series", field="series_id", status=422)


async def require_all_series(session: AsyncSession, series_ids: Collection[str]) -> None:
    """Check a list of references in a body.

    Raises:
        InputError: 422, there is no such series.
    """
    found = await session.scalars(select(Series.id).where(Series.id.in_(series_ids)))
    missing = set(series_ids) - set(found)
    if missing:
        raise InputError(f"series_ids: no series {min(missing)}", field="series_ids", status=422)


async def append_lecture(
    session: AsyncSession, series_id: str, lecture_id: str, *, is_required: bool = True
) -> None:
    """Put a lecture at the end of a series; one that is in it already stays where it is."""
    if await session.get(SeriesLecture, (series_id, lecture_id)) is not None:
        return
    # One after the other: two at once would get the same position.
    await session.execute(select(Series.id).where(Series.id == series_id).with_for_update())
    last = await session.scalar(
        select(func.max(SeriesLecture.position)).where(SeriesLecture.series_id == series_id)
    )
    session.add(
        SeriesLecture(
            series_id=series_id,
            lecture_id=lecture_id,
            position=0 if last is None else last + 1,
            is_required=is_required,
        )
    )
    await session.flush()


async def assign_series(
    session: AsyncSession, lecture_id: str, series_ids: Sequence[str]
) -> list[str]:
    """Let a lecture be in exactly these series: at the end of those that are new.

    Returns:
        The series that changed.

    Raises:
        InputError: 422, no such series.
    """
    await require_all_series(session, series_ids)
    known = set(
        await session.scalars(
            select(SeriesLecture.series_id).where(SeriesLecture.lecture_id == lecture_id)
        )
    )
    gone = known - set(series_ids)
    await session.execute(
        delete(SeriesLecture).where(
            SeriesLecture.lecture_id == lecture_id, SeriesLecture.series_id.in_(gone)
        )
    )
    added = [series_id for series_id in series_ids if series_id not in known]
    for series_id in added:
        await append_lecture(session, series_id, lecture_id)
    return [*sorted(gone), *added]


async def load_memberships(
    session: AsyncSession, lecture_ids: Iterable[str]
) -> dict[str, list[SeriesMembership]]:
    """Find in which series lectures are, the oldest series first, in one query."""
    found: defaultdict[str, list[SeriesMembership]] = defaultdict(list)
    rows = await session.execute(
        select(SeriesLecture, Series.title)
        .join(Series, Series.id == SeriesLecture.series_id)
        .where(SeriesLecture.lecture_id.in_(set(lecture_ids)))
        .order_by(Series.created_at, Series.id)
    )
    for entry, title in rows.tuples():
        found[entry.lecture_id].append(
            SeriesMembership(
                id=entry.series_id,
                title=title,
                position=entry.position,
                is_required=entry.is_required,
            )
        )
    return found


async def load_order(
    session: AsyncSession, series_id: str, viewer: Viewer
) -> list[tuple[SeriesLecture, Lecture]]:
    """Load the lectures of a series that the viewer may see, in order."""
    rows = await session.execute(
        select(SeriesLecture, Lecture)
        .join(Lecture, Lecture.id == SeriesLecture.lecture_id)
        .where(
            SeriesLecture.series_id == series_id,
            Lecture.deleted_at.is_(None),
            build_visible(viewer),
        )
        .order_by(SeriesLecture.position, Lecture.id)
    )
    return list(rows.tuples())


async def write_order(session: AsyncSession, series_id: str, wanted: Sequence[WantedEntry]) -> None:
    """Let a series hold exactly these lectures in this order; deleted ones keep a place at the end.

    Raises:
        InputError: 422, a lecture that does not exist or comes twice.
    """
    ids = [entry.lecture_id for entry in wanted]
    if len(set(ids)) != len(ids):
        raise InputError("a lecture comes twice", field="lectures", status=422)
    present = set(
        await session.scalars(
            select(Lecture.id).where(Lecture.id.in_(ids), Lecture.deleted_at.is_(None))
        )
    )
    if missing := set(ids) - present:
        raise InputError(f"no lecture {min(missing)}", field="lectures", status=422)
    entries = {
        entry.lecture_id: entry
        for entry in await session.scalars(
            select(SeriesLecture).where(SeriesLecture.series_id == series_id)
        )
    }
    deleted = await session.scalars(
        select(Lecture.id).where(Lecture.id.in_(entries), Lecture.deleted_at.is_not(None))
    )
    kept = sorted(set(deleted), key=lambda lecture_id: entries[lecture_id].position)
    for lecture_id in set(entries) - present - set(kept):
        await session.delete(entries[lecture_id])
    is_required = {entry.lecture_id: entry.is_required for entry in wanted}
    for position, lecture_id in enumerate([*ids, *kept]):
        entry = entries.get(lecture_id)
        if entry is None:
            entry = SeriesLecture(series_id=series_id, lecture_id=lecture_id)
            session.add(entry)
        entry.position = position
        if lecture_id in is_required:
            entry.is_required = is_required[lecture_id]
    await session.flush()
