"""Create and change channels and their grids. Owns its transactions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotFoundError
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.channels import schemas
from vod.channels.epg import Entry, find_occurrences, load_entries
from vod.channels.models import Channel, Programme
from vod.channels.policy import may_watch_channel
from vod.channels.rule import SHANGHAI, Rule, find_conflicts, read_rule, write_rule
from vod.db.engine import Database
from vod.lectures.models import Lecture

LOOK_AHEAD: Final = timedelta(days=70)  # Weekly rules meet within a week; dates end some of them.
MAX_PROGRAMMES: Final = 2_000  # Of one channel.


async def load_channel(session: AsyncSession, channel_id: str, viewer: Viewer) -> Channel:
    """Raises ``NotFoundError`` when there is none, or none that the viewer may watch."""
    channel = await session.get(Channel, channel_id)
    if (
        channel is None
        or channel.deleted_at is not None
        or not may_watch_channel(viewer, channel.visibility, channel.audience)
    ):
        raise NotFoundError("no such channel")
    return channel


async def create_channel(
    database: Database, wanted: schemas.NewChannel, *, actor_id: str, now: datetime
) -> str:
    """Create a channel; returns its identifier. Raises ``InputError`` for a strange filler."""
    values = wanted.model_dump(exclude={"audience"})
    async with database.write() as session:
        await _require_lecture(session, wanted.filler_id, "filler_id")
        channel = Channel(**values, audience=wanted.audience.to_json(), created_at=now)
        session.add(channel)
        await session.flush()
        _note(session, "channel.created", channel.id, actor_id, now, title=wanted.title)
    return channel.id


async def change_channel(
    database: Database,
    change: schemas.ChannelChange,
    *,
    channel_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Change the members that were sent; ``filler_id`` may be sent as null."""
    async with database.write() as session:
        channel = await load_channel(session, channel_id, viewer)
        await _require_lecture(session, change.filler_id, "filler_id")
        for name, value in change.model_dump(exclude_unset=True, exclude={"audience"}).items():
            if value is not None or name == "filler_id":
                setattr(channel, name, value)
        if change.audience is not None:
            channel.audience = change.audience.to_json()
        detail = change.model_dump(mode="json", exclude_unset=True)
        _note(session, "channel.changed", channel_id, viewer.account_id, now, **detail)


async def delete_channel(
    database: Database, *, channel_id: str, viewer: Viewer, now: datetime
) -> None:
    async with database.write() as session:
        channel = await load_channel(session, channel_id, viewer)
        channel.deleted_at = now
        _note(session, "channel.deleted", channel_id, viewer.account_id, now, title=channel.title)


async def add_programme(
    database: Database,
    wanted: schemas.NewProgramme,
    *,
    channel_id: str,
    viewer: Viewer,
    now: datetime,
) -> str:
    """Put a lecture into the grid; returns the programme's identifier.

    Raises:
        InputError: 422; there is no such lecture, or nothing of it that could be aired.
        ConflictError: Something else is on then.
    """
    rule = _build_rule(wanted.starts_at, wanted.weekdays, wanted.until, wanted.exceptions)
    async with database.write() as session:
        await load_channel(session, channel_id, viewer)
        lecture = await _require_lecture(session, wanted.lecture_id, "lecture_id")
        if lecture is None or lecture.asset_id is None:
            raise InputError(
                "lecture_id: it has no renditions yet",
                field="lecture_id", status=422, title_zh="这门课程还没有转码完成,暂时不能排播",
            )  # fmt: skip
        programme = Programme(
            channel_id=channel_id,
            lecture_id=lecture.id,
            starts_at=rule.starts_at,
            repeat=write_rule(rule),
            created_at=now,
        )
        session.add(programme)
        await session.flush()
        await _check(session, programme, now=now, may_overlap=wanted.may_overlap)
        detail = wanted.model_dump(mode="json")
        _note(session, "channel.programme_added", channel_id, viewer.account_id, now, **detail)
    return programme.id


