"""Remove clips that were deleted, grew old, or whose lecture is gone for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from kernel.layout import clip_prefix
from vod.assets.sweep import Sweep
from vod.clips.models import Clip
from vod.clips.policy import KEPT_FOR
from vod.jobs.models import Job
from vod.jobs.policy import JobState
from vod.jobs.queries import change
from vod.lectures.models import Lecture

BATCH_COUNT: Final = 100  # Per sweep; what is left comes with the next one.
WORKER_GRACE: Final = timedelta(minutes=10)  # A worker that was told to stop has stopped by then.

log = structlog.get_logger(__name__)


class ClipSweep(Sweep):
    """Deletes the files of clips that nobody may see any more, then their rows."""

    name = "clips"

    async def sweep_once(self) -> int:
        """Delete what may go; return how many files went. Repeating it after a crash is safe."""
        now = self._clock.now()
        async with self._database.write() as session:
            await change(
                session,
                update(Clip)
                .where(Clip.deleted_at.is_(None), _is_outlived(now, now - self._keep))
                .values(deleted_at=now),
            )
        async with self._database.read() as session:
            rows = await session.execute(
                select(Clip.id, Clip.lecture_id)
                .where(Clip.deleted_at <= now - WORKER_GRACE)
                .order_by(Clip.id)
                .limit(BATCH_COUNT)
            )
            gone = rows.tuples().all()
        count = 0
        for clip_id, lecture_id in gone:
            prefix = clip_prefix(lecture_id, clip_id)
            for key in [info.key async for info in self._blobs.list_keys(prefix)]:
                await self._blobs.delete(key)
                count += 1
            async with self._database.write() as session:
                await change(session, delete(Clip).where(Clip.id == clip_id))
            log.info("clip_deleted", lecture_id=lecture_id, clip_id=clip_id)
        return count


def _is_outlived(now: datetime, before: datetime) -> ColumnElement[bool]:
    """Old and not being made any more, or of a lecture that was deleted ``before``."""
    is_over = select(Job.id).where(Job.state.not_in([JobState.QUEUED, JobState.RUNNING]))
    is_gone = Clip.lecture_id.in_(select(Lecture.id).where(Lecture.deleted_at <= before))
    is_old = and_(Clip.created_at <= now - KEPT_FOR, Clip.job_id.in_(is_over))
    return or_(is_gone, is_old)
