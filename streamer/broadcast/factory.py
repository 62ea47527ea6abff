"""Make broadcasts: new ones, and those that a journal remembers; start and stop their tasks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from kernel.blobs import BlobStore
from kernel.blobs.executor import BoundedExecutor
from kernel.clock import Clock
from kernel.errors import BlobMissingError, DependencyError, NotFoundError
from kernel.layout import journal_key
from streamer.broadcast.broadcast import Broadcast, BroadcastParts
from streamer.broadcast.tasks import Supervisor, stop
from streamer.events import Outbox
from streamer.events.file import OutboxFile, StoredEvents
from streamer.events.outbox import EventSender
from streamer.live import EdgeCache, LiveWindow, NullEdgeCache
from streamer.recorder.history import History, replay_journal
from streamer.recorder.lines import BroadcastLine
from streamer.recorder.reader import RecordedMedia
from streamer.recorder.recorder import Recorder
from streamer.recorder.spool import SpoolFolder, is_folder_name, recover_blocking
from streamer.recorder.uploader import Uploader
from streamer.recorder.writer import SpoolWriter

DISK_TIMEOUT_S: Final = 30.0
FETCH_TIMEOUT_S: Final = 3.0  # A publisher waits for it.
MAX_UPLOADS: Final = 8  # At once, over all broadcasts.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Equipment:
    """The adapters that all broadcasts share."""

    spool: Path
    writer: SpoolWriter
    blobs: BlobStore
    disk: BoundedExecutor
    decoder: BoundedExecutor
    sender: EventSender
    clock: Clock
    edge_cache: EdgeCache = field(default_factory=NullEdgeCache)


@dataclass(frozen=True, slots=True)
class RunningBroadcast:
    """A broadcast and the tasks that serve it."""

    broadcast: Broadcast
    tasks: tuple[asyncio.Task[None], ...]


class BroadcastFactory:
    """Builds, recovers and closes broadcasts."""

    def __init__(self, equipment: Equipment, supervisor: Supervisor) -> None:
        self._equipment = equipment
        self._supervisor = supervisor
        self._slots = asyncio.Semaphore(MAX_UPLOADS)

    def folder(self, broadcast_id: str) -> SpoolFolder:
        return SpoolFolder(self._equipment.spool, broadcast_id)

    async def list_spooled(self) -> list[str]:
        """Ids of all broadcasts with a folder in the spool."""

        def list_blocking() -> list[str]:
            if not self._equipment.spool.is_dir():
                return []
            return sorted(
                path.name
                for path in self._equipment.spool.iterdir()
                if path.is_dir() and is_folder_name(path.name)
            )

        return await self._equipment.disk.run(list_blocking, timeout_s=DISK_TIMEOUT_S)

    def create(self, header: BroadcastLine) -> RunningBroadcast:
        """Begin a broadcast that nobody has seen before."""
        recorder = Recorder.create(
            self.folder(header.broadcast_id),
            header,
            writer=self._equipment.writer,
            clock=self._equipment.clock,
        )
        return self._run(recorder, StoredEvents())

    async def recover(
        self, broadcast_id: str, *, is_restored: bool = False
    ) -> RunningBroadcast | None:
        """Take up what the spool has of a broadcast; ``None`` when that is nothing.

        ``is_restored``: the journal has just come back from the blob store, without an outbox.
        """
        folder = self.folder(broadcast_id)
        history = await self._equipment.disk.run(
            lambda: recover_blocking(folder), timeout_s=DISK_TIMEOUT_S
        )
        if history is None:
            return None
        events = await self._equipment.disk.run(
            OutboxFile(folder.events).load_blocking, timeout_s=DISK_TIMEOUT_S
        )
        recorder = Recorder(
            folder, history, writer=self._equipment.writer, clock=self._equipment.clock
        )
        if is_restored:
            recorder.mark_restored(f"r{int(self._equipment.clock.now().timestamp())}")
        running = self._run(recorder, events)
        running.broadcast.reconcile_events()
        return running

    def _run(self, recorder: Recorder, events: StoredEvents) -> RunningBroadcast:
        equipment, folder = self._equipment, recorder.folder
        outbox = Outbox(
            folder.broadcast_id,
            OutboxFile(folder.events),
            events,
            sender=equipment.sender,
            disk=equipment.disk,
            token=recorder.history.event_token,
        )
        broadcast = Broadcast(
            BroadcastParts(
                recorder=recorder,
                outbox=outbox,
                window=self.build_window(recorder.history, folder),
                clock=equipment.clock,
                decoder=equipment.decoder,
            )
        )
        uploader = Uploader(
            recorder,
            blobs=equipment.blobs,
            disk=equipment.disk,
            clock=equipment.clock,
            slots=self._slots,
            listener=broadcast,
        )
        broadcast.uploader = uploader
        name = folder.broadcast_id
        tasks = (
            self._supervisor.start(f"upload-{name}", uploader.run),
            self._supervisor.start(f"events-{name}", outbox.run),
        )
        return RunningBroadcast(broadcast, tasks)

    def build_window(self, history: History, folder: SpoolFolder) -> LiveWindow:
        """The window as the journal knows it; its media is read from spool or blob store."""
        media = RecordedMedia(folder, blobs=self._equipment.blobs, disk=self._equipment.disk)
        window = LiveWindow(folder.broadcast_id, media, edge_cache=self._equipment.edge_cache)
        if history.epochs or history.is_ended:
            window.restore(
                [item.info for item in history.epochs],
                list(history.segments),
                is_ended=history.is_ended,
                next_epoch=history.resume_point().next_epoch,
            )
        return window

    async def load_history(self, broadcast_id: str) -> History:
        """What is known of a broadcast that is not open: from the spool, else the blob store.

        Raises:
            NotFoundError: Nobody has a journal of it.
            DependencyError: The store cannot be asked now.
        """
        folder = self.folder(broadcast_id)
        try:
            data = await self._equipment.disk.run(
                folder.journal.read_bytes, timeout_s=DISK_TIMEOUT_S
            )
        except FileNotFoundError:
            try:
                data = await self._equipment.blobs.get_bytes(journal_key(broadcast_id))
            except BlobMissingError:
                raise NotFoundError(f"no broadcast {broadcast_id}") from None
        history = await self._equipment.disk.run(
            lambda: replay_journal(data)[0], timeout_s=DISK_TIMEOUT_S
        )
        if history.broadcast_id != broadcast_id:
            raise NotFoundError(f"no broadcast {broadcast_id}")
        return history

    async def fetch_journal(self, broadcast_id: str) -> bool:
        """Bring the journal back into the spool, for a return long after the end.

        Returns:
            Whether it came from the blob store; ``False`` when the spool has it.

        Raises:
            NotFoundError: Neither the spool nor the blob store has it.
            DependencyError: The store does not answer.
        """
        folder = self.folder(broadcast_id)

        def prepare_blocking() -> bool:
            if folder.journal.exists():
                return True
            folder.path.mkdir(parents=True, exist_ok=True)
            return False

        if await self._equipment.disk.run(prepare_blocking, timeout_s=DISK_TIMEOUT_S):
            return False
        # Not under its own name: a download that we give up may still end, and must not replace the
        # journal that is begun instead.
        fetched = folder.path / "journal.fetched"
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                await self._equipment.blobs.download(journal_key(broadcast_id), fetched)
        except TimeoutError as error:
            raise DependencyError(f"{broadcast_id}: the blob store is too slow") from error
        except BlobMissingError:
            await self.delete_folder(broadcast_id)
            raise NotFoundError(f"no broadcast {broadcast_id}") from None
        await self._equipment.disk.run(
            lambda: fetched.replace(folder.journal), timeout_s=DISK_TIMEOUT_S
        )
        return True

    async def delete_folder(self, broadcast_id: str) -> None:
        folder = self.folder(broadcast_id)
        await self._equipment.disk.run(folder.delete_blocking, timeout_s=DISK_TIMEOUT_S)

    async def close(self, running: RunningBroadcast) -> None:
        """Stop the tasks and close the files; the broadcast itself goes on at the next start."""
        await stop(*running.tasks)
        await running.broadcast.outbox.close()
        try:
            await running.broadcast.recorder.close()
        except TimeoutError:
            log.error("spool_not_flushed", broadcast_id=running.broadcast.broadcast_id)  # noqa: TRY400