async def change_programme(
    database: Database,
    change: schemas.ProgrammeChange,
    *,
    channel_id: str,
    programme_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Move a programme or change when it repeats; only members that were sent.

    Raises:
        NotFoundError: No such programme.
        ConflictError: Something else is on then.
    """
    sent = change.model_dump(exclude_unset=True)
    async with database.write() as session:
        await load_channel(session, channel_id, viewer)
        programme = await _load_programme(session, channel_id, programme_id)
        old = read_rule(programme.starts_at, programme.repeat)
        weekdays, exceptions = sent.get("weekdays"), sent.get("exceptions")
        rule = _build_rule(
            sent.get("starts_at") or old.starts_at,
            list(old.weekdays) if weekdays is None else weekdays,
            sent.get("until", old.until),
            list(old.exceptions) if exceptions is None else exceptions,
        )
        programme.starts_at, programme.repeat = rule.starts_at, write_rule(rule)
        await session.flush()
        await _check(session, programme, now=now, may_overlap=change.may_overlap)
        detail = change.model_dump(mode="json", exclude_unset=True)
        _note(session, "channel.programme_changed", channel_id, viewer.account_id, now, **detail)


async def remove_programme(
    database: Database, *, channel_id: str, programme_id: str, viewer: Viewer, now: datetime
) -> None:
    """Take a programme out of the grid; what of it was announced is still aired."""
    async with database.write() as session:
        await load_channel(session, channel_id, viewer)
        programme = await _load_programme(session, channel_id, programme_id)
        detail = {"lecture_id": programme.lecture_id, "programme_id": programme_id}
        await session.delete(programme)
        _note(session, "channel.programme_removed", channel_id, viewer.account_id, now, **detail)


def _build_rule(
    starts_at: datetime, weekdays: list[int], until: date | None, exceptions: list[date]
) -> Rule:
    rule = Rule(starts_at.replace(microsecond=0), frozenset(weekdays), until, frozenset(exceptions))
    if until is not None and until < starts_at.astimezone(SHANGHAI).date():
        raise InputError("until: before the first day", field="until", status=422)
    return rule


async def _load_programme(session: AsyncSession, channel_id: str, programme_id: str) -> Programme:
    programme = await session.get(Programme, programme_id)
    if programme is None or programme.channel_id != channel_id:
        raise NotFoundError("no such programme")
    return programme


async def _require_lecture(
    session: AsyncSession, lecture_id: str | None, field: str
) -> Lecture | None:
    if lecture_id is None:
        return None
    lecture = await session.scalar(
        select(Lecture).where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
    )
    if lecture is None:
        raise InputError(f"{field}: no such lecture", field=field, status=422)
    return lecture


async def _check(
    session: AsyncSession, programme: Programme, *, now: datetime, may_overlap: bool
) -> None:
    """Refuse a grid in which the programme cuts another one off, or is cut off."""
    entries = await load_entries(session, [programme.channel_id])
    if len(entries) > MAX_PROGRAMMES:
        raise ConflictError("too many programmes", title_zh="节目太多了,请先清理过去的节目")
    if may_overlap:
        return
    other = _find_conflict(entries, programme, since=max(now, programme.starts_at))
    if other is not None:
        entry, at = other
        when = at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")
        raise ConflictError(
            f"at {at.isoformat()} programme {entry.programme.id} is on",
            title_zh=f"与 {when} 的《{entry.lecture.title}》时间重叠",
        )


def _find_conflict(
    entries: list[Entry], programme: Programme, *, since: datetime
) -> tuple[Entry, datetime] | None:
    by_id = {entry.programme.id: entry for entry in entries}
    for pair in find_conflicts(find_occurrences(entries, since, since + LOOK_AHEAD)):
        ids = [one.programme_id for one in pair]
        if programme.id in ids:
            other = pair[0] if ids[1] == programme.id else pair[1]
            return by_id[other.programme_id], other.starts_at
    return None


def _note(
    session: AsyncSession,
    action: str,
    channel_id: str,
    actor_id: str | None,
    now: datetime,
    **detail: object,
) -> None:
    record(
        session, now=now, actor_id=actor_id, action=action, object_type="channel",
        object_id=channel_id, **detail,
    )  # fmt: skip
