"""The one thread that writes to the spool: small tasks in order, fsync every second.

Queue policy: refuse. When more than ``MAX_QUEUED_BYTES`` wait (the disk hangs), ``submit`` answers
``False`` and the caller marks the media as a gap; memory stays bounded and live goes on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self

import structlog

COMMIT_PERIOD_S: Final = 1.0  # Invariant 1: a crash of the machine loses at most 2 s.
MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024  # 100 s of a 5 Mbit/s class.
MAX_QUEUED_TASKS: Final = 20_000
MIN_FREE_BYTES: Final = 64 * 1024 * 1024  # Kept for journals, outboxes and everybody else.
RESUME_FREE_BYTES: Final = 2 * MIN_FREE_BYTES  # Apart from the floor, so that it does not flap.
WARN_FREE_RATIO: Final = 0.10

log = structlog.get_logger(__name__)


class DiskSpace(Protocol):
    """Port: how much room the spool's file system has."""

    def measure_blocking(self, folder: Path) -> tuple[int, int]:
        """Return (free bytes, total bytes)."""


class SystemDiskSpace:
    """The file system's own answer."""

    def measure_blocking(self, folder: Path) -> tuple[int, int]:
        usage = shutil.disk_usage(folder)
        return usage.free, usage.total


class Syncable(Protocol):
    """Something with files that a commit makes durable."""

    def sync_blocking(self) -> None:
        """Media first, then the journal that names it."""


WriteTask = Callable[[], None]


