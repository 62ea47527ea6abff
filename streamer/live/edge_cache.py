"""Bring a new part into the gate's cache before hundreds of viewers ask for it at once.

Without it the first of them fetches the part while the others wait on nginx's cache lock, and on
a busy core most of these waits end before the part is there: then all of them come to streamer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
import structlog

# On a busy core the fetch takes long, but all the viewers' requests for it would take longer.
PATIENCE_S: Final = 0.2
PAUSE_S: Final = 5.0  # How long a gate that is away is left alone.
MAX_PENDING: Final = 32  # Of all broadcasts; full: the part is announced at once.

log = structlog.get_logger(__name__)


class EdgeCache(Protocol):
    """What a window asks of the gate."""

    def offer(self, path: str, then: Callable[[], None]) -> None:
        """Fetch ``path`` into the cache, then call ``then``: soon, in any case, on the loop."""


class NullEdgeCache:
    """There is no gate to prepare."""

    def offer(self, path: str, then: Callable[[], None]) -> None:  # noqa: ARG002 - the port's shape
        then()


class GateEdgeCache:
    """The gate's private listener on a unix socket; one that is absent costs nothing.

    Attributes:
        failures_count: Parts that did not get there in time.
    """

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet_until_s = 0.0
        self.failures_count = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._path, limit=MAX_PENDING),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def offer(self, path: str, then: Callable[[], None]) -> None:
        if len(self._tasks) >= MAX_PENDING or time.monotonic() < self._quiet_until_s:
            then()
            return
        task = asyncio.create_task(self._fetch(path), name="edge-cache")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: then())  # Also when it is cancelled before it began.

    async def _fetch(self, path: str) -> None:
        if self._session is None:
            raise RuntimeError("use the edge cache inside 'async with'")
        try:
            async with self._session.get("http://gate" + path) as response:
                await response.read()
        except TimeoutError as error:
            self.failures_count += 1
            log.debug("edge_cache_slow", detail=repr(error))
        except (aiohttp.ClientError, OSError) as error:
            self.failures_count += 1
            self._quiet_until_s = time.monotonic() + PAUSE_S
            log.debug("edge_cache_not_filled", detail=repr(error))
