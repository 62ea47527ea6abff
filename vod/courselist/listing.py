"""The course list as it is: rows of the catalogue as people read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.courselist.rows import KINDS, VISIBILITIES
from vod.lectures.models import Lecture
from vod.library.forms.models import LectureForm, LectureTag
from vod.library.models import Instructor, LectureInstructor
from vod.series.models import Series, SeriesLecture

BATCH_COUNT: Final = 500
_KINDS: Final = {key: name for name, key in KINDS.items()}
_VISIBILITIES: Final = {key: name for name, key in VISIBILITIES.items()}


async def stream_rows(session: AsyncSession) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield all lectures that are present, in batches, the oldest first."""
    last = ""
    while True:
        query = select(Lecture).where(Lecture.deleted_at.is_(None), Lecture.id > last)
        found = list(await session.scalars(query.order_by(Lecture.id).limit(BATCH_COUNT)))
        if not found:
            return
        last = found[-1].id
        yield await present_rows(session, found)


async def present_rows(session: AsyncSession, found: Sequence[Lecture]) -> list[dict[str, Any]]:
    """Build the rows of lectures in a fixed number of queries; empty members are left out."""
    ids = [lecture.id for lecture in found]
    forms = dict((await session.execute(select(LectureForm.key, LectureForm.name))).tuples().all())
    tags = select(LectureTag.lecture_id, LectureTag.name).where(LectureTag.lecture_id.in_(ids))
    teachers = (
        select(LectureInstructor.lecture_id, Instructor.name)
        .join(Instructor, Instructor.id == LectureInstructor.instructor_id)
        .where(LectureInstructor.lecture_id.in_(ids))
        .order_by(LectureInstructor.position)
    )
    series = (
        select(SeriesLecture.lecture_id, Series.title)
        .join(Series, Series.id == SeriesLecture.series_id)
        .where(SeriesLecture.lecture_id.in_(ids))
        .order_by(Series.title)
    )
    lists = {
        name: await _group(session, query)
        for name, query in (
            ("tags", tags.order_by(LectureTag.name)), ("instructors", teachers), ("series", series),
        )
    }  # fmt: skip
    rows = []
    for lecture in found:
        row = {
            "external_id": lecture.external_id,
            "id": lecture.id,
            "title": lecture.title,
            "kind": _KINDS[lecture.kind.value],
            "external_url": lecture.external_url,
            "source_label": lecture.source_label,
            "licence": lecture.licence,
            "description": lecture.description,
            "form": forms.get(lecture.form or ""),
            "hours": format(lecture.hours.normalize(), "f") if lecture.hours else "",
            "visibility": _VISIBILITIES[lecture.visibility.value],
            "review_by": lecture.review_by.isoformat() if lecture.review_by else "",
            **{name: lists[name][lecture.id] for name in lists},
        }
        rows.append({name: value for name, value in row.items() if value})
    return rows


async def _group(session: AsyncSession, query: Any) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in (await session.execute(query)).tuples():
        found[key].append(name)
    return found
