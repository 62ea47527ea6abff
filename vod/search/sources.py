"""Read what can be found from its rows. They never commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from vod.assets.models import Asset
from vod.captions.models import CaptionTrack
from vod.captions.refs import load_refs
from vod.classes.models import LiveClass
from vod.lectures.models import Lecture
from vod.lectures.publication import Publication
from vod.library.forms.models import LectureForm, LectureTag
from vod.library.models import Instructor, LectureInstructor
from vod.material.timeline import find_timeline
from vod.search.documents import Source, SourceTrack
from vod.search.models import SearchKind
from vod.search.text import strip_markup
from vod.series.models import Series, SeriesLecture


async def load_sources(
    session: AsyncSession, kind: SearchKind, ids: Collection[str]
) -> dict[str, Source]:
    """Load those of ``ids`` that are there; a fixed number of queries and one per lecture."""
    load = {
        SearchKind.LECTURE: _load_lectures,
        SearchKind.SERIES: _load_series,
        SearchKind.LIVE_CLASS: _load_classes,
        SearchKind.INSTRUCTOR: _load_instructors,
    }[kind]
    return {source.object_id: source for source in await load(session, ids)}


async def _load_lectures(session: AsyncSession, ids: Collection[str]) -> list[Source]:
    rows = await session.execute(
        select(Lecture, Asset, LectureForm.name)
        .outerjoin(Asset, Asset.id == Lecture.asset_id)
        .outerjoin(LectureForm, LectureForm.key == Lecture.form)
        .where(Lecture.id.in_(ids), Lecture.deleted_at.is_(None))
    )
    labels = await _load_labels(session, ids)
    people = await load_people(session, ids)
    sources = []
    for lecture, asset, form in rows.tuples():
        described = [*labels[lecture.id], *filter(None, (form, lecture.source_label))]
        sources.append(
            Source(
                kind=SearchKind.LECTURE,
                object_id=lecture.id,
                title=lecture.title,
                sorted_at=lecture.recorded_at or lecture.created_at,
                people=tuple(people[lecture.id]),
                labels=tuple(described),
                body=(lecture.description, strip_markup(lecture.introduction)),
                visibility=lecture.visibility,
                is_published=lecture.publication is Publication.PUBLISHED,
                audience=lecture.audience,
                timeline=find_timeline(lecture, asset),
                tracks=await _load_tracks(session, lecture.id),
            )
        )
    return sources


async def _load_labels(session: AsyncSession, ids: Collection[str]) -> defaultdict[str, list[str]]:
    """Load tags and the titles of published series by lecture."""
    labels: defaultdict[str, list[str]] = defaultdict(list)
    titles = await session.execute(
        select(SeriesLecture.lecture_id, Series.title)
        .join(Series, Series.id == SeriesLecture.series_id)
        .where(SeriesLecture.lecture_id.in_(ids), Series.is_published.is_(True))
        .order_by(SeriesLecture.lecture_id, Series.title)
    )
    tags = await session.execute(
        select(LectureTag.lecture_id, LectureTag.name)
        .where(LectureTag.lecture_id.in_(ids))
        .order_by(LectureTag.lecture_id, LectureTag.name)
    )
    for lecture_id, label in chain(titles.tuples(), tags.tuples()):
        labels[lecture_id].append(label)
    return labels


async def load_people(session: AsyncSession, ids: Collection[str]) -> defaultdict[str, list[str]]:
    """Load the names of the published instructors by lecture, in their order there."""
    people: defaultdict[str, list[str]] = defaultdict(list)
    rows = await session.execute(
        select(LectureInstructor.lecture_id, Instructor.name)
        .join(Instructor, Instructor.id == LectureInstructor.instructor_id)
        .where(LectureInstructor.lecture_id.in_(ids), Instructor.is_published.is_(True))
        .order_by(LectureInstructor.lecture_id, LectureInstructor.position)
    )
    for lecture_id, name in rows.tuples():
        people[lecture_id].append(name)
    return people


async def _load_tracks(session: AsyncSession, lecture_id: str) -> tuple[SourceTrack, ...]:
    """Load one lecture's tracks, what people made first."""
    refs = (await load_refs(session, [lecture_id]))[lecture_id]
    cues = await session.execute(
        select(CaptionTrack.id, CaptionTrack.version, CaptionTrack.cues).where(
            CaptionTrack.id.in_([ref.id for ref in refs])
        )
    )
    found = {track_id: (version, listed) for track_id, version, listed in cues.tuples()}
    return tuple(
        SourceTrack(ref.id, ref.language, *found[ref.id]) for ref in refs if ref.id in found
    )


