"""Show what was found, from its own rows as they are now.

What was deleted, withdrawn or closed to whoever asks since it was indexed is left out, and so are
captions that changed meanwhile: nothing is shown that the rows do not say any more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.captions.refs import load_refs
from vod.classes.models import LiveClass
from vod.classes.policy import may_see_class
from vod.lectures.extras import LectureExtras
from vod.lectures.models import Lecture
from vod.lectures.present import build_duration_s, build_image_urls
from vod.lectures.visible import build_visible
from vod.library.models import Instructor
from vod.library.policy import LibraryAction, may_in_library
from vod.material.models import Material
from vod.material.timeline import MS_PER_S, find_timeline
from vod.posters.service import load_own_names
from vod.search import schemas
from vod.search.models import SearchKind, SearchSpeech
from vod.search.moments import MAX_MOMENTS, Marked, build_moment, cut_snippet, find_cues, mark
from vod.search.port import Found
from vod.search.query import Query
from vod.search.sources import load_people
from vod.search.speech import unpack_cues, unpack_folded
from vod.search.text import strip_markup
from vod.series.models import Series, SeriesLecture
from vod.series.policy import may_see_series
from vod.series.schemas import SeriesRef
from vod.series.service import count_lectures

MATCHED: Final[tuple[schemas.Matched, ...]] = ("title", "label", "sound", "text", "speech")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who looks for what, and which origin addresses have."""

    query: Query
    viewer: Viewer
    origin: str


@dataclass(slots=True)
class Shown:
    """What the rows say of one thing that was found."""

    title: str
    body: str = ""
    people: Sequence[str] = ()
    series: SeriesRef | None = None
    poster_url: str | None = None
    duration_s: float | None = None
    live_class: LiveClass | None = None
    lectures_count: int | None = None
    speech: Sequence[SearchSpeech] = ()


async def load_hits(
    session: AsyncSession, found: Sequence[Found], asking: Asking
) -> list[schemas.SearchHit]:
    """Load what is shown, in the order it was found; a fixed number of queries."""
    shown: dict[tuple[SearchKind, str], Shown] = {}
    for kind, load in _LOADERS.items():
        of_kind = [one for one in found if one.kind is kind]
        if of_kind:
            loaded = await load(session, of_kind, asking)
            shown.update(((kind, key), value) for key, value in loaded.items())
    pairs = [(one, shown[key]) for one in found if (key := (one.kind, one.object_id)) in shown]
    return await asyncio.to_thread(_present_blocking, pairs, asking.query)


def _present_blocking(
    pairs: Sequence[tuple[Found, Shown]], query: Query
) -> list[schemas.SearchHit]:
    """Mark and cut. Runs on: a worker thread."""
    hits = [_present(found, shown, query) for found, shown in pairs]
    # What matched in captions alone is none when these are not what they were.
    return [hit for hit in hits if hit.moments or hit.matched != "speech"]


def _present(found: Found, shown: Shown, query: Query) -> schemas.SearchHit:
    summary = cut_snippet(shown.body, query)
    live_class = shown.live_class
    return schemas.SearchHit(
        kind=found.kind,
        id=found.object_id,
        matched=MATCHED[found.tier],
        title=render_marked(mark(shown.title, query)),
        summary=summary and render_marked(summary),
        people=list(shown.people),
        series=shown.series,
        poster_url=shown.poster_url,
        duration_s=shown.duration_s,
        starts_at=live_class.starts_at if live_class else None,
        state=live_class.state if live_class else None,
        lectures_count=shown.lectures_count,
        moments=_find_moments(shown.speech, query),
    )


def render_marked(marked: Marked) -> schemas.MarkedText:
    ranges = [schemas.TextRange(start=start, end=end) for start, end in marked.marks]
    return schemas.MarkedText(text=marked.text, ranges=ranges)


def _find_moments(speech: Sequence[SearchSpeech], query: Query) -> list[schemas.SearchMoment]:
    """Find the best moments of the first track that has any."""
    for track in speech:
        numbers = find_cues(unpack_folded(track.folded), query)[:MAX_MOMENTS]
        if numbers:
            cues = unpack_cues(track.cues)
            moments = [build_moment(cues, number, query) for number in sorted(numbers)]
            return [
                schemas.SearchMoment(
                    start_s=moment.start_ms / MS_PER_S,
                    language=track.language,
                    snippet=render_marked(moment.snippet),
                )
                for moment in moments
            ]
    return []


