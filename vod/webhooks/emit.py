"""Note that something happened, in the transaction of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.lectures.models import Lecture
from vod.webhooks.kinds import EventKind
from vod.webhooks.models import OutgoingEvent


def emit(
    session: AsyncSession, kind: EventKind, subject_id: str, *, now: datetime, **data: Any
) -> OutgoingEvent:
    """Add an event to the caller's transaction: it is told if and only if that commits.

    Args:
        data: JSON values only, nothing about persons.
    """
    event = OutgoingEvent(kind=kind.value, subject_id=subject_id, data=data, occurred_at=now)
    session.add(event)
    return event


def emit_lecture(
    session: AsyncSession, kind: EventKind, lecture: Lecture, *, now: datetime
) -> None:
    """Tell of a lecture."""
    emit(
        session,
        kind,
        lecture.id,
        now=now,
        title=lecture.title,
        visibility=lecture.visibility.value,
        live_class_id=lecture.live_class_id,
        is_restricted=bool(lecture.audience),
    )


def emit_class(session: AsyncSession, row: LiveClass, before: ClassState, *, now: datetime) -> None:
    """Tell of the beginning and the end of a class; interruptions are not told."""
    kind = None
    if before is ClassState.SCHEDULED and row.state is ClassState.LIVE:
        kind = EventKind.CLASS_STARTED
    elif before is not ClassState.ENDED and row.state is ClassState.ENDED:
        kind = EventKind.CLASS_ENDED
    if kind is not None:
        visibility = row.visibility.value
        emit(session, kind, row.id, now=now, title=row.title, visibility=visibility)
