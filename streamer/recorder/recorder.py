"""Record one broadcast: the packager's output to spool and journal, part by part.

Called on the event loop, returns at once; the disk belongs to the writer's thread. A segment is
kept whole or not at all: when its media cannot be written it becomes a gap, whose place in
lecture time stays.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, Protocol

import structlog

from kernel.clock import Clock
from kernel.layout import Rendition
from kernel.recording import RecordingIndex
from streamer.ports import EndReason, EpochInfo, Part, SegmentInfo
from streamer.recorder.history import History
from streamer.recorder.lines import (
    BroadcastLine,
    ClosedLine,
    CredentialLine,
    EndedLine,
    GapLine,
    InitsStoredLine,
    KeptLine,
    Line,
    ReopenedLine,
    RestoredLine,
    RevokedLine,
    StoredLine,
    build_epoch_line,
    build_segment_line,
    encode_line,
    encode_part,
)
from streamer.recorder.spool import SpoolFolder
from streamer.recorder.writer import BroadcastFiles, SpoolWriter, WriteTask

LINE_BYTES: Final = 256  # What a queued journal line is charged against the queue.

log = structlog.get_logger(__name__)


class RecorderListener(Protocol):
    """Who wants to know what became of the segments. Called on the event loop."""

    def on_segment_written(self, segment: SegmentInfo) -> None:
        """All its bytes are in the spool; it may be uploaded."""

    def on_segment_lost(self, segment: SegmentInfo) -> None:
        """It was announced and is a gap after all."""


class Recorder:
    """The sink that keeps everything. One per open broadcast.

    Attributes:
        history: The truth about the recording, the same that a restart rebuilds.
    """

    def __init__(
        self, folder: SpoolFolder, history: History, *, writer: SpoolWriter, clock: Clock
    ) -> None:
        self.folder = folder
        self.history = history
        self.listener: RecorderListener | None = None
        self._writer = writer
        self._clock = clock
        self._files = BroadcastFiles(folder.path, writer)
        self._loop = asyncio.get_running_loop()
        self._offsets: dict[Rendition, int] = {}
        self._msn: int | None = None
        self._lost: set[int] = set()
        self._open_ticks = 0
        self._closed_ticks = sum(
            item.duration_ticks for item in history.segments if not item.is_gap
        )

    @classmethod
    def create(
        cls, folder: SpoolFolder, header: BroadcastLine, *, writer: SpoolWriter, clock: Clock
    ) -> Recorder:
        """Begin a journal."""
        recorder = cls(folder, History(), writer=writer, clock=clock)
        recorder._write(header)
        return recorder

    @property
    def recorded_ticks(self) -> int:
        """Media received and kept, 1/90000 s; at most ``COMMIT_PERIOD_S`` ahead of the disk."""
        return self._closed_ticks + self._open_ticks

    @property
    def is_paused(self) -> bool:
        """The disk is full: what is taught now is live only."""
        return self._writer.is_full

    @property
    def is_disk_low(self) -> bool:
        return self._writer.is_low

    def is_lost(self, msn: int) -> bool:
        return msn in self._lost

    def build_index(self) -> RecordingIndex:
        return self.history.build_index()

    # ---- PackagerSink --------------------------------------------------------------------------

    def on_epoch(self, epoch: EpochInfo) -> None:
        self._write(build_epoch_line(epoch))

    def on_part(self, part: Part) -> None:
        if part.msn != self._msn:
            self._msn, self._offsets, self._open_ticks = part.msn, dict.fromkeys(part.media, 0), 0
        if part.msn in self._lost:
            return
        if self._writer.is_full:
            self._lose(part.msn)
            return
        line = encode_part(part, offsets=self._offsets)
        for rendition, media in part.media.items():
            self._offsets[rendition] += len(media)
        self._open_ticks += part.duration_ticks
        size_bytes = sum(map(len, part.media.values())) + LINE_BYTES
        if not self._writer.submit(
            lambda: self._append_blocking(part, line), size_bytes=size_bytes
        ):
            self._lose(part.msn)

    def on_segment(self, segment: SegmentInfo) -> None:
        """Close the segment; ask ``is_lost`` afterwards whether it is a gap."""
        if self._msn != segment.msn and not segment.is_gap:
            self._lose(segment.msn)  # No part of it ever came.
        self._open_ticks, self._msn = 0, None
        if segment.msn in self._lost:
            segment = replace(segment, is_gap=True, sizes={"av": 0, "audio": 0})
        else:
            self._closed_ticks += segment.duration_ticks
        line = build_segment_line(segment)
        if not self.history.apply(line):
            log.error(
                "segment_does_not_fit",
                broadcast_id=self.folder.broadcast_id,
                msn=segment.msn,
                start_ticks=segment.start_ticks,
                expected_msn=self.history.next_msn,
                expected_ticks=self.history.next_ticks,
            )
        encoded = encode_line(line)

        def close_blocking() -> None:
            try:
                self._files.close_media_blocking(drop=segment.is_gap)
            except OSError as error:  # What was written did not get to the disk after all.
                self._lost.add(segment.msn)
                self._files.append_line_blocking(encoded)
                self._loop.call_soon_threadsafe(self._report_failed, segment.msn, str(error))
                self._files.close_media_blocking(drop=True)
                return
            self._files.append_line_blocking(encoded)
            self._loop.call_soon_threadsafe(self._report_written, segment)

        self._submit(close_blocking)

    def on_epoch_end(self, epoch: int, reason: EndReason) -> None:
        self._write(ClosedLine(e=epoch, reason=reason.value))

    def on_end(self) -> None:
        self._write(EndedLine(version=self.history.recording_version + 1, at=self._clock.now()))

    def on_reopen(self) -> None:
        self._write(ReopenedLine())

    # ---- Everything else that the journal remembers ----------------------------------------------

    def add_credential(self, digest: str) -> None:
        if digest not in self.history.credentials:
            self._write(CredentialLine(digest=digest))

    def revoke_credentials(self) -> None:
        """Whoever comes back has to be asked about at vod again."""
        self._write(RevokedLine())

    def declare_lost(self, msn: int, detail: str) -> None:
        """A closed segment's media is gone from the spool: it is a gap from now on."""
        self._lost.add(msn)
        self._report_failed(msn, detail)

    def mark_stored(self, msn: int) -> None:
        self._write(StoredLine(m=msn))

    def mark_inits_stored(self, epoch: int) -> None:
        self._write(InitsStoredLine(e=epoch))

    def mark_kept(self, version: int) -> None:
        self._write(KeptLine(version=version))

    def mark_restored(self, token: str) -> None:
        self._write(RestoredLine(token=token))

    async def flush(self) -> None:
        """Everything so far is on the disk. Raises ``TimeoutError`` after 10 s."""
        await self._writer.flush()

    async def close(self) -> None:
        """Close the files; the folder stays."""
        self._submit(self._files.close_blocking)
        await self._writer.flush()

    # ---- the writer's thread -------------------------------------------------------------------

    def _append_blocking(self, part: Part, line: bytes) -> None:
        if part.msn in self._lost:
            return
        try:
            for rendition, media in part.media.items():
                path = self.folder.segment(epoch=part.epoch, rendition=rendition, msn=part.msn)
                self._files.append_media_blocking(path, media)
        except OSError as error:
            self._lost.add(part.msn)
            self._loop.call_soon_threadsafe(self._report_failed, part.msn, str(error))
            self._files.close_media_blocking(drop=True)
            return
        self._files.append_line_blocking(line)

    # ---- the loop again ------------------------------------------------------------------------

    def _lose(self, msn: int) -> None:
        self._lost.add(msn)
        self._open_ticks = 0
        log.warning("segment_not_recorded", broadcast_id=self.folder.broadcast_id, msn=msn)

    def _report_failed(self, msn: int, detail: str) -> None:
        log.error("segment_lost", broadcast_id=self.folder.broadcast_id, msn=msn, detail=detail)
        if self._msn == msn:
            self._open_ticks = 0
            return
        line = GapLine(m=msn)  # It was closed and announced before the disk said no.
        lost = next((item for item in self.history.segments if item.msn == msn), None)
        if lost is None or lost.is_gap or not self.history.apply(line):
            return
        self._closed_ticks -= lost.duration_ticks
        self._submit(lambda: self._files.append_line_blocking(encode_line(line)))
        if self.listener is not None:
            self.listener.on_segment_lost(replace(lost, is_gap=True, sizes={"av": 0, "audio": 0}))

    def _report_written(self, segment: SegmentInfo) -> None:
        if self.listener is not None and not segment.is_gap and segment.msn not in self._lost:
            self.listener.on_segment_written(segment)

    def _write(self, line: Line) -> None:
        self.history.apply(line)
        encoded = encode_line(line)
        self._submit(lambda: self._files.append_line_blocking(encoded))

    def _submit(self, task: WriteTask) -> None:
        """Queue a journal line; they are small, so only a disk that hangs for hours refuses."""
        if not self._writer.submit(task):
            log.error("journal_line_lost", broadcast_id=self.folder.broadcast_id)
