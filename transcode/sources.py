"""Bring sources to where ffmpeg can read them.

Recorded segments are laid out as one file, init + segments. Stored files are read where they lie,
copied when they are small, or read through an address that expires.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kernel.blobs import BlobStore
from kernel.errors import BlobMissingError, EncodeError
from kernel.fmp4.init_reader import InitInfo, parse_init
from kernel.fmp4.reader import Fragment, index_bytes
from kernel.layout import Rendition, init_key, segment_key
from kernel.timing import TICKS_PER_S, rescale
from transcode.commands.base import MediaInput
from transcode.context import UnitContext
from transcode.settings import MAX_SEGMENT_BYTES, MAX_UNIT_S
from transcode.specs import FileSource, Source, SourceSegment

MAX_COPY_BYTES: Final = 64 * 1024 * 1024  # Up to here a copy is quicker than seeking over HTTP.
ADDRESS_SPARE_S: Final = 600  # An address outlives the unit that reads from it.
READ_AHEAD: Final = 4  # Segments fetched at once; hides the latency of an object store.


@dataclass(frozen=True, slots=True)
class FetchedSource:
    """A readable file; ``start_ticks`` is the lecture time of its first segment."""

    path: Path
    start_ticks: int


async def open_source(context: UnitContext, source: FileSource) -> MediaInput:
    """Make a stored file readable for ffmpeg.

    Raises:
        EncodeError: Permanent: it is gone.
        DependencyError: The store is down.
    """
    return await open_key(context, source.key, size_bytes=source.size_bytes, demuxer=source.demuxer)


async def open_key(
    context: UnitContext, key: str, *, size_bytes: int, demuxer: str | None
) -> MediaInput:
    """As ``open_source``, for a file of which nothing is known yet (``demuxer`` is ``None``)."""
    local = context.store.local_path(key)
    if local is not None and not await asyncio.to_thread(local.is_file):
        raise _describe_missing(key)
    if local is None and size_bytes > MAX_COPY_BYTES:
        address = await context.store.read_url(key, expires_s=MAX_UNIT_S + ADDRESS_SPARE_S)
        if address is not None:
            return MediaInput(address, demuxer)
    if local is None:
        local = context.folder / f"source-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        try:
            if not await asyncio.to_thread(local.exists):
                await context.store.download(key, local)
        except BlobMissingError as error:
            raise _describe_missing(key) from error
    return MediaInput(str(local), demuxer)


def _describe_missing(key: str) -> EncodeError:
    return EncodeError(f"{key} is no longer stored", permanent=True, title_zh="原始文件缺失")


async def fetch_init(store: BlobStore, source: Source, rendition: Rendition) -> bytes:
    key = init_key(source.broadcast_id, epoch=source.epoch, rendition=rendition, name=source.init)
    return await _read(store, key, f"init of epoch {source.epoch}")


async def fetch_segment(
    store: BlobStore, source: Source, rendition: Rendition, segment: SourceSegment
) -> bytes:
    """Read one segment; its size must be the index's.

    Raises:
        EncodeError: Permanent when it is gone, not when its size is wrong.
        DependencyError: The store is down.
    """
    key = segment_key(source.broadcast_id, epoch=source.epoch, rendition=rendition, msn=segment.msn)
    data = await _read(store, key, f"segment {segment.msn}")
    if len(data) != segment.size_bytes:
        raise EncodeError(
            f"segment {segment.msn} has {len(data)} bytes, the index says {segment.size_bytes}"
        )
    return data


async def _read(store: BlobStore, key: str, what: str) -> bytes:
    try:
        return await store.get_bytes(key, limit_bytes=MAX_SEGMENT_BYTES)
    except BlobMissingError as error:
        raise EncodeError(
            f"{what} is no longer stored ({key})", permanent=True, title_zh="录制文件缺失"
        ) from error


async def write_source(
    store: BlobStore, source: Source, rendition: Rendition, path: Path
) -> FetchedSource:
    """Write init and every segment of ``source``."""
    init = await fetch_init(store, source, rendition)
    with await asyncio.to_thread(path.open, "wb") as target:
        await asyncio.to_thread(target.write, init)
        await _append(target, _iter_segments(store, source, rendition, source.segments))
    return FetchedSource(path, source.segments[0].start_ticks)


async def write_range(
    store: BlobStore, source: Source, path: Path, *, start_ticks: int
) -> FetchedSource:
    """Write what a video range needs: from the last keyframe at or before its start.

    Segments before it are read backwards until one begins with a keyframe shown no later than
    ``start_ticks``. Where there is none (the epoch's start was lost), the file begins with the
    first segment we have, and the range with its first decodable picture.
    """
    init = await fetch_init(store, source, "av")
    info = parse_init(init)
    first = max(
        (n for n, item in enumerate(source.segments) if item.start_ticks <= start_ticks), default=0
    )
    head: list[bytes] = []
    while True:
        data = await fetch_segment(store, source, "av", source.segments[first])
        head.insert(0, data)
        if first == 0 or can_start_at(data, info, start_ticks=start_ticks):
            break
        first -= 1
    with await asyncio.to_thread(path.open, "wb") as target:
        await asyncio.to_thread(target.write, init + b"".join(head))
        rest = source.segments[first + len(head) :]
        await _append(target, _iter_segments(store, source, "av", rest))
    return FetchedSource(path, source.segments[first].start_ticks)


def can_start_at(data: bytes, info: InitInfo, *, start_ticks: int) -> bool:
    """Tell whether a segment begins with a keyframe that is shown at or before ``start_ticks``."""
    track = info.find("vide")
    if track is None:
        return True
    for fragment in index_bytes(data, init=info):
        run = fragment.find(track.track_id)
        if run is not None:
            shown = rescale(run.first_pts_ticks, from_hz=track.timescale_hz, to_hz=TICKS_PER_S)
            return run.is_sync_first and shown <= start_ticks
    return False


def measure_video(fragments: Sequence[Fragment], track_id: int) -> tuple[int, int]:
    """Frames and their ticks in a run of fragments."""
    runs = [run for item in fragments if (run := item.find(track_id)) is not None]
    return sum(run.samples_count for run in runs), sum(run.duration_ticks for run in runs)


async def _iter_segments(
    store: BlobStore, source: Source, rendition: Rendition, segments: Sequence[SourceSegment]
) -> AsyncIterator[bytes]:
    for offset in range(0, len(segments), READ_AHEAD):
        batch = segments[offset : offset + READ_AHEAD]
        for data in await asyncio.gather(
            *(fetch_segment(store, source, rendition, segment) for segment in batch)
        ):
            yield data


async def _append(target: BinaryIO, segments: AsyncIterator[bytes]) -> None:
    async for data in segments:
        await asyncio.to_thread(target.write, data)
