"""The last byte is there: the object is completed, and becomes a lecture or a duplicate.

``finish_upload`` may be called at any time and by several at once: the store's completion can be
repeated, and the change of state is one transaction with one winner.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import BlobMissingError, NotFoundError
from vod.audit.service import record
from vod.jobs.planning import plan_upload
from vod.jobs.queries import lock_lecture
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import Publication
from vod.library.review.service import is_reviewed
from vod.notices.drafting import draft_notice
from vod.series.entries import append_lecture
from vod.uploads.digest import digest_file
from vod.uploads.models import Upload, UploadState
from vod.uploads.queries import find_same_file, load_parts
from vod.uploads.receiving import Tools, find_multipart
from vod.webhooks.emit import emit_lecture
from vod.webhooks.kinds import EventKind

LOCK_DIGITS: Final = 15  # Of the digest, hexadecimal: fits PostgreSQL's signed 64-bit lock keys.

log = structlog.get_logger(__name__)


async def finish_upload(tools: Tools, upload_id: str) -> None:
    """Make a lecture of an upload whose bytes are all there; anything else is left alone.

    Raises:
        DependencyError: The store or the database failed; call again later.
    """
    async with tools.database.read() as session:
        upload = await session.get(Upload, upload_id)
        parts = await load_parts(session, upload_id)
    if upload is None or not is_complete(upload):
        return
    try:
        await tools.blobs.complete_multipart(
            find_multipart(upload), [part.etag for part in parts], size_bytes=upload.size_bytes
        )
    except BlobMissingError:
        log.exception("upload_lost_by_the_store", upload_id=upload_id)
        await _close(tools, upload_id, UploadState.EXPIRED, "存储中的文件已丢失,请重新上传")
        return
    digest = digest_file(part.digest for part in parts)
    async with tools.database.write() as session:
        await _lock_digest(session, digest)
        locked = await _load_locked(session, upload_id)
        if locked is None or not is_complete(locked):
            return
        expected, locked.digest = locked.digest, digest
        locked.lease_token = locked.lease_until = None
        if expected in {None, digest}:
            await _decide(session, locked, now=tools.clock.now())
        else:
            reason = "收到的数据与原文件不一致,请重新上传"
            _end(locked, UploadState.EXPIRED, reason, now=tools.clock.now())
        state = locked.state
    log.info("upload_finished", upload_id=upload_id, state=state.value)


def is_complete(upload: Upload) -> bool:
    """All bytes are stored and nobody has decided yet what they are."""
    return upload.state is UploadState.RECEIVING and upload.received_bytes == upload.size_bytes


async def _decide(session: AsyncSession, upload: Upload, *, now: datetime) -> None:
    same = await find_same_file(session, upload.digest or "", upload.size_bytes)
    if same is not None and not upload.is_duplicate_allowed:
        trouble = ",但它没能转码" if same.state is LectureState.FAILED else ""
        reason = f"这个文件已经上传过,就是课程《{same.title}》{trouble}"
        _end(upload, UploadState.DUPLICATE, reason, now=now)
        upload.duplicate_of_id = same.id
        return
    if not upload.is_replacement:
        await _make_lecture(session, upload, now=now)
        return
    try:
        lecture = await lock_lecture(session, upload.lecture_id or "")
    except NotFoundError:
        _end(upload, UploadState.EXPIRED, "要替换文件的课程已被删除", now=now)
        return
    await _replace_file(session, lecture, upload, now=now)


async def _make_lecture(session: AsyncSession, upload: Upload, *, now: datetime) -> None:
    lecture = Lecture(
        title=upload.title,
        description="",
        visibility=upload.visibility,
        state=LectureState.PROCESSING,
        publication=Publication.DRAFT if await is_reviewed(session) else upload.publication,
        duration_ticks=0,
        recorded_at=now,
        source_version=1,
        upload_id=upload.id,
        created_at=now,
    )
    session.add(lecture)
    await session.flush()
    upload.lecture_id = lecture.id
    if upload.series_id is not None:
        await append_lecture(session, upload.series_id, lecture.id)
    if lecture.publication is Publication.PUBLISHED:
        emit_lecture(session, EventKind.LECTURE_PUBLISHED, lecture, now=now)
        await draft_notice(
            session, kind="lecture", subject_id=lecture.id, actor_id=upload.account_id, now=now
        )
    await _start(session, lecture, upload, action="lecture.uploaded", now=now)


async def _replace_file(
    session: AsyncSession, lecture: Lecture, upload: Upload, *, now: datetime
) -> None:
    """The page, its records and captions stay; what plays now plays until the new set is there."""
    upload.replaced_upload_id = lecture.upload_id
    lecture.upload_id = upload.id
    lecture.source_version += 1
    if lecture.asset_id is None and lecture.recording_version is None:
        lecture.state = LectureState.PROCESSING
    await _start(session, lecture, upload, action="lecture.file_replaced", now=now)


async def _start(
    session: AsyncSession, lecture: Lecture, upload: Upload, *, action: str, now: datetime
) -> None:
    _end(upload, UploadState.DONE, None, now=now)
    await session.flush()
    await plan_upload(session, lecture, upload, now=now)
    detail: dict[str, Any] = {"title": lecture.title, "filename": upload.filename}
    record(
        session,
        now=now,
        actor_id=upload.account_id,
        action=action,
        object_type="lecture",
        object_id=lecture.id,
        **detail,
    )


def _end(upload: Upload, state: UploadState, reason: str | None, *, now: datetime) -> None:
    upload.state, upload.reason, upload.finished_at = state, reason, now


async def _close(tools: Tools, upload_id: str, state: UploadState, reason: str) -> None:
    async with tools.database.write() as session:
        upload = await _load_locked(session, upload_id)
        if upload is not None and upload.state is UploadState.RECEIVING:
            _end(upload, state, reason, now=tools.clock.now())


async def _load_locked(session: AsyncSession, upload_id: str) -> Upload | None:
    upload: Upload | None = await session.scalar(
        select(Upload).where(Upload.id == upload_id).with_for_update()
    )
    return upload


async def _lock_digest(session: AsyncSession, digest: str) -> None:
    """Let two uploads of one file that end together see each other; SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        key = int(digest.rpartition(":")[2][:LOCK_DIGITS], 16)
        await session.execute(select(func.pg_advisory_xact_lock(key)))
