"""The audio thread of a publisher: Opus packets in from the loop, AAC frames back to it."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Final, Self

import structlog

from streamer.media import AudioConfig, AudioUnit, OpusUnit
from streamer.whip.opus_aac import OpusToAac

QUEUE_PACKETS: Final = 150  # 3 s of 20 ms packets; when full the oldest goes.
STOP_DEADLINE_S: Final = 2.0

log = structlog.get_logger(__name__)

Work = OpusUnit | int | None  # A packet, "silence until these ticks", or the end.


class AudioThread:
    """Owns the thread. ``async with``; hand-over from the loop never blocks.

    Args:
        on_config: Called on the loop once, before the first unit.
        on_units: Called on the loop with frames in order.

    Queue: bounded, drop-oldest, counted in ``dropped_count``.
    """

    def __init__(
        self,
        on_config: Callable[[AudioConfig], None],
        on_units: Callable[[list[AudioUnit], int], None],
    ) -> None:
        self._on_config = on_config
        self._on_units = on_units
        self._queue: queue.Queue[Work] = queue.Queue(QUEUE_PACKETS)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.dropped_count = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="whip-audio", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_DEADLINE_S)
            self._thread = None

    def write(self, packet: OpusUnit) -> None:
        """Queue a packet."""
        self._put(packet)

    def fill_until(self, pts: int) -> None:
        """Queue an order for silence up to ``pts`` when the sound stops before."""
        self._put(pts)

    def _put(self, work: Work) -> None:
        while True:
            try:
                self._queue.put_nowait(work)
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
        transcoder = OpusToAac()
        self._call(self._on_config, transcoder.config)
        while (work := self._queue.get()) is not None:
            if isinstance(work, int):
                units = transcoder.fill_until(work)
            else:
                units = transcoder.transcode(work)
            if units:
                self._call(self._on_units, units, transcoder.end_ticks)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None  # noqa: S101 - set before the thread starts
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError as error:  # The loop is closed: the process is going down.
            log.debug("audio_loop_gone", error=str(error))
