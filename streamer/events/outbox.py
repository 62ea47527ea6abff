"""Deliver a broadcast's events to vod, in order, at least once, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import structlog

from kernel.blobs.executor import BoundedExecutor
from kernel.errors import DependencyError, HallError
from kernel.messages import BroadcastEvent, SegmentsStored
from streamer.events.file import OutboxFile, StoredEvents, fact_of

FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 5.0
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024  # vod takes 16 MiB; one index of 10 h is ~2 MB.
WRITE_TIMEOUT_S: Final = 10.0
MAX_WAITING: Final = 10_000  # Only takeovers without end while vod is down for days come near.

log = structlog.get_logger(__name__)

BuildEvent = Callable[[str], BroadcastEvent]


class EventSender(Protocol):
    """Port: vod's private listener (``kernel.http.InternalClient``)."""

    async def call(self, method: str, path: str, *, body: bytes | None = None) -> Any:
        """Raise one of our errors unless the answer was 2xx."""


class Outbox:
    """Events of one broadcast; ``run`` until cancelled.

    Queue policy: events are facts and never dropped below ``MAX_WAITING``; ``SegmentsStored``
    is a progress report and left out while an older one still waits.
    """

    def __init__(
        self,
        broadcast_id: str,
        file: OutboxFile,
        stored: StoredEvents,
        *,
        sender: EventSender,
        disk: BoundedExecutor,
        token: str = "",
    ) -> None:
        """``token`` keeps ids apart from those of an outbox that was lost."""
        self._broadcast_id = broadcast_id
        self._prefix = f"{broadcast_id}-{token}-" if token else f"{broadcast_id}-"
        self._file = file
        self._sender = sender
        self._disk = disk
        self._unwritten: deque[tuple[int, BroadcastEvent]] = deque()
        self._unsent: deque[BroadcastEvent] = deque(stored.unsent)
        self._facts = stored.facts
        self._next_sequence = stored.next_sequence
        self._wake = asyncio.Event()
        self._wake.set()

    @property
    def is_empty(self) -> bool:
        """Everything was accepted."""
        return not self._unwritten and not self._unsent

    @property
    def waiting_count(self) -> int:
        """Events that were not accepted yet."""
        return len(self._unwritten) + len(self._unsent)

    def has(self, kind: str, number: int) -> bool:
        """Tell whether that fact was put in ever before, also before a restart."""
        return (kind, number) in self._facts

    def put(self, build: BuildEvent) -> None:
        """Add the event that ``build`` makes from its id. Never blocks."""
        event = build(f"{self._prefix}{self._next_sequence}")
        if isinstance(event, SegmentsStored) and any(
            isinstance(item, SegmentsStored)
            for item in (*(item for _, item in self._unwritten), *self._unsent)
        ):
            return
        if self.waiting_count >= MAX_WAITING:
            log.error("event_lost", broadcast_id=self._broadcast_id, type=event.type)
            return
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        fact = fact_of(event)
        if fact is not None:
            self._facts.add(fact)
        self._unwritten.append((sequence, event))
        self._wake.set()

    async def run(self) -> None:
        """Write, send, remember; a failure of any of them waits and starts over."""
        retry_s = FIRST_RETRY_S
        while True:
            if self.is_empty:
                self._wake.clear()
                await self._wake.wait()
            try:
                await self._write()
                await self._send()
                retry_s = FIRST_RETRY_S
            except (HallError, OSError) as error:
                # A refusal (4xx) waits too: the contract is "until 2xx", and vod may be older.
                log.warning(
                    "events_not_delivered", broadcast_id=self._broadcast_id, detail=str(error)
                )
                await asyncio.sleep(retry_s)
                retry_s = min(LAST_RETRY_S, retry_s * 2)

    async def _write(self) -> None:
        """Durable first: an id that vod has seen must never be given to another event."""
        while self._unwritten:
            sequence, event = self._unwritten[0]
            await self._disk.run(
                partial(self._file.append_blocking, event, sequence=sequence),
                timeout_s=WRITE_TIMEOUT_S,
            )
            self._unwritten.popleft()
            self._unsent.append(event)

    async def _send(self) -> None:
        if not self._unsent:
            return
        batch: list[bytes] = []
        total_bytes = 0
        for event in self._unsent:
            encoded = event.model_dump_json().encode()
            if batch and total_bytes + len(encoded) > MAX_BATCH_BYTES:
                break
            batch.append(encoded)
            total_bytes += len(encoded)
        await self._sender.call("POST", "/internal/events", body=b"[" + b",".join(batch) + b"]")
        for _ in batch:
            self._unsent.popleft()
        accepted = self._next_sequence - len(self._unsent) - len(self._unwritten)
        try:
            await self._disk.run(
                lambda: self._file.acknowledge_blocking(accepted), timeout_s=WRITE_TIMEOUT_S
            )
        except (OSError, DependencyError) as error:
            # Sent again after a restart; vod knows the ids.
            log.warning("outbox_not_acknowledged", detail=str(error))

    async def close(self) -> None:
        """Write what is not on the disk yet; what is not sent goes out at the next start."""
        try:
            await self._write()
            await self._disk.run(self._file.close_blocking, timeout_s=WRITE_TIMEOUT_S)
        except (OSError, DependencyError) as error:
            log.error("outbox_not_written", broadcast_id=self._broadcast_id, detail=str(error))  # noqa: TRY400
