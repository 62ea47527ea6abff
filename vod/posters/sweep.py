"""Remove uploaded posters that were replaced, or whose lecture was deleted, after the grace."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import delete, select, update

from kernel.layout import poster_key
from vod.assets.sweep import Sweep
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.posters.models import OwnPoster

BATCH_COUNT: Final = 200  # Per sweep; what is left comes with the next one.

log = structlog.get_logger(__name__)


class PosterSweep(Sweep):
    """Looks for retired pictures and deletes their files, then their rows."""

    name = "posters"

    async def sweep_once(self) -> int:
        """Delete what may go; return how many files went. Repeating it after a crash is safe."""
        before = self._clock.now() - self._keep
        is_gone = OwnPoster.lecture_id.in_(select(Lecture.id).where(Lecture.deleted_at <= before))
        async with self._database.write() as session:
            # From here on a lecture that comes back after all shows another picture.
            await change(
                session,
                update(OwnPoster)
                .where(OwnPoster.retired_at.is_(None), is_gone)
                .values(retired_at=before),
            )
        async with self._database.read() as session:
            rows = await session.scalars(
                select(OwnPoster)
                .where(OwnPoster.retired_at <= before)
                .order_by(OwnPoster.id)
                .limit(BATCH_COUNT)
            )
            retired = rows.all()
        for row in retired:
            await self._blobs.delete(poster_key(row.lecture_id, row.name))
            async with self._database.write() as session:
                await change(session, delete(OwnPoster).where(OwnPoster.id == row.id))
            log.info("poster_deleted", lecture_id=row.lecture_id, name=row.name)
        return len(retired)
