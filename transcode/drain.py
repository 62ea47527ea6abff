"""How a worker stops: finish what runs for a while, then give it back.

```
worker process                                pool process
SIGTERM, SIGINT: take no new units
   |  120 s (HALL_DRAIN_S), or a second signal
   `--------------- SIGUSR2 ----------------> kill ffmpeg, POST release, end
```
SIGQUIT ends both at once; leases do the rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

import structlog
from billiard import active_children
from celery.worker import state as celery_state

GIVE_BACK: Final = signal.SIGUSR2  # SIGUSR1 belongs to Celery's pool.
POLL_S: Final = 0.2
REPEAT_S: Final = 1.0  # A pool process that had just begun a unit hears it the second time.

log = structlog.get_logger(__name__)


class StopSign:
    """In a pool process: tells the unit at work that it must be given back.

    Made before the pool forks, installed in each of its processes.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None
        self.is_up = False

    def install(self) -> None:
        """Listen to the signal. Runs on: the main thread of a pool process."""
        signal.signal(GIVE_BACK, self._take)

    def watch(self) -> asyncio.Event:
        """Return an event of the running loop that is set as soon as the sign is up."""
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        if self.is_up:
            self._event.set()
        return self._event

    def unwatch(self) -> None:
        self._loop = self._event = None

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.is_up = True
        if self._loop is not None and self._event is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)


class Drain:
    """In the worker process: what the first and the second signal do.

    Args:
        drain_s: How long units may go on after the first.
        announce: Tells vod that nothing new is taken; may take seconds, must not raise.
        announce_s: Between two of those.
    """

    def __init__(self, drain_s: float, announce: Callable[[], None], *, announce_s: float) -> None:
        self._drain_s = drain_s
        self._announce = announce
        self._announce_s = announce_s
        self._signals_count = 0

    @property
    def is_draining(self) -> bool:
        return self._signals_count > 0

    def install(self) -> None:
        """Take the place of Celery's handlers. Runs on: the main thread, once Celery is ready."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        # Nothing here may take a lock: a second signal can arrive in the middle of the first.
        self._signals_count += 1
        if self._signals_count == 1:
            celery_state.should_stop = os.EX_OK
            threading.Thread(target=self._run_blocking, name="drain", daemon=True).start()

    def _run_blocking(self) -> None:
        """Wait for the end of the drain, then raise the sign until the process ends."""
        log.info("worker_drains", at_most_s=self._drain_s)
        deadline_s = time.monotonic() + self._drain_s
        announced_s = -self._announce_s
        while time.monotonic() < deadline_s and self._signals_count == 1:
            if time.monotonic() - announced_s >= self._announce_s:
                announced_s = time.monotonic()
                self._announce()
            time.sleep(POLL_S)
        log.info("worker_gives_back", signals_count=self._signals_count)
        while True:
            for child in active_children():
                try:
                    os.kill(child.pid, GIVE_BACK)
                except ProcessLookupError:
                    continue
            time.sleep(REPEAT_S)
