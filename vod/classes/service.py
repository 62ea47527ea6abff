"""Create, change, end and reopen live classes. Owns its transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotAllowedError
from kernel.ids import new_id
from vod.accounts.models import Account
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.classes import schemas
from vod.classes.models import LiveClass
from vod.classes.policy import (
    TEACHING_ROLES,
    may_choose_instructor,
    may_create_class,
    may_manage_class,
)
from vod.classes.queries import load_class, lock_class
from vod.classes.states import ClassState, Trigger, advance
from vod.db.engine import Database
from vod.lectures.models import Lecture
from vod.series.entries import require_series

_CLEARABLE: Final = frozenset({"starts_at", "planned_end", "series_id"})


async def create_class(
    database: Database, wanted: schemas.NewLiveClass, *, viewer: Viewer, now: datetime
) -> str:
    """Create a scheduled class; returns its identifier.

    Raises:
        NotAllowedError: The viewer may not teach, or not name another instructor.
        InputError: 422, no such series or instructor.
    """
    if viewer.account_id is None or not may_create_class(viewer):
        raise NotAllowedError("only instructors, editors and administrators create classes")
    instructor_id = wanted.instructor_id or viewer.account_id
    if instructor_id != viewer.account_id and not may_choose_instructor(viewer):
        raise NotAllowedError("only editors and administrators name another instructor")
    row = LiveClass(
        id=new_id(),
        state=ClassState.SCHEDULED,
        created_at=now,
        **{**wanted.model_dump(), "instructor_id": instructor_id},
    )
    async with database.write() as session:
        await _require_references(session, wanted.series_id, instructor_id)
        session.add(row)
        _record(session, row.id, "class.created", viewer.account_id, now, title=wanted.title)
    return row.id


async def change_class(
    database: Database,
    change: schemas.LiveClassChange,
    *,
    live_class_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Change the members that were sent. A new visibility holds for the replay, too.

    Raises:
        NotFoundError, NotAllowedError: It is not there for the viewer, or not theirs.
        InputError: 422, no such series or instructor, or it would end before it starts.
    """
    values = change.model_dump(exclude_unset=True)
    async with database.write() as session:
        row = await _lock_managed(session, live_class_id, viewer)
        instructor_id = values.get("instructor_id")
        if instructor_id not in {None, row.instructor_id} and not may_choose_instructor(viewer):
            raise NotAllowedError("only editors and administrators name another instructor")
        await _require_references(session, values.get("series_id"), instructor_id)
        visibility = values.get("visibility")
        if visibility not in {None, row.visibility}:
            await session.execute(
                update(Lecture).where(Lecture.live_class_id == row.id).values(visibility=visibility)
            )
        for name, value in values.items():
            if value is not None or name in _CLEARABLE:
                setattr(row, name, value)
        _require_schedule(row)
        detail = change.model_dump(mode="json", exclude_unset=True)
        _record(session, row.id, "class.changed", viewer.account_id, now, **detail)


def _require_schedule(row: LiveClass) -> None:
    if row.starts_at is None or row.planned_end is None:
        return
    try:
        schemas.require_order(row.starts_at, row.planned_end)
    except ValueError as error:
        raise InputError(str(error), field="planned_end", status=422) from error


async def _require_references(
    session: AsyncSession, series_id: str | None, instructor_id: str | None
) -> None:
    if series_id is not None:
        await require_series(session, series_id)
    if instructor_id is not None:
        account = await session.get(Account, instructor_id)
        if account is None or account.is_disabled or account.role not in TEACHING_ROLES:
            raise InputError(
                "instructor_id: nobody who teaches has it", field="instructor_id", status=422
            )


async def delete_class(
    database: Database, *, live_class_id: str, viewer: Viewer, now: datetime
) -> None:
    """Delete a class that was never live.

    Raises:
        NotFoundError, NotAllowedError: It is not there for the viewer, or not theirs.
        ConflictError: It was live: its recording would be lost.
    """
    async with database.write() as session:
        row = await _lock_managed(session, live_class_id, viewer)
        if row.started_at is not None:
            raise ConflictError(
                "a class that was live cannot be deleted", title_zh="已经直播过的课不能删除"
            )
        await session.delete(row)
        _record(session, row.id, "class.deleted", viewer.account_id, now, title=row.title)


async def rotate_key(
    database: Database, *, live_class_id: str, viewer: Viewer, now: datetime
) -> None:
    """Make the keys of a class worthless; streamer puts out whoever publishes with them.

    Raises:
        NotFoundError, NotAllowedError: It is not there for the viewer, or not theirs.
    """
    async with database.write() as session:
        row = await _lock_managed(session, live_class_id, viewer)
        row.key_version += 1
        _record(session, row.id, "class.key_rotated", viewer.account_id, now)


async def load_managed(session: AsyncSession, live_class_id: str, viewer: Viewer) -> LiveClass:
    """Load a class that the viewer manages.

    Raises:
        NotFoundError: There is none, or the viewer may not know of it.
        NotAllowedError: It is somebody else's.
    """
    row = await load_class(session, live_class_id, viewer)
    if not may_manage_class(viewer, row.instructor_id):
        raise NotAllowedError("this is somebody else's class")
    return row


async def _lock_managed(session: AsyncSession, live_class_id: str, viewer: Viewer) -> LiveClass:
    await load_managed(session, live_class_id, viewer)
    return await lock_class(session, live_class_id)


async def request_end(
    database: Database, *, live_class_id: str, viewer: Viewer, now: datetime
) -> LiveClass:
    """Note that a person wants the class ended; one that was never live ends here and now.

    Raises:
        NotFoundError, NotAllowedError: It is not there for the viewer, or not theirs.
    """
    async with database.write() as session:
        row = await _lock_managed(session, live_class_id, viewer)
        if row.state is not ClassState.ENDED:
            mark_end(row, reason="ended by a person", now=now)
            _record(session, row.id, "class.end_requested", viewer.account_id, now)
    return row


def mark_end(row: LiveClass, *, reason: str, now: datetime) -> None:
    """Write the wish to end; ``vod.classes.endings`` carries it to streamer until it is done."""
    row.end_reason = reason
    if row.state is ClassState.SCHEDULED:
        row.state = advance(row.state, Trigger.END)
        row.ended_at = now
    elif row.end_requested_at is None:
        row.end_requested_at = now


async def note_reopened(
    database: Database, *, live_class_id: str, viewer: Viewer, now: datetime
) -> None:
    """Write that an ended class goes on (streamer has agreed) or waits again.

    Raises:
        NotFoundError, NotAllowedError: It is not there for the viewer, or not theirs.
        ConflictError: It has not ended.
    """
    async with database.write() as session:
        row = await _lock_managed(session, live_class_id, viewer)
        was_live = row.started_at is not None
        row.state = advance(row.state, Trigger.REOPEN if was_live else Trigger.REOPEN_UNUSED)
        row.ended_at = row.end_reason = row.end_requested_at = None
        if was_live:
            row.last_media_at = now  # The automatic end counts from here again.
        _record(session, row.id, "class.reopened", viewer.account_id, now)


async def load_class_state(database: Database, live_class_id: str) -> ClassState | None:
    async with database.read() as session:
        state: ClassState | None = await session.scalar(
            select(LiveClass.state).where(LiveClass.id == live_class_id)
        )
    return state


def _record(
    session: AsyncSession,
    live_class_id: str,
    action: str,
    actor_id: str | None,
    now: datetime,
    **detail: Any,
) -> None:
    record(
        session,
        now=now,
        actor_id=actor_id,
        action=action,
        object_type="live_class",
        object_id=live_class_id,
        **detail,
    )
