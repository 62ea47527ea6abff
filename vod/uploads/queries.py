"""Statements on uploads. They never commit; every compare-and-set is one UPDATE."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import GoneError, NotFoundError
from vod.accounts.roles import Viewer
from vod.http.pagination import PageQuery, load_page
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadPart, UploadState
from vod.uploads.policy import may_see_all


async def load_upload(session: AsyncSession, upload_id: str, viewer: Viewer) -> Upload:
    """Load an upload of whoever asks.

    Raises:
        NotFoundError: There is none, or it is somebody else's.
    """
    upload = await session.get(Upload, upload_id)
    if upload is None or not (may_see_all(viewer) or upload.account_id == viewer.account_id):
        raise NotFoundError("no such upload")
    return upload


def require_present(upload: Upload) -> None:
    """Refuse to go on with one whose bytes were dropped.

    Raises:
        GoneError: It expired, was cancelled, or was a file we had.
    """
    if upload.state in {UploadState.EXPIRED, UploadState.DUPLICATE}:
        raise GoneError(
            f"the upload is {upload.state.value}", title_zh=upload.reason or "上传已失效"
        )


async def load_uploads(
    session: AsyncSession, page: PageQuery, viewer: Viewer, state: UploadState | None
) -> tuple[list[Upload], int]:
    """Load one page, newest first: own uploads, everybody's for administrators."""
    query = select(Upload).order_by(Upload.created_at.desc(), Upload.id.desc())
    if not may_see_all(viewer):
        query = query.where(Upload.account_id == viewer.account_id)
    if state is not None:
        query = query.where(Upload.state == state)
    return await load_page(session, query, page)


async def load_titles(session: AsyncSession, uploads: Sequence[Upload]) -> dict[str, str]:
    """Titles of the lectures that the uploads are duplicates of, by id."""
    ids = {upload.duplicate_of_id for upload in uploads if upload.duplicate_of_id}
    if not ids:
        return {}
    rows = await session.execute(select(Lecture.id, Lecture.title).where(Lecture.id.in_(ids)))
    return dict(rows.tuples().all())


async def sum_used_bytes(session: AsyncSession, account_id: str) -> int:
    """What an account's uploads take or will take: unfinished ones count whole."""
    used = await session.scalar(
        select(func.sum(Upload.size_bytes)).where(
            Upload.account_id == account_id,
            Upload.bytes_deleted_at.is_(None),
            Upload.state.in_([UploadState.RECEIVING, UploadState.DONE, UploadState.REFUSED]),
        )
    )
    return int(used or 0)


async def count_unfinished(session: AsyncSession, account_id: str) -> int:
    count = await session.scalar(
        select(func.count()).where(
            Upload.account_id == account_id, Upload.state == UploadState.RECEIVING
        )
    )
    return int(count or 0)


def is_unleased(now: datetime) -> ColumnElement[bool]:
    """Nobody receives bytes for it."""
    return or_(Upload.lease_until.is_(None), Upload.lease_until <= now)


async def take_lease(
    session: AsyncSession, upload_id: str, *, token: str, until: datetime, now: datetime
) -> bool:
    """Reserve the upload for one connection; of several at once one wins."""
    statement = update(Upload).where(
        Upload.id == upload_id, Upload.state == UploadState.RECEIVING, is_unleased(now)
    )
    return await change(session, statement.values(lease_token=token, lease_until=until)) == 1


async def change_leased(session: AsyncSession, upload_id: str, token: str, **values: Any) -> bool:
    """Write columns of an upload that is still ours; tell whether it was."""
    statement = update(Upload).where(
        Upload.id == upload_id,
        Upload.state == UploadState.RECEIVING,
        Upload.lease_token == token,
    )
    return await change(session, statement.values(**values)) == 1


async def load_parts(session: AsyncSession, upload_id: str) -> list[UploadPart]:
    """The stored parts in the order of their numbers."""
    rows = await session.scalars(
        select(UploadPart).where(UploadPart.upload_id == upload_id).order_by(UploadPart.number)
    )
    return list(rows)


async def find_same_file(session: AsyncSession, digest: str, size_bytes: int) -> Lecture | None:
    """Find a lecture that is made of the same bytes now, even if they are no media."""
    lecture: Lecture | None = await session.scalar(
        select(Lecture)
        .join(Upload, and_(Upload.id == Lecture.upload_id))
        .where(
            Upload.digest == digest,
            Upload.size_bytes == size_bytes,
            Upload.state.in_([UploadState.DONE, UploadState.REFUSED]),
            Lecture.deleted_at.is_(None),
        )
        .order_by(Lecture.created_at)
        .limit(1)
    )
    return lecture
