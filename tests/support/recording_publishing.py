"""A small real ``Publishing``: it admits known keys, takes over, and keeps all it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from kernel.errors import HallError, NotAllowedError
from kernel.messages import PublishRequest
from streamer.media import AudioConfig, AudioUnit, OpusUnit, VideoConfig, VideoUnit
from streamer.ports import EndReason, IngestConnection, Publication

Item = VideoConfig | AudioConfig | VideoUnit | AudioUnit | OpusUnit


class RecordingPublication:
    """Keeps every call in order; ``changed`` wakes whoever waits."""

    def __init__(self, broadcast_id: str, connection: IngestConnection) -> None:
        self.broadcast_id = broadcast_id
        self.connection = connection
        self.items: list[Item] = []
        self.dropped_count = 0
        self.end_reasons: list[EndReason] = []
        self.changed = asyncio.Event()

    def set_video_config(self, config: VideoConfig) -> None:
        self._keep(config)

    def set_audio_config(self, config: AudioConfig) -> None:
        self._keep(config)

    def write_video(self, unit: VideoUnit) -> None:
        self._keep(unit)

    def write_audio(self, unit: AudioUnit) -> None:
        self._keep(unit)

    def write_opus(self, unit: OpusUnit) -> None:
        self._keep(unit)

    def count_dropped(self, count: int) -> None:
        self.dropped_count += count
        self.changed.set()

    def close(self, reason: EndReason) -> None:
        if not self.end_reasons:
            self.end_reasons.append(reason)
            self.changed.set()

    def _keep(self, item: Item) -> None:
        if not self.end_reasons:
            self.items.append(item)
            self.changed.set()

    # -- Reading back --------------------------------------------------------------------------

    @property
    def end_reason(self) -> EndReason | None:
        return self.end_reasons[0] if self.end_reasons else None

    @property
    def video_configs(self) -> list[VideoConfig]:
        return [item for item in self.items if isinstance(item, VideoConfig)]

    @property
    def audio_configs(self) -> list[AudioConfig]:
        return [item for item in self.items if isinstance(item, AudioConfig)]

    @property
    def video(self) -> list[VideoUnit]:
        return [item for item in self.items if isinstance(item, VideoUnit)]

    @property
    def audio(self) -> list[AudioUnit]:
        return [item for item in self.items if isinstance(item, AudioUnit)]

    @property
    def opus(self) -> list[OpusUnit]:
        return [item for item in self.items if isinstance(item, OpusUnit)]

    async def wait_until(self, is_so: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
        """Wait until ``is_so()`` holds after some call; raises ``TimeoutError``."""
        async with asyncio.timeout(timeout_s):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    async def wait_closed(self, *, timeout_s: float = 20.0) -> EndReason:
        await self.wait_until(lambda: bool(self.end_reasons), timeout_s=timeout_s)
        return self.end_reasons[0]


@dataclass
class RecordingPublishing:
    """Admission by a table.

    Attributes:
        broadcasts: Credential -> broadcast id; anything else is refused.
        error: Raised instead of any answer when set.
        gate: When set, ``admit`` waits for it, as if vod were slow.
    """

    broadcasts: dict[str, str] = field(default_factory=lambda: {"good-key": "b1"})
    error: HallError | None = None
    gate: asyncio.Event | None = None
    requests: list[PublishRequest] = field(default_factory=list)
    publications: list[RecordingPublication] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def admit(self, request: PublishRequest, connection: IngestConnection) -> Publication:
        self.requests.append(request)
        self.changed.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        broadcast_id = self.broadcasts.get(request.credential)
        if broadcast_id is None:
            raise NotAllowedError("This stream key is not valid.")
        for older in self.publications:
            if older.broadcast_id == broadcast_id and not older.end_reasons:
                older.connection.evict(EndReason.TAKEN_OVER)
        publication = RecordingPublication(broadcast_id, connection)
        self.publications.append(publication)
        self.changed.set()
        return publication

    async def wait_requested(self, count: int = 1, *, timeout_s: float = 10.0) -> None:
        await self._wait(lambda: len(self.requests) >= count, timeout_s)

    async def wait_admitted(
        self, count: int = 1, *, timeout_s: float = 10.0
    ) -> RecordingPublication:
        """The ``count``-th admitted publication."""
        await self._wait(lambda: len(self.publications) >= count, timeout_s)
        return self.publications[count - 1]

    async def _wait(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()
