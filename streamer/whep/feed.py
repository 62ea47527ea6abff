"""What the viewers of one broadcast share: payloads, one Opus encode, one voice for PLIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

from streamer.media import AudioConfig, AudioUnit, OpusUnit
from streamer.rtc.worker import MediaThread
from streamer.whep.aac_opus import AacToOpus, AacWork
from streamer.whep.payloads import PayloadCache

PLI_INTERVAL_S: Final = 1.0  # Fifty viewers that lose a packet ask the publisher once.
QUEUE_FRAMES: Final = 100  # 2 s of AAC.
NATIVE_OPUS_TICKS: Final = 90_000  # Opus within the last second: nothing needs encoding.

Listener = Callable[[OpusUnit], None]


class Feed:
    """Shared by the sessions of one broadcast. ``async with``.

    Every viewer offers the AAC it sees; the first one to offer a frame has it encoded.
    """

    def __init__(self) -> None:
        self.payloads = PayloadCache()
        self._listeners: set[Listener] = set()
        self._thread: MediaThread[AacWork, list[OpusUnit]] | None = None
        self._config: AudioConfig | None = None
        self._last_aac: int | None = None
        self._last_opus: int | None = None
        self._asked_s: float | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.__aexit__(None, None, None)

    @property
    def listeners_count(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Hear the encoded Opus; each session joins once."""
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def restart(self) -> None:
        """Another publisher: its time stamps begin anew."""
        self._last_aac = self._last_opus = None

    def note_opus(self, unit: OpusUnit) -> None:
        """The source has Opus of its own."""
        self._last_opus = unit.pts

    async def offer_aac(self, config: AudioConfig, unit: AudioUnit) -> None:
        """Encode a frame unless somebody offered it already or the source sends Opus."""
        if self._last_opus is not None and abs(unit.pts - self._last_opus) < NATIVE_OPUS_TICKS:
            return
        if config is self._config and self._last_aac is not None and unit.pts <= self._last_aac:
            return
        self._config, self._last_aac = config, unit.pts
        if self._thread is None:
            self._thread = MediaThread(
                "whep-audio",
                build=lambda: AacToOpus().transcode,
                on_result=self._spread,
                capacity=QUEUE_FRAMES,
            )
            await self._thread.__aenter__()
        self._thread.write((config, unit))

    def may_ask_keyframe(self, now_s: float) -> bool:
        """Coalesce the viewers' PLIs: true at most once a second."""
        if self._asked_s is not None and now_s - self._asked_s < PLI_INTERVAL_S:
            return False
        self._asked_s = now_s
        return True

    def _spread(self, units: list[OpusUnit]) -> None:
        for unit in units:
            for listener in list(self._listeners):
                listener(unit)
