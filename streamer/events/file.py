"""The outbox on disk: events one JSON object a line, and how many of them vod has accepted.

Event ids are ``{broadcast_id}-{sequence}``, the sequence being the line's number: the same event
has the same id after any restart.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from kernel.messages import (
    BroadcastEnded,
    BroadcastEvent,
    EpochEnded,
    EpochStarted,
    RecordingStored,
)

_EVENT: TypeAdapter[BroadcastEvent] = TypeAdapter(BroadcastEvent)


@dataclass
class StoredEvents:
    """What a start finds.

    Attributes:
        next_sequence: Number of the next event.
        unsent: Events not yet accepted, in order.
        facts: See ``fact_of``, of every event ever written.
    """

    next_sequence: int = 0
    unsent: list[BroadcastEvent] = field(default_factory=list)
    facts: set[tuple[str, int]] = field(default_factory=set)


def fact_of(event: BroadcastEvent) -> tuple[str, int] | None:
    """What the event says once and for all; ``None`` for those that repeat."""
    match event:
        case EpochStarted() | EpochEnded():
            return event.type, event.epoch
        case BroadcastEnded() | RecordingStored():
            return event.type, event.recording_version
        case _:
            return None


def parse_events(data: bytes) -> tuple[list[BroadcastEvent], int]:
    """Read an outbox file; stops at the first line that is no event.

    Returns:
        The events, and the length of the bytes they came from.
    """
    events: list[BroadcastEvent] = []
    end = 0
    while (newline := data.find(b"\n", end)) >= 0:
        try:
            events.append(_EVENT.validate_json(data[end:newline]))
        except ValidationError:
            break
        end = newline + 1
    return events, end


class OutboxFile:
    """``events.jsonl`` and ``events.acked``. Runs on: any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._path = path
        self._acked = path.with_suffix(".acked")
        self._file: BinaryIO | None = None

    def load_blocking(self) -> StoredEvents:
        """Read the file and cut off a torn end."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return StoredEvents()
        events, whole_bytes = parse_events(data)
        if whole_bytes < len(data):
            os.truncate(self._path, whole_bytes)
        self._count = len(events)
        acked_count = self._read_acked_blocking()
        facts = {fact for event in events if (fact := fact_of(event)) is not None}
        return StoredEvents(len(events), events[acked_count:], facts)

    def _read_acked_blocking(self) -> int:
        try:
            text = self._acked.read_text()
        except FileNotFoundError:
            return 0
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0  # noqa: PLR2004 - more digits than events

    def append_blocking(self, event: BroadcastEvent, *, sequence: int) -> None:
        """Write one event, durable when this returns.

        Idempotent by ``sequence``, the line's number: a caller that gave up waiting asks again.

        Raises:
            OSError: The disk is full; nothing of the line counts.
        """
        with self._lock:
            if sequence < self._count:
                return
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab", buffering=0)
            start = self._file.tell()
            try:
                view = memoryview(event.model_dump_json().encode() + b"\n")
                while view:
                    view = view[self._file.write(view) or 0 :]
                os.fsync(self._file.fileno())
            except OSError:
                os.truncate(self._path, start)
                raise
            self._count = sequence + 1

    def acknowledge_blocking(self, count: int) -> None:
        """Remember that the first ``count`` events were accepted."""
        temporary = self._acked.with_suffix(".new")
        temporary.write_text(str(count))
        temporary.replace(self._acked)

    def close_blocking(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
