"""Bytes of one connection on their way into the blob store.

What is acknowledged is durable: whole parts as parts of the store's multipart object, the rest
(less than a part) as *tail pieces*, small objects that become part of the next part. After each
part the new offset is committed, so a connection that breaks, or a vod that is killed, loses less
than one part. One part is in memory per connection; while the store takes it nothing more is read,
so a slow store slows its client down.

With a checksum nothing is committed before the whole body has been compared: the parts it filled
are simply stored again later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from kernel.blobs.executor import BoundedExecutor
from kernel.blobs.port import BlobStore, Multipart
from kernel.clock import Clock
from kernel.errors import DependencyError, GoneError
from kernel.layout import upload_key, upload_tail_key
from vod.db.engine import Database
from vod.uploads.digest import digest_part
from vod.uploads.models import Upload, UploadPart
from vod.uploads.queries import change_leased

LEASE: Final = timedelta(seconds=30)  # A vod that was killed holds an upload for no longer.
MAX_TAIL_PIECES: Final = 16  # Then they are stored together: small bodies cost no endless list.
HASH_TIMEOUT_S: Final = 30.0
OCTETS: Final = "application/octet-stream"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What receiving works with."""

    database: Database
    blobs: BlobStore
    clock: Clock
    hashing: BoundedExecutor
    expires: timedelta


def find_multipart(upload: Upload) -> Multipart:
    """The store's unfinished object of an upload."""
    return Multipart(upload_key(upload.id), upload.multipart, upload.part_bytes)


class Receiver:
    """Takes the body of one request: ``add()`` each piece, then ``settle()`` once.

    Attributes:
        stored_bytes: Committed so far, from the start of the file.

    Invariants: ``received_bytes`` in the database counts stored bytes only; whoever lost the lease
    commits nothing more.

    Raises (all methods):
        GoneError: The upload was cancelled, has expired, or is somebody else's by now.
        DependencyError: The store or the database failed; what was committed stays.
    """

    def __init__(self, tools: Tools, upload: Upload, *, token: str, is_checked: bool) -> None:
        """``upload`` as it was when the lease was taken; ``is_checked``: a checksum is compared."""
        self._tools = tools
        self._id, self._token, self._is_checked = upload.id, token, is_checked
        self._size_bytes, self._multipart = upload.size_bytes, find_multipart(upload)
        self._tail: list[dict[str, Any]] = list(upload.tail)
        self._tail_bytes = sum(int(piece["size_bytes"]) for piece in self._tail)
        self._parts_bytes = upload.received_bytes - self._tail_bytes
        self._buffer = bytearray()
        self._new_parts: list[UploadPart] = []
        self._used_pieces: list[str] = []
        self._written_piece: str | None = None
        self._is_busy = False
        self.stored_bytes = upload.received_bytes

    @property
    def offset(self) -> int:
        """Bytes taken so far, from the start of the file; not all are stored yet."""
        return self._parts_bytes + self._tail_bytes + len(self._buffer)

    @property
    def left_bytes(self) -> int:
        """How much of the file is still to come."""
        return self._size_bytes - self.offset

    async def add(self, data: bytes) -> None:
        """Take some bytes, at most ``left_bytes``; each part that is full goes to the store."""
        view = memoryview(data)
        while view:
            room = self._multipart.part_bytes - self._tail_bytes - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            if self._is_part_full():
                self._is_busy = True
                await self._store_part()
                if not self._is_checked:
                    await self._commit(is_last=False)
                self._is_busy = False

    def _is_part_full(self) -> bool:
        waiting = self._tail_bytes + len(self._buffer)
        return waiting == self._multipart.part_bytes or (waiting > 0 and self.left_bytes == 0)

    async def _store_part(self) -> None:
        data = await self._join_tail()
        number = self._parts_bytes // self._multipart.part_bytes + 1
        digest = await self._tools.hashing.run(lambda: digest_part(data), timeout_s=HASH_TIMEOUT_S)
        etag = await self._tools.blobs.put_part(self._multipart, number, data)
        self._new_parts.append(
            UploadPart(upload_id=self._id, number=number, etag=etag, digest=digest)
        )
        self._parts_bytes += len(data)
        self._drop_tail()

    async def _join_tail(self) -> bytes:
        pieces = [
            await self._tools.blobs.get_bytes(piece["key"], limit_bytes=piece["size_bytes"])
            for piece in self._tail
        ]
        return b"".join([*pieces, bytes(self._buffer)])

    def _drop_tail(self) -> None:
        self._used_pieces += [piece["key"] for piece in self._tail]
        self._tail, self._tail_bytes = [], 0
        self._buffer.clear()

    async def settle(self) -> int:
        """Store what waits, commit, give the lease back; return the new offset."""
        if self._buffer:
            await self._store_piece()
        await self._commit(is_last=True)
        return self.offset

    async def settle_broken(self) -> None:
        """Keep what came of a body that broke off: without a checksum every byte is a good byte.

        Nothing is kept on top when a part was just being stored: how far that went is not known.
        """
        if not self._is_checked and not self._is_busy:
            await self.settle()

    async def _store_piece(self) -> None:
        end = self.offset
        if len(self._tail) + 1 >= MAX_TAIL_PIECES:
            data = await self._join_tail()
            self._drop_tail()
        else:
            data = bytes(self._buffer)
            self._buffer.clear()
        key = upload_tail_key(self._id, received_bytes=end)
        await self._tools.blobs.put_bytes(key, data, content_type=OCTETS)
        self._written_piece = key
        self._tail.append({"key": key, "size_bytes": len(data)})
        self._tail_bytes += len(data)

    async def _commit(self, *, is_last: bool) -> None:
        now = self._tools.clock.now()
        lease: dict[str, Any] = {"lease_until": now + LEASE}
        if is_last:
            lease = {"lease_token": None, "lease_until": None}
        async with self._tools.database.write() as session:
            is_ours = await change_leased(
                session,
                self._id,
                self._token,
                received_bytes=self._parts_bytes + self._tail_bytes,
                tail=self._tail,
                expires_at=now + self._tools.expires,
                **lease,
            )
            if is_ours:
                session.add_all(self._new_parts)
        if not is_ours:
            if self._written_piece is not None:
                await self._delete([self._written_piece])
            raise GoneError(
                "the upload is no longer ours", title_zh="上传已取消,或已由新的连接接管"
            )
        self._new_parts = []
        self.stored_bytes = self._parts_bytes + self._tail_bytes
        used, self._used_pieces, self._written_piece = self._used_pieces, [], None
        await self._delete(used)

    async def _delete(self, keys: list[str]) -> None:
        """Remove pieces that nobody needs; what stays behind goes with the upload's end."""
        for key in keys:
            try:
                await self._tools.blobs.delete(key)
            except DependencyError as error:
                log.info("tail_piece_stays", key=key, detail=str(error))
