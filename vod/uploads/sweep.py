"""What happens to uploads by itself: finish what is complete, expire what was given up, tidy up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import structlog
from aiohttp import web
from sqlalchemy import delete, select, update

from kernel.errors import DependencyError
from vod.http.keys import DATABASE, UPLOADS
from vod.jobs.background import keep_running
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadState
from vod.uploads.queries import is_unleased
from vod.uploads.service import Uploads

PERIOD_S: Final = 10.0
BATCH_COUNT: Final = 50  # Per sweep; what is left comes with the next one.
ROWS_KEPT: Final = timedelta(days=30)  # Ended uploads are shown for so long.

log = structlog.get_logger(__name__)


class UploadSweeper:
    """Sweeps over all uploads; several vods may do so at once."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads, self._tools = uploads, uploads.tools

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep_once()
            except DependencyError as error:
                log.warning("upload_sweep_waits", detail=str(error))
            await asyncio.sleep(PERIOD_S)

    async def sweep_once(self) -> None:
        """Do everything that is due.

        Raises:
            DependencyError: The store or the database failed.
        """
        for upload_id in await self._find_complete():
            await self._uploads.finish_if_complete(upload_id)
        await self._expire()
        for upload_id in await self._find_ended():
            await self._discard(upload_id)
        await self._forget()

    async def _discard(self, upload_id: str) -> None:
        try:
            await self._uploads.discard(upload_id, is_row_wanted=True)
        except DependencyError as error:
            if error.retryable:  # The store is away: all the others would wait for it, too.
                raise
            log.warning("upload_bytes_stay", upload_id=upload_id, detail=str(error))

    async def free_leases(self) -> None:
        """Let everybody send at once again after a restart."""
        statement = update(Upload).where(Upload.lease_token.is_not(None))
        async with self._tools.database.write() as session:
            await change(session, statement.values(lease_token=None, lease_until=None))

    async def _find_complete(self) -> list[str]:
        """Every byte is stored, but the request that brought the last one did not finish it."""
        query = select(Upload.id).where(
            Upload.state == UploadState.RECEIVING,
            Upload.received_bytes == Upload.size_bytes,
            is_unleased(self._tools.clock.now()),
        )
        async with self._tools.database.read() as session:
            return list(await session.scalars(query.limit(BATCH_COUNT)))

    async def _expire(self) -> None:
        now = self._tools.clock.now()
        hours = round(self._tools.expires.total_seconds() / 3600)
        statement = update(Upload).where(
            Upload.state == UploadState.RECEIVING,
            Upload.received_bytes < Upload.size_bytes,
            Upload.expires_at <= now,
            is_unleased(now),
        )
        async with self._tools.database.write() as session:
            count = await change(
                session,
                statement.values(
                    state=UploadState.EXPIRED,
                    reason=f"超过 {hours} 小时没有继续上传,已清除",
                    finished_at=now,
                ),
            )
        if count:
            log.info("uploads_expired", count=count)

    async def _find_ended(self) -> list[str]:
        """Uploads that no lecture was made of, or none is made of any more."""
        is_never_used = Upload.state.in_([UploadState.EXPIRED, UploadState.DUPLICATE])
        query = select(Upload.id).where(is_never_used, Upload.bytes_deleted_at.is_(None))
        async with self._tools.database.read() as session:
            return list(await session.scalars(query.order_by(Upload.id).limit(BATCH_COUNT)))

    async def _forget(self) -> None:
        """Drop rows of what came to nothing long ago."""
        before = self._tools.clock.now() - ROWS_KEPT
        is_used = select(Lecture.id).where(Lecture.upload_id == Upload.id).exists()
        statement = delete(Upload).where(
            Upload.state.in_([UploadState.EXPIRED, UploadState.DUPLICATE]),
            Upload.finished_at <= before,
            Upload.bytes_deleted_at.is_not(None),
            ~is_used,
        )
        async with self._tools.database.write() as session:
            await change(session, statement)


async def run_uploads(app: web.Application) -> AsyncIterator[None]:
    """``cleanup_ctx``: sweep for as long as vod runs."""
    sweeper = UploadSweeper(app[UPLOADS])
    if app[DATABASE].is_sqlite:  # No other vod can be receiving: whoever held a lease is dead.
        await sweeper.free_leases()
    task = asyncio.create_task(keep_running("uploads", sweeper.run), name="uploads")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