async def _load_lectures(
    session: AsyncSession, found: Sequence[Found], asking: Asking
) -> dict[str, Shown]:
    ids = [one.object_id for one in found]
    rows = await session.execute(
        select(Lecture, Asset, Material)
        .outerjoin(Asset, Asset.id == Lecture.asset_id)
        .outerjoin(Material, Material.lecture_id == Lecture.id)
        .where(Lecture.id.in_(ids), Lecture.deleted_at.is_(None), build_visible(asking.viewer))
    )
    posters = await load_own_names(session, ids)
    series = await _load_series_refs(session, ids)
    people = await load_people(session, ids)
    listed = list(rows.tuples())
    speech = await _load_speech(session, found, {row.id: (row, asset) for row, asset, _ in listed})
    shown = {}
    for lecture, asset, material in listed:
        extras = LectureExtras(asset=asset, material=material, own_posters=posters[lecture.id])
        shown[lecture.id] = Shown(
            title=lecture.title,
            body=lecture.description or strip_markup(lecture.introduction),
            people=people[lecture.id],
            series=series.get(lecture.id),
            poster_url=build_image_urls(lecture, extras, asking.origin)[0],
            duration_s=build_duration_s(lecture, asset),
            speech=speech[lecture.id],
        )
    return shown


async def _load_series_refs(session: AsyncSession, ids: Collection[str]) -> dict[str, SeriesRef]:
    """Load one published series per lecture, the oldest one."""
    rows = await session.execute(
        select(SeriesLecture.lecture_id, Series.id, Series.title)
        .join(Series, Series.id == SeriesLecture.series_id)
        .where(SeriesLecture.lecture_id.in_(ids), Series.is_published.is_(True))
        .order_by(Series.created_at.desc(), Series.id.desc())
    )
    return {row[0]: SeriesRef(id=row[1], title=row[2]) for row in rows.tuples()}


async def _load_speech(
    session: AsyncSession,
    found: Sequence[Found],
    lectures: dict[str, tuple[Lecture, Asset | None]],
) -> defaultdict[str, list[SearchSpeech]]:
    """Load by lecture what is said, as far as its tracks and what plays are still the same."""
    by_number = {one.number: one.object_id for one in found}
    refs = await load_refs(session, lectures)
    current = {(ref.id, ref.version) for listed in refs.values() for ref in listed}
    rows = await session.scalars(
        select(SearchSpeech)
        .where(SearchSpeech.number.in_(by_number))
        .order_by(SearchSpeech.number, SearchSpeech.position)
    )
    speech: defaultdict[str, list[SearchSpeech]] = defaultdict(list)
    for row in rows:
        lecture_id = by_number[row.number]
        if lecture_id not in lectures or (row.track_id, row.version) not in current:
            continue
        if row.place == find_timeline(*lectures[lecture_id]).place:
            speech[lecture_id].append(row)
    return speech


async def _load_series(
    session: AsyncSession, found: Sequence[Found], asking: Asking
) -> dict[str, Shown]:
    ids = [one.object_id for one in found]
    rows = await session.scalars(select(Series).where(Series.id.in_(ids)))
    counts = await count_lectures(session, ids, asking.viewer)
    return {
        row.id: Shown(row.title, row.description, lectures_count=counts.get(row.id, 0))
        for row in rows
        if may_see_series(asking.viewer, is_published=row.is_published)
    }


async def _load_classes(
    session: AsyncSession, found: Sequence[Found], asking: Asking
) -> dict[str, Shown]:
    rows = await session.scalars(
        select(LiveClass)
        .where(LiveClass.id.in_([one.object_id for one in found]))
        .options(joinedload(LiveClass.series), joinedload(LiveClass.instructor))
    )
    return {
        row.id: Shown(
            title=row.title,
            body=row.description,
            people=[row.instructor.display_name] if row.instructor else [],
            series=SeriesRef(id=row.series.id, title=row.series.title) if row.series else None,
            live_class=row,
        )
        for row in rows
        if may_see_class(asking.viewer, row.visibility)
    }


async def _load_instructors(
    session: AsyncSession, found: Sequence[Found], asking: Asking
) -> dict[str, Shown]:
    ids = [one.object_id for one in found]
    rows = await session.scalars(select(Instructor).where(Instructor.id.in_(ids)))
    return {
        row.id: Shown(row.name, " ".join([row.unit_name, row.job_title, *row.topics]))
        for row in rows
        if row.is_published or may_in_library(asking.viewer, LibraryAction.CURATE)
    }


_LOADERS: Final = {
    SearchKind.LECTURE: _load_lectures,
    SearchKind.SERIES: _load_series,
    SearchKind.LIVE_CLASS: _load_classes,
    SearchKind.INSTRUCTOR: _load_instructors,
}
