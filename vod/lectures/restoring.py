"""Bring deleted lectures back within their grace period. Owns its transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, GoneError, NotFoundError
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.jobs.models import Job
from vod.jobs.planning import TRANSCODE_RECORDING, TRANSCODE_UPLOAD, start_again
from vod.jobs.policy import JobState
from vod.lectures.models import Lecture
from vod.lectures.writing import require_free_id

TRANSCODING: Final = frozenset({TRANSCODE_RECORDING, TRANSCODE_UPLOAD})

log = structlog.get_logger(__name__)


async def restore_lecture(
    database: Database, *, lecture_id: str, viewer: Viewer, now: datetime, grace: timedelta
) -> None:
    """Undo a deletion; a transcoding that the deletion stopped begins again.

    Its media are deleted no sooner than ``grace`` after the lecture (``vod.assets.cleanup``), so
    everything is still there.

    Raises:
        NotFoundError: There never was such a lecture.
        ConflictError: It is not deleted, or its external id is another's by now.
        GoneError: 410, the grace is over.
    """
    async with database.write() as session:
        lecture = await session.scalar(
            select(Lecture).where(Lecture.id == lecture_id).with_for_update()
        )
        if lecture is None:
            raise NotFoundError("no such lecture")
        if lecture.deleted_at is None:
            raise ConflictError("the lecture is not deleted", title_zh="这门课程没有被删除")
        if lecture.deleted_at <= now - grace:
            raise GoneError(
                f"it was deleted at {lecture.deleted_at:%Y-%m-%d}, more than {grace.days} days ago",
                title_zh=f"课程删除已超过 {grace.days} 天,无法恢复",
            )
        if lecture.external_id is not None:
            await require_free_id(session, lecture.external_id, lecture_id)
        was_stopped = await _was_stopped(session, lecture)
        lecture.deleted_at = None
        await session.flush()
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="lecture.restored",
            object_type="lecture",
            object_id=lecture_id,
            title=lecture.title,
        )
        if was_stopped:
            await _start_again(session, lecture, now=now)


async def _was_stopped(session: AsyncSession, lecture: Lecture) -> bool:
    """Tell whether the newest job was cancelled when the lecture was deleted, not before."""
    newest = await session.scalar(
        select(Job)
        .where(Job.lecture_id == lecture.id)
        .order_by(Job.source_version.desc(), Job.generation.desc())
        .limit(1)
    )
    return (
        newest is not None
        and newest.kind in TRANSCODING
        and newest.state is JobState.CANCELLED
        and newest.finished_at == lecture.deleted_at
    )


async def _start_again(session: AsyncSession, lecture: Lecture, *, now: datetime) -> None:
    try:
        await start_again(session, lecture_id=lecture.id, now=now)
    except (ConflictError, NotFoundError) as error:  # The lecture itself comes back all the same.
        log.info("restored_without_its_job", lecture_id=lecture.id, detail=str(error))
