r"""Uploads from their creation to their end.

One upload::

    receiving --> done        all bytes are there: a lecture and its job, in the same transaction
        |    \--> duplicate   all bytes are there, and we had them: the lecture is named
        |                     done --> refused    the planning unit says that it is no media
        +-------> expired     cancelled, given up by its sender, or lost by the store

``done`` and ``refused`` keep their bytes for as long as a lecture is made from them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.blobs.executor import BoundedExecutor
from kernel.blobs.port import BlobStore
from kernel.clock import Clock
from kernel.config import Settings
from kernel.errors import (
    CapacityError,
    ConflictError,
    DependencyError,
    LockedError,
)
from kernel.ids import new_id
from kernel.layout import upload_key
from vod.accounts.models import Account
from vod.accounts.roles import Viewer
from vod.db.engine import Database
from vod.lectures.publication import Publication
from vod.uploads import admission, queries
from vod.uploads.digest import choose_part_bytes
from vod.uploads.finishing import finish_upload, is_complete
from vod.uploads.metrics import UploadMetrics
from vod.uploads.models import Upload, UploadState
from vod.uploads.receiving import LEASE, OCTETS, Receiver, Tools, find_multipart
from vod.uploads.wishes import UploadWish

MAX_RECEIVING: Final = 24  # Connections that send at once; each holds two parts in memory at most.
RENEW_S: Final = 10.0  # Three chances per lease.
HASH_WORKERS: Final = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A checked request to create one."""

    wish: UploadWish
    size_bytes: int
    metadata_text: str


