"""Roster imports as the API sees them. Owns its transactions.

    uploaded -> checking -> checked -> confirmed -> applying -> done
        |          |           |           |            |
        +----------+-----------+-----------+-> cancelled|
                   +-> failed                           +-> failed

The dry run and the import itself are done by ``vod.people.runner``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.blobs.port import BlobStore
from kernel.errors import BlobMissingError, CapacityError, ConflictError, InputError, NotFoundError
from kernel.ids import new_id
from vod.accounts.rights import ROOT_PATH, Action, find_reach
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, load_page
from vod.people.models import ImportState, RosterImport

MAX_WAITING_COUNT: Final = 20  # Files of 32 MB each; more is a mistake or worse.
CANCELLABLE: Final = (
    ImportState.UPLOADED, ImportState.CHECKING, ImportState.CHECKED, ImportState.CONFIRMED,
)  # fmt: skip
UNFINISHED: Final = (*CANCELLABLE, ImportState.APPLYING)
PREFIX: Final = "rosters/"


async def create_import(
    database: Database,
    blobs: BlobStore,
    data: bytes,
    *,
    filename: str,
    viewer: Viewer,
    now: datetime,
) -> RosterImport:
    """Keep an uploaded roster for its dry run.

    Raises:
        InputError: It is empty.
        CapacityError: Too many imports are under way.
    """
    if not data:
        raise InputError("the file is empty", status=422, title_zh="文件是空的")
    async with database.read() as session:
        waiting = await session.scalar(
            select(func.count()).where(RosterImport.state.in_(UNFINISHED))
        )
    if (waiting or 0) >= MAX_WAITING_COUNT:
        raise CapacityError("too many imports", retry_after_s=60)
    import_id = new_id()
    await blobs.put_bytes(PREFIX + import_id, data, content_type="application/octet-stream")
    async with database.write() as session:
        row = RosterImport(
            id=import_id,
            filename=filename,
            size_bytes=len(data),
            blob_key=PREFIX + import_id,
            state=ImportState.UPLOADED,
            rows_done=0,
            counts={},
            errors=[],
            fence=0,
            created_by=viewer.account_id,
            created_at=now,
        )
        session.add(row)
        _record(session, viewer, "roster.uploaded", import_id, now=now, filename=filename)
    return row


async def load_import(session: AsyncSession, import_id: str, viewer: Viewer) -> RosterImport:
    """Load an import: one's own, or anybody's for roles of the whole city.

    Raises:
        NotFoundError: There is none, or it is somebody else's.
    """
    row = await session.get(RosterImport, import_id)
    if row is None or not (row.created_by == viewer.account_id or _sees_all(viewer)):
        raise NotFoundError("no such import", title_zh="没有这次导入")
    return row


async def load_imports_page(
    session: AsyncSession, page: PageQuery, viewer: Viewer
) -> tuple[list[RosterImport], int]:
    """Load one page, newest first."""
    query = select(RosterImport).order_by(RosterImport.created_at.desc(), RosterImport.id.desc())
    if not _sees_all(viewer):
        query = query.where(RosterImport.created_by == viewer.account_id)
    return await load_page(session, query, page)


async def confirm_import(
    database: Database, *, import_id: str, viewer: Viewer, now: datetime
) -> RosterImport:
    """Let a checked import begin; rows with errors are left out.

    Raises:
        NotFoundError: No such import.
        ConflictError: It is not checked, or was confirmed already.
    """
    async with database.write() as session:
        await load_import(session, import_id, viewer)
        await _advance(session, import_id, (ImportState.CHECKED,), ImportState.CONFIRMED)
        _record(session, viewer, "roster.confirmed", import_id, now=now)
        return await session.get_one(RosterImport, import_id, populate_existing=True)


async def cancel_import(
    database: Database, blobs: BlobStore, *, import_id: str, viewer: Viewer, now: datetime
) -> None:
    """Give an import up before it begins to write.

    Raises:
        NotFoundError: No such import.
        ConflictError: It is under way, or over.
    """
    async with database.write() as session:
        row = await load_import(session, import_id, viewer)
        await _advance(session, import_id, CANCELLABLE, ImportState.CANCELLED, finished_at=now)
        _record(session, viewer, "roster.cancelled", import_id, now=now)
    await forget_file(blobs, row.blob_key)


async def forget_file(blobs: BlobStore, key: str) -> None:
    """Delete the file of an import that is over: it holds personal data."""
    try:
        await blobs.delete(key)
    except BlobMissingError:
        return  # Deleted before.


async def _advance(
    session: AsyncSession,
    import_id: str,
    before: tuple[ImportState, ...],
    after: ImportState,
    **values: object,
) -> None:
    result = await session.execute(
        update(RosterImport)
        .where(RosterImport.id == import_id, RosterImport.state.in_(before))
        .values(state=after, **values)
        .execution_options(synchronize_session=False)
    )
    if not isinstance(result, CursorResult) or result.rowcount != 1:
        raise ConflictError(
            f"the import is not {' or '.join(state.value for state in before)}",
            title_zh="这次导入的状态已经变化,请刷新",
        )


def _sees_all(viewer: Viewer) -> bool:
    return ROOT_PATH in find_reach(viewer, Action.IMPORT_MEMBERS)


def _record(
    session: AsyncSession,
    viewer: Viewer,
    action: str,
    import_id: str,
    *,
    now: datetime,
    **detail: object,
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="roster_import",
        object_id=import_id,
        **detail,
    )
