"""Read recorded media back: from the spool, else from the blob store (``SegmentReader``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from kernel.blobs import BlobStore
from kernel.blobs.executor import BoundedExecutor
from kernel.layout import Rendition, segment_key
from streamer.recorder.spool import SpoolFolder

CHUNK_BYTES: Final = 256 * 1024
READ_TIMEOUT_S: Final = 10.0


class RecordedMedia:
    """``SegmentReader`` of one broadcast."""

    def __init__(self, folder: SpoolFolder, *, blobs: BlobStore, disk: BoundedExecutor) -> None:
        self._folder = folder
        self._blobs = blobs
        self._disk = disk

    async def read_segment(self, epoch: int, rendition: Rendition, msn: int) -> bytes:
        chunks = self.iter_segment(epoch, rendition, msn, start=0, end=None)
        return b"".join([chunk async for chunk in chunks])

    async def iter_segment(
        self, epoch: int, rendition: Rendition, msn: int, *, start: int, end: int | None
    ) -> AsyncIterator[bytes]:
        path = self._folder.segment(epoch=epoch, rendition=rendition, msn=msn)
        try:
            source = await self._disk.run(
                lambda: _open_blocking(path, start), timeout_s=READ_TIMEOUT_S
            )
        except FileNotFoundError:
            key = segment_key(self._folder.broadcast_id, epoch=epoch, rendition=rendition, msn=msn)
            async for chunk in self._blobs.iter_bytes(key, start=start, end=end):
                yield chunk
            return
        try:
            position = start
            while end is None or position < end:
                wanted = CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - position)
                chunk = await self._disk.run(
                    lambda n=wanted: source.read(n),  # type: ignore[misc]
                    timeout_s=READ_TIMEOUT_S,
                )
                if not chunk:
                    return
                position += len(chunk)
                yield chunk
        finally:
            source.close()


def _open_blocking(path: Path, start: int) -> BinaryIO:
    source = path.open("rb")
    source.seek(start)
    return source