class Uploads:
    """Creates, receives, shows and cancels uploads, over one database and one blob store.

    Queue policy: ``MAX_RECEIVING`` connections; one more is refused with 503 and comes again.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        blobs: BlobStore,
        clock: Clock,
        *,
        metrics: UploadMetrics,
    ) -> None:
        self._database, self._blobs, self._clock = database, blobs, clock
        self.max_bytes = settings.upload_max_bytes
        self.quota_bytes = settings.upload_quota_bytes or None
        self.expires = timedelta(hours=settings.upload_expires_h)
        self._hashing = BoundedExecutor(
            "upload-hashing", workers=HASH_WORKERS, max_pending=2 * MAX_RECEIVING
        )
        self._receiving_count, self._metrics = 0, metrics
        self.tools = Tools(database, blobs, clock, self._hashing, self.expires)

    @property
    def is_idle(self) -> bool:
        """Nobody sends anything now."""
        return self._receiving_count == 0

    async def close(self) -> None:
        await self._hashing.close()

    # ---- creating ------------------------------------------------------------------------------

    async def create(self, wanted: NewUpload, viewer: Viewer) -> Upload:
        """Make an upload that waits for its bytes; ``viewer`` may upload.

        Raises:
            InputError: 400 empty, 413 too large or over the quota, 422 no such series.
            NotFoundError, NotAllowedError: The lecture whose file is to be replaced.
            StorageFullError: It would not fit.
        """
        admission.check_size(wanted.size_bytes, max_bytes=self.max_bytes)
        account_id = viewer.account_id or ""
        async with self._database.read() as session:
            await admission.check_wish(session, wanted.wish, viewer)
            await self._check_quota(session, account_id, wanted.size_bytes)
        admission.check_room(wanted.size_bytes, free_bytes=await self._blobs.free_bytes())
        upload_id = new_id()
        multipart = await self._blobs.start_multipart(
            upload_key(upload_id),
            content_type=OCTETS,
            part_bytes=choose_part_bytes(wanted.size_bytes),
        )
        upload = self._build(wanted, upload_id, account_id, now=self._clock.now())
        upload.multipart, upload.part_bytes = multipart.id, multipart.part_bytes
        try:
            async with self._database.write() as session:
                # One after the other per account, or two at once would fit into the same quota.
                await session.execute(
                    select(Account.id).where(Account.id == account_id).with_for_update()
                )
                await self._check_quota(session, account_id, wanted.size_bytes)
                session.add(upload)
        except BaseException:
            with contextlib.suppress(DependencyError):  # The sweep of orphans finds it, too.
                await self._blobs.abort_multipart(multipart)
            raise
        log.info("upload_created", upload_id=upload_id, size_bytes=wanted.size_bytes)
        return upload

    async def _check_quota(self, session: AsyncSession, account_id: str, size_bytes: int) -> None:
        await admission.check_quota(
            session, account_id, size_bytes=size_bytes, quota_bytes=self.quota_bytes
        )

    def _build(
        self, wanted: NewUpload, upload_id: str, account_id: str, *, now: datetime
    ) -> Upload:
        wish = wanted.wish
        return Upload(
            id=upload_id,
            account_id=account_id,
            filename=wish.filename,
            metadata_text=wanted.metadata_text,
            title=wish.title,
            visibility=wish.visibility,
            publication=Publication(wish.publication),
            series_id=wish.series_id,
            lecture_id=wish.lecture_id,
            is_replacement=wish.lecture_id is not None,
            is_duplicate_allowed=wish.allow_duplicate,
            digest=wish.digest,
            size_bytes=wanted.size_bytes,
            received_bytes=0,
            tail=[],
            state=UploadState.RECEIVING,
            created_at=now,
            expires_at=now + self.expires,
        )

    # ---- receiving -----------------------------------------------------------------------------

    @asynccontextmanager
    async def receive(
        self, upload_id: str, viewer: Viewer, *, offset: int, is_checked: bool
    ) -> AsyncIterator[Receiver]:
        """Hold the upload for one body that begins at ``offset``; the lease ends with the block.

        Raises:
            NotFoundError, GoneError: There is none (any more).
            LockedError: 423, another connection sends to it.
            ConflictError: 409, the next byte has another offset.
            CapacityError: 503, too many connections send.
        """
        if self._receiving_count >= MAX_RECEIVING:
            self._metrics.bodies.labels("turned_away").inc()
            raise CapacityError(
                f"{MAX_RECEIVING} connections send already", title_zh="上传的人较多,请稍后再试"
            )
        self._receiving_count += 1
        self._metrics.receiving.inc()
        try:
            token = new_id()
            upload = await self._lease(upload_id, viewer, token)
            try:
                if upload.received_bytes != offset:
                    raise ConflictError(f"the next byte is {upload.received_bytes}, not {offset}")
                receiver = Receiver(self.tools, upload, token=token, is_checked=is_checked)
                async with self._renewing(upload_id, token):
                    with self._measuring(receiver):
                        yield receiver
            finally:
                await asyncio.shield(self._release(upload_id, token))
        finally:
            self._receiving_count -= 1
            self._metrics.receiving.dec()

    @contextmanager
    def _measuring(self, receiver: Receiver) -> Iterator[None]:
        outcome, start = "broken", receiver.stored_bytes
        try:
            yield
            outcome = "whole"
        finally:
            self._metrics.bodies.labels(outcome).inc()
            self._metrics.stored_bytes.inc(receiver.stored_bytes - start)

    async def _lease(self, upload_id: str, viewer: Viewer, token: str) -> Upload:
        now = self._clock.now()
        async with self._database.write() as session:
            upload = await queries.load_upload(session, upload_id, viewer)
            queries.require_present(upload)
            if upload.state is not UploadState.RECEIVING:
                raise ConflictError(f"the upload is {upload.state.value}")
            until = now + LEASE
            if not await queries.take_lease(session, upload_id, token=token, until=until, now=now):
                raise LockedError("another connection sends to this upload")
            await session.refresh(upload)
            return upload

    @asynccontextmanager
    async def _renewing(self, upload_id: str, token: str) -> AsyncIterator[None]:
        """Keep the lease while the body comes, however slowly."""
        task = asyncio.create_task(self._renew(upload_id, token), name="upload-lease")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew(self, upload_id: str, token: str) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                async with self._database.write() as session:
                    until = self._clock.now() + LEASE
                    await queries.change_leased(session, upload_id, token, lease_until=until)
            except DependencyError as error:  # Its next commit would fail, too; that one tells.
                log.warning("upload_lease_not_renewed", upload_id=upload_id, detail=str(error))

    async def _release(self, upload_id: str, token: str) -> None:
        try:
            async with self._database.write() as session:
                await queries.change_leased(
                    session, upload_id, token, lease_token=None, lease_until=None
                )
        except DependencyError as error:  # It runs out by itself.
            log.warning("upload_lease_stays", upload_id=upload_id, detail=str(error))

    async def finish_if_complete(self, upload_id: str) -> None:
        """Make a lecture of it if every byte is there; what fails now, the sweeper does later."""
        try:
            await finish_upload(self.tools, upload_id)
        except DependencyError as error:
            log.warning("upload_finished_later", upload_id=upload_id, detail=str(error))

    # ---- showing and ending --------------------------------------------------------------------

    async def load(self, upload_id: str, viewer: Viewer) -> Upload:
        """Raises ``NotFoundError`` when there is none, or it is somebody else's."""
        async with self._database.read() as session:
            return await queries.load_upload(session, upload_id, viewer)

    async def load_used_bytes(self, account_id: str) -> int:
        async with self._database.read() as session:
            return await queries.sum_used_bytes(session, account_id)

    async def cancel(self, upload_id: str, viewer: Viewer) -> None:
        """Drop an upload and its bytes; whoever sends to it hears of it at the next part.

        Raises:
            NotFoundError: There is none.
            ConflictError: A lecture is made of it.
        """
        now = self._clock.now()
        async with self._database.write() as session:
            upload = await queries.load_upload(session, upload_id, viewer)
            if upload.state in {UploadState.DONE, UploadState.REFUSED} or is_complete(upload):
                raise ConflictError(
                    "a lecture is made of this file; delete the lecture instead",
                    title_zh="文件已成为课程,请到课程页面删除",
                )
            if upload.state is UploadState.RECEIVING:
                upload.state, upload.reason, upload.finished_at = UploadState.EXPIRED, "已取消", now
                upload.lease_token = upload.lease_until = None
        await self.discard(upload_id, is_row_wanted=False)

    async def discard(self, upload_id: str, *, is_row_wanted: bool) -> None:
        """Remove the bytes of an ended upload, then note it (or remove the row as well).

        Raises:
            DependencyError: The store failed; call again later.
        """
        async with self._database.read() as session:
            upload = await session.get(Upload, upload_id)
        if upload is None or upload.state is UploadState.RECEIVING:
            return
        await self._blobs.abort_multipart(find_multipart(upload))
        await self._blobs.delete(upload_key(upload_id))
        async for info in self._blobs.list_keys(upload_key(upload_id) + ".tail-"):
            await self._blobs.delete(info.key)
        async with self._database.write() as session:
            ended = await session.get(Upload, upload_id)
            if ended is not None and is_row_wanted:
                ended.bytes_deleted_at, ended.tail = self._clock.now(), []
            elif ended is not None:
                await session.delete(ended)
