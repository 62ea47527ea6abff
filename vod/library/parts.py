"""What the library adds to lectures: form, tags, teachers, film, papers. Five queries for any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.lectures.models import Lecture
from vod.library.forms.models import LectureForm, LectureTag
from vod.library.models import Instructor, LectureDocument, LectureFilm, LectureInstructor
from vod.library.types import Document, Film, FormRef, Teacher


@dataclass(slots=True)
class CatalogueParts:
    """Of one lecture."""

    form: FormRef | None = None
    tags: list[str] = field(default_factory=list)
    instructors: list[Instructor] = field(default_factory=list)
    film: Film | None = None
    documents: list[LectureDocument] = field(default_factory=list)


async def load_parts(
    session: AsyncSession, lectures: Sequence[Lecture]
) -> dict[str, CatalogueParts]:
    """Load the parts of all ``lectures``, by lecture id."""
    parts: defaultdict[str, CatalogueParts] = defaultdict(CatalogueParts)
    ids = [lecture.id for lecture in lectures]
    keys = {lecture.form for lecture in lectures if lecture.form is not None}
    forms = {
        form.key: FormRef(key=form.key, name=form.name)
        for form in await session.scalars(select(LectureForm).where(LectureForm.key.in_(keys)))
    }
    for lecture in lectures:
        if lecture.form is not None:
            parts[lecture.id].form = forms[lecture.form]
    tags = select(LectureTag).where(LectureTag.lecture_id.in_(ids)).order_by(LectureTag.name)
    for tag in await session.scalars(tags):
        parts[tag.lecture_id].tags.append(tag.name)
    teachers = await session.execute(
        select(LectureInstructor.lecture_id, Instructor)
        .join(Instructor, Instructor.id == LectureInstructor.instructor_id)
        .where(LectureInstructor.lecture_id.in_(ids))
        .order_by(LectureInstructor.position)
    )
    for lecture_id, teacher in teachers.tuples():
        parts[lecture_id].instructors.append(teacher)
    for film in await session.scalars(select(LectureFilm).where(LectureFilm.lecture_id.in_(ids))):
        parts[film.lecture_id].film = read_film(film)
    documents = select(LectureDocument).where(LectureDocument.lecture_id.in_(ids))
    ordered = documents.order_by(LectureDocument.position, LectureDocument.id)
    for document in await session.scalars(ordered):
        parts[document.lecture_id].documents.append(document)
    return dict(parts)


def read_film(row: LectureFilm) -> Film:
    return Film(
        category=row.category,
        producer=row.producer,
        produced_year=row.produced_year,
        awards=tuple(row.awards),
    )


def build_portrait_url(row: Instructor, origin: str) -> str | None:
    """Build the address of the portrait; another picture has another address."""
    if row.portrait is None:
        return None
    return f"{origin}/api/v1/instructors/{row.id}/portrait?v={row.portrait[:12]}"


def build_teacher(row: Instructor, origin: str) -> Teacher:
    return Teacher(
        id=row.id,
        name=row.name,
        unit_name=row.unit_name,
        portrait_url=build_portrait_url(row, origin),
    )


def build_document(row: LectureDocument, origin: str) -> Document:
    return Document(
        id=row.id,
        filename=row.filename,
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        url=f"{origin}/api/v1/lectures/{row.lecture_id}/documents/{row.id}",
    )
