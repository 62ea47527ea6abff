"""Find and change teachers. Owns its transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotFoundError
from vod.accounts.models import Account
from vod.accounts.roles import Viewer, Visibility
from vod.audit.service import record
from vod.classes.models import LiveClass
from vod.db.engine import Database
from vod.http.pagination import PageQuery, build_like, load_page
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.library.instructors import schemas
from vod.library.models import Instructor, LectureInstructor
from vod.library.parts import build_portrait_url
from vod.library.policy import LibraryAction, may_in_library
from vod.orders.queries import load_ratings

CLEARABLE: Final = frozenset({"appointed_from", "appointed_until", "account_id"})
CLASSES_COUNT: Final = 50  # On a teacher's page.


@dataclass(frozen=True, slots=True)
class InstructorFilter:
    """What a list shows; ``today`` restricts it to those who may be ordered."""

    words: str = ""
    topic: str | None = None
    today: date | None = None


def is_orderable(row: Instructor, today: date) -> bool:
    """Appointed on that day; both days of the appointment count. Pure."""
    has_begun = row.appointed_from is None or row.appointed_from <= today
    return has_begun and (row.appointed_until is None or today <= row.appointed_until)


def build_orderable(today: date) -> ColumnElement[bool]:
    """Ask the same of rows: what the menu of teachers to order from shows."""
    return and_(
        Instructor.is_published.is_(True),
        or_(Instructor.appointed_from.is_(None), Instructor.appointed_from <= today),
        or_(Instructor.appointed_until.is_(None), Instructor.appointed_until >= today),
    )


def _build_shown(viewer: Viewer) -> list[ColumnElement[bool]]:
    is_editor = may_in_library(viewer, LibraryAction.CURATE)
    return [] if is_editor else [Instructor.is_published.is_(True)]


async def load_instructors(
    session: AsyncSession, page: PageQuery, wanted: InstructorFilter, viewer: Viewer
) -> tuple[list[Instructor], int]:
    """Load one page by pinyin; words find names, pinyin, initials and units."""
    query = select(Instructor).where(*_build_shown(viewer))
    if words := wanted.words.strip():
        like, begin = build_like(words), build_like(words.lower().replace(" ", ""))[1:]
        query = query.where(
            or_(
                Instructor.name.ilike(like, escape="\\"),
                Instructor.unit_name.ilike(like, escape="\\"),
                Instructor.pinyin_joined.like(begin, escape="\\"),
                Instructor.initials.like(begin, escape="\\"),
            )
        )
    if wanted.topic is not None:
        # Topics are few per row and short; the list is compared as text after a first sieve.
        query = query.where(Instructor.id.in_(await _find_with_topic(session, wanted.topic)))
    if wanted.today is not None:
        query = query.where(build_orderable(wanted.today))
    return await load_page(session, query.order_by(Instructor.pinyin, Instructor.id), page)


async def _find_with_topic(session: AsyncSession, topic: str) -> list[str]:
    rows = await session.execute(select(Instructor.id, Instructor.topics))
    return [instructor_id for instructor_id, topics in rows.tuples() if topic in topics]


async def load_instructor(session: AsyncSession, instructor_id: str, viewer: Viewer) -> Instructor:
    """Raises ``NotFoundError``: nobody has that id whom the viewer may know of."""
    query = select(Instructor).where(Instructor.id == instructor_id, *_build_shown(viewer))
    row: Instructor | None = await session.scalar(query)
    if row is None:
        raise NotFoundError("no such instructor")
    return row


async def present(
    session: AsyncSession, rows: Sequence[Instructor], viewer: Viewer, *, today: date, origin: str
) -> list[schemas.Instructor]:
    """Build the answers, with one query each for lectures and ratings."""
    query = (
        select(LectureInstructor.instructor_id, func.count(), func.sum(Lecture.hours))
        .join(Lecture, Lecture.id == LectureInstructor.lecture_id)
        .where(
            LectureInstructor.instructor_id.in_([row.id for row in rows]),
            Lecture.deleted_at.is_(None),
            build_visible(viewer),
        )
        .group_by(LectureInstructor.instructor_id)
    )
    counts = {key: (count, hours) for key, count, hours in (await session.execute(query)).tuples()}
    ratings = await load_ratings(session, [row.id for row in rows])
    is_editor = may_in_library(viewer, LibraryAction.CURATE)
    return [
        schemas.Instructor(
            id=row.id,
            name=row.name,
            unit_name=row.unit_name,
            job_title=row.job_title,
            level=row.level,
            topics=row.topics,
            biography=row.biography,
            appointed_from=row.appointed_from,
            appointed_until=row.appointed_until,
            is_orderable=row.is_published and is_orderable(row, today),
            is_published=row.is_published,
            portrait_url=build_portrait_url(row, origin),
            account_id=row.account_id if is_editor else None,
            lectures_count=counts.get(row.id, (0, None))[0],
            hours=counts.get(row.id, (0, None))[1] or Decimal(0),
            rating=ratings.get(row.id, (None, 0))[0],
            ratings_count=ratings.get(row.id, (None, 0))[1],
        )
        for row in rows
    ]


async def load_classes(
    session: AsyncSession, row: Instructor, viewer: Viewer
) -> schemas.TaughtClasses:
    """Load the latest live classes of a teacher who signs in."""
    if row.account_id is None:
        return schemas.TaughtClasses(items=[])
    query = select(LiveClass).where(LiveClass.instructor_id == row.account_id)
    if not viewer.is_signed_in:
        query = query.where(LiveClass.visibility == Visibility.PUBLIC)
    newest = query.order_by(LiveClass.starts_at.desc().nulls_last(), LiveClass.id.desc())
    return schemas.TaughtClasses(
        items=[
            schemas.TaughtClass(
                id=found.id, title=found.title, state=found.state, starts_at=found.starts_at
            )
            for found in await session.scalars(newest.limit(CLASSES_COUNT))
        ]
    )


async def save_instructor(
    database: Database,
    fields: schemas.InstructorFields,
    *,
    instructor_id: str | None,
    viewer: Viewer,
    now: datetime,
) -> str:
    """Add a teacher, or change the members that were sent; returns the identifier.

    Raises:
        NotFoundError: There is nobody to change.
        InputError: 422, no such account, or the appointment ends before it begins.
        ConflictError: The account is another teacher's.
    """
    values = fields.model_dump(exclude_unset=True)
    async with database.write() as session:
        row = (
            Instructor(created_at=now)
            if instructor_id is None
            else await load_instructor(session, instructor_id, viewer)
        )
        await _require_account(session, values.get("account_id"), row)
        for name, value in values.items():
            if value is not None or name in CLEARABLE:
                setattr(row, name, list(value) if name == "topics" else value)
        if row.appointed_from and row.appointed_until and row.appointed_until < row.appointed_from:
            raise InputError(
                "appointed_until: before appointed_from",
                field="appointed_until",
                status=422,
                title_zh="聘期结束不能早于开始",
            )
        session.add(row)
        await session.flush()
        action = "instructor.created" if instructor_id is None else "instructor.changed"
        detail = fields.model_dump(mode="json", exclude_unset=True)
        note(session, row.id, action, viewer, now, **detail)
        return row.id


async def _require_account(session: AsyncSession, account_id: str | None, row: Instructor) -> None:
    if account_id is None:
        return
    if await session.get(Account, account_id) is None:
        raise InputError("account_id: no such account", field="account_id", status=422)
    other = await session.scalar(
        select(Instructor).where(Instructor.account_id == account_id, Instructor.id != row.id)
        if row.id
        else select(Instructor).where(Instructor.account_id == account_id)
    )
    if other is not None:
        raise ConflictError(
            "the account is another instructor's", title_zh=f"该账号已属于教师{other.name}"
        )


async def delete_instructor(
    database: Database, *, instructor_id: str, viewer: Viewer, now: datetime
) -> None:
    """Remove a teacher who is named in no lecture; others can be hidden.

    Raises:
        NotFoundError: There is nobody.
        ConflictError: Lectures name them.
    """
    async with database.write() as session:
        row = await load_instructor(session, instructor_id, viewer)
        is_named = LectureInstructor.instructor_id == instructor_id
        if await session.scalar(select(LectureInstructor).where(is_named).limit(1)) is not None:
            raise ConflictError("lectures name them", title_zh="还有课程署名该教师,可以改为不公开")
        await session.delete(row)
        note(session, row.id, "instructor.deleted", viewer, now, name=row.name)


def note(
    session: AsyncSession, object_id: str, action: str, viewer: Viewer, now: datetime, **detail: Any
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="instructor",
        object_id=object_id,
        **detail,
    )
