"""What needs doing, as counts and the most urgent few. Only reads; two questions per kind."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.rights import Action, may, may_anywhere
from vod.accounts.roles import Role, Viewer
from vod.captions.models import CaptionTrack
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import LectureKind, Publication
from vod.library.calendar import CENTRE
from vod.library.models import Instructor
from vod.library.policy import LibraryAction, may_in_library
from vod.library.review.service import load_policy, read_steps
from vod.notices.models import Notice, NoticeState
from vod.notices.policy import may_write
from vod.orders.models import Order, OrderState
from vod.orders.queries import build_desk

NEWEST_COUNT: Final = 3
SOON: Final = timedelta(days=30)  # An appointment is renewed by a meeting, and those take time.
OBSOLETE: Final = timedelta(days=14)


class TaskKind(enum.Enum):
    """What needs doing, the most urgent first."""

    ORDERS_ASSIGNED = "orders_assigned"  # Given to me.
    ORDERS_OVERDUE = "orders_overdue"
    ORDERS_NEW = "orders_new"
    LECTURES_FAILED = "lectures_failed"
    REVIEWS = "reviews"
    CLASSES_TODAY = "classes_today"
    LECTURES_DRAFT = "lectures_draft"
    NOTICES_DRAFT = "notices_draft"
    APPOINTMENTS = "appointments"
    LECTURES_OBSOLETE = "lectures_obsolete"
    LECTURES_BARE = "lectures_bare"  # Without a word what they are about.
    LECTURES_SILENT = "lectures_silent"  # Without captions.


@dataclass(frozen=True, slots=True)
class _Question:
    """One kind: its rows, in the order of their urgency."""

    kind: TaskKind
    id: Any
    title: Any
    where: ColumnElement[bool]
    order: Any


@dataclass(frozen=True, slots=True)
class Found:
    """A kind with how many there are and the first few, as identifier and title."""

    kind: TaskKind
    count: int
    first: list[tuple[str, str]]


async def load_tasks(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[Found]:
    """Load what ``viewer`` should do next; kinds without anything are left out."""
    found = []
    for question in [*_ask_everybody(viewer, now), *await _ask_editors(session, viewer, now)]:
        count = await session.scalar(select(func.count(question.id)).where(question.where)) or 0
        if count == 0:
            continue
        query = select(question.id, question.title).where(question.where).order_by(question.order)
        rows = (await session.execute(query.limit(NEWEST_COUNT))).tuples()
        first = [(str(key), str(title)) for key, title in rows]
        found.append(Found(question.kind, count, first))
    places = list(TaskKind)
    return sorted(found, key=lambda one: places.index(one.kind))


def _ask_everybody(viewer: Viewer, now: datetime) -> Iterator[_Question]:
    """What anybody may have: orders given to them, their own classes, orders of their desk."""
    given = and_(Order.assignee_id == viewer.account_id, Order.state == OrderState.ASSIGNED)
    yield _Question(TaskKind.ORDERS_ASSIGNED, Order.id, Order.title, given, Order.due_at)
    if may_anywhere(viewer, Action.HANDLE_ORDERS):
        late = and_(build_desk(viewer), Order.overdue_since.is_not(None))
        new = and_(
            build_desk(viewer),
            Order.state == OrderState.ORDERED,
            Order.overdue_since.is_(None),
        )
        yield _Question(TaskKind.ORDERS_OVERDUE, Order.id, Order.title, late, Order.overdue_since)
        yield _Question(TaskKind.ORDERS_NEW, Order.id, Order.title, new, Order.due_at)
    midnight = datetime.combine(now.astimezone(CENTRE).date(), time.min, tzinfo=CENTRE)
    today = and_(
        LiveClass.starts_at >= midnight,
        LiveClass.starts_at < midnight + timedelta(days=1),
        LiveClass.state != ClassState.ENDED,
        LiveClass.id.is_not(None)
        if viewer.role in {Role.EDITOR, Role.ADMIN}
        else LiveClass.instructor_id == viewer.account_id,
    )
    yield _Question(
        TaskKind.CLASSES_TODAY, LiveClass.id, LiveClass.title, today, LiveClass.starts_at
    )


async def _ask_editors(session: AsyncSession, viewer: Viewer, now: datetime) -> list[_Question]:
    """What those of the whole city's library have to do."""
    found = []
    if may_write(viewer):
        draft = and_(Notice.deleted_at.is_(None), Notice.state == NoticeState.DRAFT)
        found.append(
            _Question(
                TaskKind.NOTICES_DRAFT, Notice.id, Notice.title, draft, Notice.changed_at.desc()
            )
        )
    if not may_in_library(viewer, LibraryAction.CURATE) or not may(viewer, Action.CURATE, None):
        return found
    steps = read_steps(await load_policy(session))
    mine = [
        number
        for number, step in enumerate(steps)
        if not step.reviewers or viewer.account_id in step.reviewers
    ]
    today = now.astimezone(CENTRE).date()
    is_shown = Lecture.publication == Publication.PUBLISHED
    plays = Lecture.state.in_((LectureState.PLAYABLE, LectureState.READY))
    conditions: dict[TaskKind, ColumnElement[bool]] = {
        TaskKind.LECTURES_FAILED: Lecture.state == LectureState.FAILED,
        TaskKind.REVIEWS: and_(
            Lecture.publication == Publication.IN_REVIEW, Lecture.review_step.in_(mine)
        ),
        TaskKind.LECTURES_DRAFT: and_(Lecture.publication == Publication.DRAFT, plays),
        TaskKind.LECTURES_OBSOLETE: and_(is_shown, Lecture.review_by <= today + OBSOLETE),
        TaskKind.LECTURES_BARE: and_(
            is_shown, Lecture.description == "", Lecture.introduction == ""
        ),
        TaskKind.LECTURES_SILENT: and_(
            is_shown,
            plays,
            Lecture.kind == LectureKind.MEDIA,
            ~exists().where(CaptionTrack.lecture_id == Lecture.id),
        ),
    }
    found += [
        _Question(
            kind,
            Lecture.id,
            Lecture.title,
            and_(Lecture.deleted_at.is_(None), condition),
            Lecture.review_by if kind is TaskKind.LECTURES_OBSOLETE else Lecture.id.desc(),
        )
        for kind, condition in conditions.items()
    ]
    ends = and_(
        Instructor.is_published.is_(True),
        Instructor.appointed_until >= today,
        Instructor.appointed_until <= today + SOON,
        or_(Instructor.appointed_from.is_(None), Instructor.appointed_from <= today),
    )
    found.append(
        _Question(
            TaskKind.APPOINTMENTS,
            Instructor.id,
            Instructor.name,
            ends,
            Instructor.appointed_until,
        )
    )
    return found
