"""What retention and cleanup share: a sweep every hour over database, blobs and streamer."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import ClassVar, Final

import structlog

from kernel.blobs.port import BlobStore
from kernel.clock import Clock
from kernel.errors import DependencyError, NotFoundError
from kernel.http import InternalClient
from vod.db.engine import Database

PERIOD_S: Final = 3600.0
FINISH_FOR: Final = timedelta(days=2)  # A deletion that was cut off is finished within this time.

log = structlog.get_logger(__name__)


class Sweep(ABC):
    """Deletes what has outlived its time; several vods may do so at once."""

    name: ClassVar[str]

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        streamer: InternalClient,
        clock: Clock,
        *,
        keep: timedelta,
    ) -> None:
        """``keep``: the grace period before anything goes."""
        self._database = database
        self._blobs = blobs
        self._streamer = streamer
        self._clock = clock
        self._keep = keep

    @abstractmethod
    async def sweep_once(self) -> int:
        """Delete what may go; return how much went."""

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep_once()
            except DependencyError as error:
                log.warning("sweep_waits", name=self.name, detail=str(error))
            await asyncio.sleep(PERIOD_S)

    async def _tell_streamer(self, broadcast_id: str) -> None:
        """Have streamer forget the segments before they go."""
        try:
            await self._streamer.call("POST", f"/internal/broadcasts/{broadcast_id}/forget-live")
        except NotFoundError:
            log.debug("streamer_had_forgotten", broadcast_id=broadcast_id)