class SpoolWriter:
    """Runs write tasks on its own thread; ``async with`` starts and drains it.

    Attributes:
        is_full: No media may be written until space returns. Read on the loop, set by the thread.
        is_low: Less than a tenth of the file system is free.
    """

    def __init__(self, folder: Path, *, space: DiskSpace | None = None) -> None:
        self._folder = folder
        self._space = space or SystemDiskSpace()
        self._tasks: deque[tuple[WriteTask | None, int]] = deque()
        self._wake = threading.Condition()
        self._queued_bytes = 0
        self._dirty: dict[int, Syncable] = {}
        self._thread: threading.Thread | None = None
        self.is_full = False
        self.is_low = False
        self.free_bytes = 0
        self.refused_count = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(self._measure_blocking)
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        with self._wake:
            self._tasks.append((None, 0))
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 10.0)

    def submit(self, task: WriteTask, *, size_bytes: int = 0) -> bool:
        """Queue a task; ``False`` when the queue is full. Never blocks.

        Tasks without ``size_bytes`` (journal lines, closing a segment) only meet the limit on the
        number of tasks: they must get through where media is refused.
        """
        with self._wake:
            is_heavy = size_bytes > 0 and self._queued_bytes + size_bytes > MAX_QUEUED_BYTES
            if is_heavy or len(self._tasks) >= MAX_QUEUED_TASKS:
                self.refused_count += 1
                return False
            self._queued_bytes += size_bytes
            self._tasks.append((task, size_bytes))
            self._wake.notify()
        return True

    async def flush(self) -> None:
        """Return when everything submitted so far is written and durable.

        Raises:
            TimeoutError: The disk did not get there within 10 s.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def commit() -> None:
            self._commit_blocking()
            loop.call_soon_threadsafe(done.set)

        if not self.submit(commit):
            raise TimeoutError("the disk is too slow: the write queue is full")
        async with asyncio.timeout(10.0):
            await done.wait()

    @property
    def queued_bytes(self) -> int:
        """Media that waits for the disk."""
        return self._queued_bytes

    def mark_dirty(self, files: Syncable) -> None:
        """Have ``files`` made durable at the next commit. Runs on: the writer's thread."""
        self._dirty[id(files)] = files

    # ---- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        next_commit = time.monotonic() + COMMIT_PERIOD_S
        while True:
            with self._wake:
                if not self._tasks:
                    self._wake.wait(max(0.0, next_commit - time.monotonic()))
                task, size_bytes = self._tasks.popleft() if self._tasks else (_nothing, 0)
            if task is None:
                self._commit_blocking()
                return
            try:
                task()
            except OSError as error:
                log.error("spool_write_failed", detail=str(error))  # noqa: TRY400 - an expected state
            except Exception:
                # Life-cycle supervisor: a defect in one class's task must not end the only thread
                # that records all of them.
                log.exception("spool_task_crashed")
            finally:
                with self._wake:
                    self._queued_bytes -= size_bytes
            if time.monotonic() >= next_commit:
                self._commit_blocking()
                self._measure_blocking()
                next_commit = time.monotonic() + COMMIT_PERIOD_S

    def _commit_blocking(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for files in dirty.values():
            try:
                files.sync_blocking()
            except OSError as error:
                log.error("spool_sync_failed", detail=str(error))  # noqa: TRY400

    def _measure_blocking(self) -> None:
        try:
            self.free_bytes, total_bytes = self._space.measure_blocking(self._folder)
        except OSError as error:
            log.error("disk_space_unknown", detail=str(error))  # noqa: TRY400
            return
        was_full, was_low = self.is_full, self.is_low
        floor = RESUME_FREE_BYTES if was_full else MIN_FREE_BYTES
        self.is_full = self.free_bytes < floor
        self.is_low = self.free_bytes < total_bytes * WARN_FREE_RATIO
        if self.is_full != was_full:
            event = "recording_paused_disk_full" if self.is_full else "recording_resumes"
            log.error(event, free_bytes=self.free_bytes)
        elif self.is_low and not was_low:
            log.warning("disk_low", free_bytes=self.free_bytes, total_bytes=total_bytes)


def _nothing() -> None:
    return


class BroadcastFiles:
    """The open files of one broadcast: journal, and the segment being written.

    Runs on: the writer's thread only, all methods.
    """

    def __init__(self, folder: Path, writer: SpoolWriter) -> None:
        self.folder = folder
        self._writer = writer
        self._journal: BinaryIO | None = None
        self._media: dict[Path, BinaryIO] = {}
        self._unwritten = bytearray()

    def append_line_blocking(self, line: bytes) -> None:
        """Append to the journal; what a full disk refuses is tried again at each commit."""
        self._unwritten += line
        self._writer.mark_dirty(self)
        try:
            self._write_lines_blocking()
        except OSError as error:
            log.error("journal_waits", folder=str(self.folder), detail=str(error))  # noqa: TRY400 - a state

    def _write_lines_blocking(self) -> None:
        journal = self._journal
        if journal is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            journal = self._journal = (self.folder / "journal.jsonl").open("ab", buffering=0)
        while self._unwritten:
            written = journal.write(self._unwritten) or 0
            del self._unwritten[:written]

    def append_media_blocking(self, path: Path, data: bytes) -> None:
        """Append to a segment's file.

        Raises:
            OSError: The disk is full or broken; the file may hold a piece of ``data``.
        """
        media = self._media.get(path)
        if media is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            media = self._media[path] = path.open("wb", buffering=0)
        view = memoryview(data)
        while view:
            view = view[media.write(view) or 0 :]
        self._writer.mark_dirty(self)

    def close_media_blocking(self, *, drop: bool = False) -> None:
        """The segment is complete, or (``drop``) lost and its files useless."""
        if not drop:
            self._sync_media_blocking()
        media_by_path, self._media = self._media, {}
        for path, media in media_by_path.items():
            media.close()
            if drop:
                path.unlink(missing_ok=True)

    def sync_blocking(self) -> None:
        self._sync_media_blocking()
        if self._unwritten:
            self.append_line_blocking(b"")
        if self._journal is not None:
            os.fsync(self._journal.fileno())

    def _sync_media_blocking(self) -> None:
        for media in self._media.values():
            os.fsync(media.fileno())

    def close_blocking(self) -> None:
        self.close_media_blocking()
        if self._journal is not None:
            self.sync_blocking()
            self._journal.close()
            self._journal = None
