"""Hand a publisher's units to WebRTC viewers: bounded, late joiners start at the last IDR.

Queue policy of a subscription: drop until keyframe. When ``MAX_QUEUED`` items wait, all waiting
media is dropped (and counted) and video stays away until the next IDR; configurations are kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from streamer.media import AudioConfig, AudioUnit, OpusUnit, VideoConfig, VideoUnit

MAX_QUEUED: Final = 600  # ~6 s of 50 fps video with sound; a viewer further behind needs an IDR.
MAX_GOP_UNITS: Final = 3000  # 30 s of the same; a longer GOP is not kept for late joiners.
MAX_GOP_BYTES: Final = 24 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PublisherChanged:
    """Another connection begins: time stamps and configurations start anew."""


FanoutItem = VideoConfig | AudioConfig | VideoUnit | AudioUnit | OpusUnit | PublisherChanged
_MEDIA: Final = (VideoUnit, AudioUnit, OpusUnit)


class Subscription:
    """One viewer's queue: ``async for item in subscription`` until the broadcast ends.

    Attributes:
        dropped_count: Media units this viewer did not get.
    """

    def __init__(
        self, leave: Callable[[Subscription], None], ask_keyframe: Callable[[], None]
    ) -> None:
        self._leave = leave
        self._ask_keyframe = ask_keyframe
        self._items: deque[FanoutItem] = deque()
        self._wake = asyncio.Event()
        self._needs_idr = True
        self._is_closed = False
        self.dropped_count = 0

    def push(self, item: FanoutItem) -> None:
        """Called by the fan-out."""
        if self._is_closed:
            return
        if isinstance(item, VideoUnit):
            if item.is_idr:
                self._needs_idr = False
            elif self._needs_idr:
                self.dropped_count += 1
                return
        if len(self._items) >= MAX_QUEUED and isinstance(item, _MEDIA):
            self._drop_media()
            if not (isinstance(item, VideoUnit) and item.is_idr):
                self.dropped_count += 1
                return
            self._needs_idr = False
        self._items.append(item)
        self._wake.set()

    def _drop_media(self) -> None:
        kept = [item for item in self._items if not isinstance(item, _MEDIA)]
        self.dropped_count += len(self._items) - len(kept)
        self._items = deque(kept[-MAX_QUEUED // 2 :])
        self._needs_idr = True
        self._ask_keyframe()

    def request_keyframe(self) -> None:
        """Pass a viewer's PLI on to the publisher (throttled there)."""
        self._ask_keyframe()

    def close(self) -> None:
        """Leave. Idempotent; wakes a waiting reader."""
        if not self._is_closed:
            self._is_closed = True
            self._items.clear()
            self._leave(self)
            self._wake.set()

    def finish(self) -> None:
        """No more items will come; what waits is still read."""
        self._is_closed = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FanoutItem:
        while not self._items:
            if self._is_closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()


class Fanout:
    """All subscriptions of one broadcast, and the last GOP."""

    def __init__(self, ask_keyframe: Callable[[], None]) -> None:
        self._ask_keyframe = ask_keyframe
        self._subscriptions: set[Subscription] = set()
        self._video_config: VideoConfig | None = None
        self._audio_config: AudioConfig | None = None
        self._gop: list[FanoutItem] = []
        self._gop_bytes = 0
        self._gone_dropped_count = 0

    @property
    def dropped_count(self) -> int:
        """Media units that viewers did not get, of those who left too."""
        here_count = sum(item.dropped_count for item in self._subscriptions)
        return self._gone_dropped_count + here_count

    @property
    def subscriptions_count(self) -> int:
        return len(self._subscriptions)

    @property
    def video_config(self) -> VideoConfig | None:
        return self._video_config

    @property
    def audio_config(self) -> AudioConfig | None:
        return self._audio_config

    def subscribe(self) -> Subscription:
        """Join; the first items are the configurations and everything since the last IDR."""
        subscription = Subscription(self._leave, self._ask_keyframe)
        for config in (self._video_config, self._audio_config):
            if config is not None:
                subscription.push(config)
        has_start = 0 < len(self._gop) < MAX_QUEUED // 2  # Room must be left for what comes.
        for item in self._gop if has_start else ():
            subscription.push(item)
        self._subscriptions.add(subscription)
        if not has_start:
            self._ask_keyframe()
        return subscription

    def reset(self) -> None:
        """A new connection publishes."""
        self._video_config = self._audio_config = None
        self._forget_gop()
        self._send(PublisherChanged())

    def set_video_config(self, config: VideoConfig) -> None:
        if config != self._video_config:
            self._video_config = config
            self._forget_gop()
            self._send(config)

    def set_audio_config(self, config: AudioConfig) -> None:
        if config != self._audio_config:
            self._audio_config = config
            self._send(config)

    def write(self, unit: VideoUnit | AudioUnit | OpusUnit) -> None:
        if isinstance(unit, VideoUnit) and unit.is_idr:
            self._gop, self._gop_bytes = [unit], len(unit.data)
        elif self._gop:
            self._gop.append(unit)
            self._gop_bytes += len(unit.data)
            if len(self._gop) > MAX_GOP_UNITS or self._gop_bytes > MAX_GOP_BYTES:
                self._forget_gop()
        self._send(unit)

    def finish(self) -> None:
        """The broadcast is over: readers end after what they have."""
        for subscription in list(self._subscriptions):
            subscription.finish()
            self._leave(subscription)
        self._forget_gop()

    def _leave(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.discard(subscription)
            self._gone_dropped_count += subscription.dropped_count

    def _forget_gop(self) -> None:
        self._gop, self._gop_bytes = [], 0

    def _send(self, item: FanoutItem) -> None:
        for subscription in list(self._subscriptions):
            subscription.push(item)
