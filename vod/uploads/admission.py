"""Whether a new upload may begin: size, rights and quota of its sender, room that is left."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import (
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    StorageFullError,
)
from vod.accounts.roles import Viewer
from vod.classes.models import LiveClass
from vod.lectures.models import Lecture
from vod.series.entries import require_series
from vod.uploads import queries
from vod.uploads.models import Upload
from vod.uploads.policy import may_replace
from vod.uploads.wishes import UploadWish

MAX_UNFINISHED: Final = 200  # Per account.
SPARE_BYTES: Final = 256 * 1024 * 1024  # Room that a new upload leaves for everything else.


def check_size(size_bytes: int, *, max_bytes: int) -> None:
    """Raises ``InputError``: 400 nothing, 413 too much."""
    if size_bytes == 0:
        raise InputError("the file is empty", field="Upload-Length", title_zh="文件是空的")
    if size_bytes > max_bytes:
        raise InputError(
            f"the file has {size_bytes} bytes, the limit is {max_bytes}",
            field="Upload-Length",
            status=413,
            title_zh=f"文件太大,最大可上传 {describe_size(max_bytes)}",
        )


async def check_wish(session: AsyncSession, wish: UploadWish, viewer: Viewer) -> None:
    """Check what the wish refers to, and the right to replace a lecture's file.

    Raises:
        InputError: 422, no such series.
        NotFoundError: No such lecture.
        NotAllowedError: Its file is not for ``viewer`` to replace.
    """
    if wish.series_id is not None:
        await require_series(session, wish.series_id)
    if wish.lecture_id is None:
        return
    row = (
        await session.execute(
            select(LiveClass.instructor_id, Upload.account_id)
            .select_from(Lecture)
            .outerjoin(LiveClass, LiveClass.id == Lecture.live_class_id)
            .outerjoin(Upload, Upload.id == Lecture.upload_id)
            .where(Lecture.id == wish.lecture_id, Lecture.deleted_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("no such lecture")
    if not may_replace(viewer, instructor_id=row.instructor_id, uploader_id=row.account_id):
        raise NotAllowedError("only editors and its instructor replace the file of a lecture")


async def check_quota(
    session: AsyncSession, account_id: str, *, size_bytes: int, quota_bytes: int | None
) -> None:
    """Raises ``ConflictError`` for too many unfinished ones, ``InputError`` 413 for the quota."""
    if await queries.count_unfinished(session, account_id) >= MAX_UNFINISHED:
        raise ConflictError(
            f"there are {MAX_UNFINISHED} unfinished uploads",
            title_zh="未完成的上传太多,请先完成或取消一些",
        )
    if quota_bytes is None:
        return
    used = await queries.sum_used_bytes(session, account_id)
    if used + size_bytes > quota_bytes:
        raise InputError(
            f"{used} of {quota_bytes} bytes are used, {size_bytes} more do not fit",
            field="Upload-Length",
            status=413,
            title_zh=(f"上传空间不足:已用 {describe_size(used)},共 {describe_size(quota_bytes)}"),
        )


def check_room(size_bytes: int, *, free_bytes: int | None) -> None:
    """Raises ``StorageFullError``; ``free_bytes`` is not known of every store."""
    if free_bytes is not None and size_bytes + SPARE_BYTES > free_bytes:
        raise StorageFullError(f"{size_bytes} bytes do not fit into {free_bytes} that are left")


def describe_size(size_bytes: int) -> str:
    """Say a size to people: ``16 GB``, rounded."""
    value, unit = float(size_bytes), "字节"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1024:  # noqa: PLR2004 - of the next unit
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}"
