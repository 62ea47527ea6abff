"""Write, publish, withdraw and delete notices. Owns its transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.notices import schemas
from vod.notices.drafting import draft_notice, load_notice_about
from vod.notices.models import Notice, NoticeState
from vod.notices.policy import (
    NoticeStanding,
    build_plain_text,
    find_publish_at,
    find_standing,
)
from vod.notices.queries import load_notice

STALE_ZH: Final = "这条动态刚被别人改过，请重新打开"


async def create_notice(
    database: Database, wanted: schemas.NewNotice, *, viewer: Viewer, now: datetime
) -> Notice:
    async with database.write() as session:
        row = Notice(
            **wanted.model_dump(), version=1, state=NoticeState.DRAFT,
            plain_text=build_plain_text(wanted.body),
            created_at=now, changed_at=now, created_by=viewer.account_id,
        )  # fmt: skip
        session.add(row)
        await session.flush()
        _record(session, row.id, "notice.created", viewer, now, title=row.title)
    return row


async def ensure_notice(
    database: Database, wanted: schemas.WantedNotice, *, viewer: Viewer, now: datetime
) -> Notice:
    """Return the notice about a lecture or a series, drafted now if there was none.

    Raises:
        NotFoundError: There is no such lecture or series, or its notice was deleted.
    """
    async with database.write() as session:
        await draft_notice(
            session, kind=wanted.kind, subject_id=wanted.id, actor_id=viewer.account_id, now=now
        )
        return await load_notice_about(session, wanted.kind, wanted.id)


async def change_notice(
    database: Database,
    notice_id: str,
    wanted: schemas.NoticeChange,
    *,
    viewer: Viewer,
    now: datetime,
) -> Notice:
    """Raises ``NotFoundError``, and ``ConflictError`` when it was changed since."""
    given = wanted.model_dump(exclude_unset=True, exclude={"version"})
    values = {name: value for name, value in given.items() if value is not None}
    if "body" in values:
        values["plain_text"] = build_plain_text(values["body"])
    async with database.write() as session:
        row = await _set(session, notice_id, wanted.version, values, viewer=viewer, now=now)
        _record(session, row.id, "notice.changed", viewer, now, fields=sorted(given))
    return row


async def publish_notice(
    database: Database,
    notice_id: str,
    wanted: schemas.NoticePublication,
    *,
    viewer: Viewer,
    now: datetime,
) -> Notice:
    """Hand it to the members, now or at its time.

    Raises:
        NotFoundError, ConflictError: As above.
        InputError: 422, withdrawn before it is published.
    """
    async with database.write() as session:
        row = await load_notice(session, notice_id, viewer, now=now)
        publish_at = find_publish_at(
            _find(row, now), row.publish_at, wished=wanted.publish_at, now=now
        )
        if wanted.withdraw_at is not None and wanted.withdraw_at <= max(publish_at, now):
            raise InputError(
                "withdraw_at: before it is published, or over",
                field="withdraw_at",
                status=422,
                title_zh="下架时间要晚于发布时间",
            )
        values = {
            "state": NoticeState.PUBLISHED,
            "publish_at": publish_at,
            "withdraw_at": wanted.withdraw_at,
        }
        row = await _set(session, notice_id, wanted.version, values, viewer=viewer, now=now)
        dates = {
            name: value.isoformat()
            for name, value in (("publish_at", publish_at), ("withdraw_at", wanted.withdraw_at))
            if value is not None
        }
        _record(session, row.id, "notice.published", viewer, now, title=row.title, **dates)
    return row


async def withdraw_notice(
    database: Database, notice_id: str, version: int, *, viewer: Viewer, now: datetime
) -> Notice:
    """Take it back from the members; one that still waits becomes a draft again.

    Raises:
        NotFoundError: There is no such notice.
        ConflictError: It was changed since, or members do not see it and will not.
    """
    async with database.write() as session:
        row = await load_notice(session, notice_id, viewer, now=now)
        standing = _find(row, now)
        if standing not in {NoticeStanding.PUBLISHED, NoticeStanding.SCHEDULED}:
            raise ConflictError(
                "the notice is not published", title_zh="这条动态没有发布，不用撤回"
            )
        values: dict[str, Any] = (
            {"withdraw_at": now}
            if standing is NoticeStanding.PUBLISHED
            else {"state": NoticeState.DRAFT, "publish_at": None, "withdraw_at": None}
        )
        row = await _set(session, notice_id, version, values, viewer=viewer, now=now)
        _record(session, row.id, "notice.withdrawn", viewer, now, title=row.title)
    return row


async def delete_notice(
    database: Database, notice_id: str, version: int, *, viewer: Viewer, now: datetime
) -> None:
    """Raises ``NotFoundError``, and ``ConflictError`` when it was changed since."""
    async with database.write() as session:
        values = {"deleted_at": now}
        row = await _set(session, notice_id, version, values, viewer=viewer, now=now)
        _record(session, row.id, "notice.deleted", viewer, now, title=row.title)


def _find(row: Notice, now: datetime) -> NoticeStanding:
    return find_standing(row.state, row.publish_at, row.withdraw_at, now=now)


async def _set(
    session: AsyncSession,
    notice_id: str,
    version: int,
    values: dict[str, Any],
    *,
    viewer: Viewer,
    now: datetime,
) -> Notice:
    """Write ``values`` over the version that was seen; of two at once one wins."""
    row = await load_notice(session, notice_id, viewer, now=now)
    statement = (
        update(Notice)
        .where(Notice.id == notice_id, Notice.version == version, Notice.deleted_at.is_(None))
        .values(**values, version=version + 1, changed_at=now)
        .execution_options(synchronize_session=False)
    )
    if await change(session, statement) != 1:
        raise ConflictError("the notice was changed meanwhile", title_zh=STALE_ZH)
    await session.refresh(row)
    return row


def _record(
    session: AsyncSession,
    notice_id: str,
    action: str,
    viewer: Viewer,
    now: datetime,
    **detail: Any,
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="notice",
        object_id=notice_id,
        **detail,
    )
