"""Write what the catalogue says of a lecture. Statements only; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError
from vod.audience.rule import AudienceRule
from vod.audience.service import check_rule
from vod.lectures.models import Lecture
from vod.library.forms.models import LectureForm, LectureTag
from vod.library.models import Instructor, LectureFilm, LectureInstructor
from vod.series.entries import assign_series

CLEARABLE: Final = frozenset(
    {"form", "source_label", "licence", "external_id", "external_url", "review_by"}
)


async def write_entry(
    session: AsyncSession, lecture: Lecture, values: Mapping[str, Any], *, now: datetime
) -> None:
    """Write the members of a ``CatalogueEntry`` that were sent.

    Args:
        values: As ``model_dump(exclude_unset=True)`` gives them.

    Raises:
        InputError: 422, no such form, instructor or series, or unknown audience.
        ConflictError: Another lecture has the external id.
    """
    rest = dict(values)
    rest.pop("version", None)
    if (tags := rest.pop("tags", None)) is not None:
        await write_tags(session, lecture.id, tags)
    if (teachers := rest.pop("instructor_ids", None)) is not None:
        await write_instructors(session, lecture.id, teachers)
    if (series_ids := rest.pop("series_ids", None)) is not None:
        await assign_series(session, lecture.id, list(dict.fromkeys(series_ids)))
    _feature(lecture, rest.pop("is_featured", None), now)
    if "film" in rest:
        await write_film(session, lecture.id, rest.pop("film"))
    if (audience := rest.pop("audience", None)) is not None:
        lecture.audience = AudienceRule.model_validate(audience).to_json() or None
    if rest.get("form") is not None:
        await require_form(session, rest["form"])
    if rest.get("external_id") is not None:
        await require_free_id(session, rest["external_id"], lecture.id)
    for name, value in rest.items():
        if value is not None or name in CLEARABLE:
            setattr(lecture, name, value if value != "" or name not in CLEARABLE else None)
    await session.flush()


def _feature(lecture: Lecture, is_featured: bool | None, now: datetime) -> None:  # noqa: FBT001 - read from a body
    """A lecture that is featured already keeps its day."""
    if is_featured is not None:
        lecture.featured_at = (lecture.featured_at or now) if is_featured else None


async def require_form(session: AsyncSession, key: str) -> None:
    """Raises ``InputError``: 422, no such form."""
    if await session.get(LectureForm, key) is None:
        raise InputError("form: no such form", field="form", status=422, title_zh="没有这种形式")


async def require_free_id(session: AsyncSession, external_id: str, lecture_id: str) -> None:
    """Raises ``ConflictError``: another lecture that is present has it."""
    other = await session.scalar(
        select(Lecture.title).where(
            Lecture.external_id == external_id,
            Lecture.id != lecture_id,
            Lecture.deleted_at.is_(None),
        )
    )
    if other is not None:
        raise ConflictError(
            f"external_id: {external_id} is another lecture's",
            title_zh=f"外部编号已被课程《{other}》使用",
        )


async def write_tags(session: AsyncSession, lecture_id: str, tags: Iterable[str]) -> None:
    await session.execute(delete(LectureTag).where(LectureTag.lecture_id == lecture_id))
    session.add_all(LectureTag(lecture_id=lecture_id, name=name) for name in dict.fromkeys(tags))
    await session.flush()


async def add_tags(session: AsyncSession, lecture_id: str, tags: Iterable[str]) -> None:
    """Hang on more tags; those that it has stay."""
    is_of_lecture = LectureTag.lecture_id == lecture_id
    known = set(await session.scalars(select(LectureTag.name).where(is_of_lecture)))
    new = [name for name in dict.fromkeys(tags) if name not in known]
    session.add_all(LectureTag(lecture_id=lecture_id, name=name) for name in new)
    await session.flush()


async def check_audience(session: AsyncSession, rule: AudienceRule | None) -> None:
    """Raises ``InputError``: 422, a unit, category or level that does not exist."""
    if rule is not None:
        await check_rule(session, rule)


async def write_instructors(session: AsyncSession, lecture_id: str, ids: Sequence[str]) -> None:
    """Raises ``InputError``: 422, no such instructor."""
    wanted = list(dict.fromkeys(ids))
    found = set(await session.scalars(select(Instructor.id).where(Instructor.id.in_(wanted))))
    if missing := set(wanted) - found:
        raise InputError(
            f"instructor_ids: nobody is {min(missing)}", field="instructor_ids", status=422
        )
    is_of_lecture = LectureInstructor.lecture_id == lecture_id
    await session.execute(delete(LectureInstructor).where(is_of_lecture))
    session.add_all(
        LectureInstructor(lecture_id=lecture_id, instructor_id=teacher, position=position)
        for position, teacher in enumerate(wanted)
    )
    await session.flush()


async def write_film(
    session: AsyncSession, lecture_id: str, film: Mapping[str, Any] | None
) -> None:
    row = await session.get(LectureFilm, lecture_id)
    if film is None:
        if row is not None:
            await session.delete(row)
        return
    if row is None:
        row = LectureFilm(lecture_id=lecture_id)
        session.add(row)
    row.category, row.producer = film["category"], film.get("producer", "")
    row.produced_year = film.get("produced_year")
    row.awards = [dict(award) for award in film.get("awards", ())]