async def _load_series(session: AsyncSession, ids: Collection[str]) -> list[Source]:
    rows = await session.scalars(select(Series).where(Series.id.in_(ids)))
    return [
        Source(
            kind=SearchKind.SERIES,
            object_id=series.id,
            title=series.title,
            sorted_at=series.created_at,
            body=(series.description, strip_markup(series.introduction)),
            is_published=series.is_published,
        )
        for series in rows
    ]


async def _load_classes(session: AsyncSession, ids: Collection[str]) -> list[Source]:
    rows = await session.scalars(
        select(LiveClass)
        .where(LiveClass.id.in_(ids))
        .options(joinedload(LiveClass.series), joinedload(LiveClass.instructor))
    )
    return [
        Source(
            kind=SearchKind.LIVE_CLASS,
            object_id=row.id,
            title=row.title,
            sorted_at=row.starts_at or row.created_at,
            people=(row.instructor.display_name,) if row.instructor else (),
            labels=(row.series.title,) if row.series else (),
            body=(row.description,),
            visibility=row.visibility,
        )
        for row in rows
    ]


async def _load_instructors(session: AsyncSession, ids: Collection[str]) -> list[Source]:
    rows = await session.scalars(select(Instructor).where(Instructor.id.in_(ids)))
    return [
        Source(
            kind=SearchKind.INSTRUCTOR,
            object_id=row.id,
            title=row.name,
            sorted_at=row.created_at,
            labels=(row.unit_name, row.job_title, row.level, *row.topics),
            body=(strip_markup(row.biography),),
            is_published=row.is_published,
        )
        for row in rows
    ]


async def list_everything(session: AsyncSession) -> dict[SearchKind, list[str]]:
    """List the identifiers of all that can be found."""
    queries = {
        SearchKind.LECTURE: select(Lecture.id).where(Lecture.deleted_at.is_(None)),
        SearchKind.SERIES: select(Series.id),
        SearchKind.LIVE_CLASS: select(LiveClass.id),
        SearchKind.INSTRUCTOR: select(Instructor.id),
    }
    return {kind: list(await session.scalars(query)) for kind, query in queries.items()}


async def list_dependents(
    session: AsyncSession, changed: Mapping[str, Iterable[str]]
) -> dict[SearchKind, set[str]]:
    """List what names something that got another name.

    Args:
        changed: Identifiers by what they are: ``series``, ``instructor``, ``account``, ``form``.
    """
    found: defaultdict[SearchKind, set[str]] = defaultdict(set)
    series, accounts, forms = (set(changed.get(name, ())) for name in ("series", "account", "form"))
    if series:
        listed = select(SeriesLecture.lecture_id).where(SeriesLecture.series_id.in_(series))
        found[SearchKind.LECTURE].update(await session.scalars(listed))
        of_series = select(LiveClass.id).where(LiveClass.series_id.in_(series))
        found[SearchKind.LIVE_CLASS].update(await session.scalars(of_series))
    if teachers := set(changed.get("instructor", ())):
        taught_by = select(LectureInstructor.lecture_id).where(
            LectureInstructor.instructor_id.in_(teachers)
        )
        found[SearchKind.LECTURE].update(await session.scalars(taught_by))
    if accounts:
        taught = select(LiveClass.id).where(LiveClass.instructor_id.in_(accounts))
        found[SearchKind.LIVE_CLASS].update(await session.scalars(taught))
    if forms:
        formed = select(Lecture.id).where(Lecture.form.in_(forms))
        found[SearchKind.LECTURE].update(await session.scalars(formed))
    return found
