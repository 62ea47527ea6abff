"""A thread for codec work: items in from the loop, results back to it, nobody waits."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, Self, TypeVar

import structlog

In = TypeVar("In")
Out = TypeVar("Out")

STOP_DEADLINE_S: Final = 2.0
_END: Final = object()

log = structlog.get_logger(__name__)


class MediaThread(Generic[In, Out]):
    """Owns one thread. ``async with``; hand-over from the loop never blocks.

    Args:
        name: Of the thread.
        build: Called in the thread once; returns what turns an item into a result.
        on_result: Called on the loop with each result that is true.
        capacity: Items that may wait.

    Queue: bounded, drop-oldest, counted in ``dropped_count``. An item that makes the converter
    raise is dropped and counted too, and a new converter is built.
    """

    def __init__(
        self,
        name: str,
        *,
        build: Callable[[], Callable[[In], Out]],
        on_result: Callable[[Out], None],
        capacity: int,
    ) -> None:
        self._build = build
        self._on_result = on_result
        self._queue: queue.Queue[Any] = queue.Queue(capacity)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.dropped_count = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._put(_END)
        await asyncio.to_thread(self._thread.join, STOP_DEADLINE_S)

    def write(self, item: In) -> None:
        """Queue an item."""
        self._put(item)

    def _put(self, item: object) -> None:
        while True:
            try:
                self._queue.put_nowait(item)
            except queue.Full:
                self._drop_oldest()
            else:
                return

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
        except queue.Empty:
            return  # The thread was quicker.
        self.dropped_count += 1

    def _work(self) -> None:
        convert = self._build()
        while (item := self._queue.get()) is not _END:
            try:
                result = convert(item)
            except Exception:
                # Life-cycle supervisor: what one packet breaks must not end the sound of a class.
                log.exception("media_thread_stumbled", thread=self._thread.name)
                self.dropped_count += 1
                convert = self._build()
                continue
            if result:
                self._deliver(result)

    def _deliver(self, result: Out) -> None:
        assert self._loop is not None  # noqa: S101 - set before the thread starts
        try:
            self._loop.call_soon_threadsafe(self._on_result, result)
        except RuntimeError as error:  # The loop is closed: the process is going down.
            log.debug("media_thread_without_loop", error=str(error))
