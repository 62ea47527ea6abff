"""Bring closed segments to the blob store, for as long as it takes.

The store being down is a state, not an error: the spool keeps everything, live goes on, and the
upload catches up. A local copy goes only after the stored size was verified, and not before the
segment is old enough that nobody asks for it from the spool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from kernel.blobs import BlobStore
from kernel.blobs.executor import BoundedExecutor
from kernel.clock import Clock
from kernel.errors import DependencyError, InputError
from kernel.layout import RENDITIONS, Rendition, init_key, journal_key, segment_key
from kernel.timing import TICKS_PER_S
from streamer.ports import SegmentInfo
from streamer.recorder.history import EpochHistory
from streamer.recorder.recorder import Recorder

MAX_PARALLEL: Final = 4  # Uploads of one broadcast at a time.
FIRST_RETRY_S: Final = 0.5
LAST_RETRY_S: Final = 15.0
REPORT_PERIOD_S: Final = 5.0  # SegmentsStored at most this often.
LOCAL_SEGMENTS: Final = 30  # Newest segments that stay in the spool although they are stored.
BEHIND_S: Final = 60  # Closed but not stored for longer than this is worth a warning.
VIDEO_MP4: Final = "video/mp4"
AUDIO_MP4: Final = "audio/mp4"
CONTENT_TYPES: Final = {"av": VIDEO_MP4, "audio": AUDIO_MP4}

log = structlog.get_logger(__name__)


class UploadListener(Protocol):
    """Who wants to know how far the upload is. Called on the event loop."""

    def on_segments_stored(self, through_msn: int, stored_ticks: int) -> None: ...

    def on_recording_stored(self, version: int) -> None: ...


class Uploader:
    """Uploads one broadcast; ``run`` until cancelled."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        blobs: BlobStore,
        disk: BoundedExecutor,
        clock: Clock,
        slots: asyncio.Semaphore,
        listener: UploadListener,
    ) -> None:
        self._recorder = recorder
        self._blobs = blobs
        self._disk = disk
        self._clock = clock
        self._slots = slots
        self._listener = listener
        self._wake = asyncio.Event()
        self._wake.set()
        self._reported_msn = -1
        self._reported_at_s = -REPORT_PERIOD_S
        self._local: list[SegmentInfo] = []
        history = recorder.history
        self._pending: dict[int, SegmentInfo] = {}
        for segment in history.segments:
            if segment.is_gap:
                continue
            if segment.msn in history.stored:
                self._local.append(segment)
            else:
                self._pending[segment.msn] = segment
        self.through_msn = -1
        self.stored_ticks = 0
        self.failures_count = 0
        self._advance()

    @property
    def is_behind(self) -> bool:
        """More than a minute of closed segments waits."""
        return self.lag_ticks > BEHIND_S * TICKS_PER_S

    @property
    def lag_ticks(self) -> int:
        """Closed media that is not in the blob store yet."""
        return sum(segment.duration_ticks for segment in self._pending.values())

    @property
    def spooled_bytes(self) -> int:
        """Segments in the spool: those that wait, and the newest of those stored."""
        kept = (*self._pending.values(), *self._local)
        return sum(sum(segment.sizes.values()) for segment in kept)

    def add(self, segment: SegmentInfo) -> None:
        """A segment is complete in the spool."""
        self._pending[segment.msn] = segment
        self._wake.set()

    def drop(self, msn: int) -> None:
        """A segment turned out to be a gap."""
        self._pending.pop(msn, None)
        self._wake.set()

    def poke(self) -> None:
        """Something else changed: a new epoch, or the end."""
        self._wake.set()

    async def run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            self._wake.clear()
            did_all = await self._upload_some()
            self._advance()
            if not did_all:
                await asyncio.sleep(retry_s)
                retry_s = min(LAST_RETRY_S, retry_s * 2)
                continue
            retry_s = FIRST_RETRY_S
            if self._pending or any(not item.are_inits_stored for item in self._epochs()):
                continue
            if await self._finish():
                await self._wait()
            else:
                await asyncio.sleep(FIRST_RETRY_S)

    async def _wait(self) -> None:
        """Until there is work, or a report is due."""
        due_s = None
        if self._reported_msn < self.through_msn:
            due_s = max(0.05, self._reported_at_s + REPORT_PERIOD_S - self._clock.monotonic_s())
        try:
            async with asyncio.timeout(due_s):
                await self._wake.wait()
        except TimeoutError:
            self._report()

    def _epochs(self) -> list[EpochHistory]:
        return self._recorder.history.epochs

    async def _upload_some(self) -> bool:
        """Try the oldest few once; ``False`` when one of them failed."""
        epochs = [item for item in self._epochs() if not item.are_inits_stored][:MAX_PARALLEL]
        jobs = [self._upload_inits(item) for item in epochs]
        room = MAX_PARALLEL - len(jobs)
        jobs += [self._upload_segment(item) for item in list(self._pending.values())[:room]]
        results = await asyncio.gather(*jobs)
        return all(results)

    async def _upload_inits(self, epoch: EpochHistory) -> bool:
        broadcast_id, number = self._recorder.folder.broadcast_id, epoch.info.epoch
        try:
            async with self._slots:
                for rendition, (name, data) in epoch.info.inits.items():
                    key = init_key(broadcast_id, epoch=number, rendition=rendition, name=name)
                    await self._blobs.put_bytes(key, data, content_type=CONTENT_TYPES[rendition])
        except (DependencyError, InputError) as error:
            self._report_failure(error)
            return False
        self._recorder.mark_inits_stored(number)
        return True

    async def _upload_segment(self, segment: SegmentInfo) -> bool:
        try:
            async with self._slots:
                for rendition in RENDITIONS:
                    await self._upload_file(segment, rendition)
        except DependencyError as error:
            self._report_failure(error)
            return False
        except InputError as error:
            if await asyncio.to_thread(self._is_here_blocking, segment):
                self._report_failure(error)  # The store refuses it; it may not for ever.
                return False
            # Somebody removed the file from the spool.
            self._pending.pop(segment.msn, None)
            self._recorder.declare_lost(segment.msn, str(error))
            return True
        self._recorder.mark_stored(segment.msn)
        self._pending.pop(segment.msn, None)
        self._local.append(segment)
        await self._prune(LOCAL_SEGMENTS)
        return True

    def _is_here_blocking(self, segment: SegmentInfo) -> bool:
        place = {"epoch": segment.epoch, "msn": segment.msn}
        folder = self._recorder.folder
        return all(folder.segment(rendition=r, **place).is_file() for r in RENDITIONS)

    def _report_failure(self, error: Exception) -> None:
        self.failures_count += 1
        broadcast_id = self._recorder.folder.broadcast_id
        log.warning("upload_failed", broadcast_id=broadcast_id, detail=str(error))

    async def _upload_file(self, segment: SegmentInfo, rendition: Rendition) -> None:
        folder, place = self._recorder.folder, {"epoch": segment.epoch, "msn": segment.msn}
        key = segment_key(folder.broadcast_id, rendition=rendition, **place)
        path = folder.segment(rendition=rendition, **place)
        info = await self._blobs.put_file(key, path, content_type=CONTENT_TYPES[rendition])
        if info.size_bytes != segment.sizes[rendition]:
            expected = segment.sizes[rendition]
            raise DependencyError(f"{key}: {info.size_bytes} bytes, not {expected}")

    async def _prune(self, keep_count: int) -> None:
        """Delete the local copies of stored segments but the newest ``keep_count``."""
        folder = self._recorder.folder
        old, self._local = (
            self._local[: max(0, len(self._local) - keep_count)],
            self._local[max(0, len(self._local) - keep_count) :],
        )
        for segment in old:
            await self._on_disk(
                lambda item=segment: folder.delete_segment_blocking(  # type: ignore[misc]
                    epoch=item.epoch, msn=item.msn
                )
            )

    async def _on_disk(self, function: Callable[[], None]) -> None:
        try:
            await self._disk.run(function, timeout_s=10.0)
        except (OSError, DependencyError, InputError) as error:
            log.warning("spool_not_pruned", detail=str(error))  # The next start deletes it.

    def _advance(self) -> None:
        """Move ``through_msn`` over what is stored or lost, without a hole."""
        stored = self._recorder.history.stored
        through, ticks = -1, 0
        for segment in self._recorder.history.segments:
            if not segment.is_gap and segment.msn not in stored:
                break
            through = segment.msn
            ticks += 0 if segment.is_gap else segment.duration_ticks
        self.through_msn, self.stored_ticks = through, ticks
        if self._clock.monotonic_s() - self._reported_at_s >= REPORT_PERIOD_S:
            self._report()

    def _report(self) -> None:
        if self.through_msn > self._reported_msn:
            self._listener.on_segments_stored(self.through_msn, self.stored_ticks)
            self._reported_msn = self.through_msn
            self._reported_at_s = self._clock.monotonic_s()

    async def _finish(self) -> bool:
        """After the end: the journal last, then everybody may know. ``False``: try again."""
        history = self._recorder.history
        is_due = history.is_ended and not history.is_kept
        last = history.last_segment
        if not is_due:
            return True
        if last is not None and self.through_msn != last.msn:
            return True  # A segment is still on its way to the spool; its arrival wakes us.
        version, folder = history.recording_version, self._recorder.folder
        try:
            await self._recorder.flush()
            async with self._slots:
                await self._blobs.put_file(
                    journal_key(folder.broadcast_id),
                    folder.journal,
                    content_type="application/x-ndjson",
                )
        except (DependencyError, InputError, TimeoutError) as error:
            self._report_failure(error)
            return False
        if history.is_ended and history.recording_version == version:
            self._report()
            self._recorder.mark_kept(version)
            if self.stored_ticks:  # Of a class without any media there is nothing to transcode.
                self._listener.on_recording_stored(version)
            await self._prune(0)
        return True
