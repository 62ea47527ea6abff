"""One WHEP viewer: peer connection, the pump from the broadcast, the end."""

from __future__ import annotations

import asyncio
import enum
import time
from typing import Any, Final

import structlog
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcrtpsender import RTCEncodedFrame, RTCRtpSender
from aiortc.sdp import candidate_from_sdp

from kernel.errors import InputError
from kernel.ids import new_secret
from kernel.timing import TICKS_PER_S, rescale
from streamer.broadcast.fanout import FanoutItem, PublisherChanged, Subscription
from streamer.media import AudioConfig, AudioUnit, OpusUnit, VideoConfig, VideoUnit
from streamer.rtc.codecs import build_audio_preferences, build_video_preferences
from streamer.rtc.sdp import Fragment, Offer, build_answer
from streamer.rtc.seams import use_seams
from streamer.whep.clock import ViewerClock, compress_backlog
from streamer.whep.feed import Feed
from streamer.whep.ports import WhepBroadcast
from streamer.whep.settings import WhepSettings

QUEUED_PICTURES: Final = 64  # The subscription behind it drops; here the pump waits.
QUEUED_PACKETS: Final = 100  # 2 s of Opus, drop-oldest.
BACKLOG_WAIT_S: Final = 0.005  # What is there without waiting is the cached GOP.
BACKLOG_MAX_ITEMS: Final = 600  # As the fan-out's queue.
PACKETS_PER_S: Final = 10_000  # Pace of a backlog: 100 Mbit/s instead of one burst.
CLOSE_DEADLINE_S: Final = 3.0

log = structlog.get_logger(__name__)


class ViewerEnd(enum.Enum):
    """Why a viewer's session ended."""

    CLOSED_BY_VIEWER = "closed by the viewer"
    CONNECTION_LOST = "connection lost"
    BROADCAST_OVER = "the broadcast is over"
    B_FRAMES = "the stream has B-frames, which WebRTC cannot show"
    SHUTDOWN = "the server is stopping"
    CRASH = "an error of ours"


class _Silent(MediaStreamTrack):
    """A sender needs a track; ours takes its frames from the session instead."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class WhepSession:
    """Construct -> ``answer`` -> ``run`` -> closed once."""

    def __init__(
        self, settings: WhepSettings, *, broadcast: WhepBroadcast, broadcast_id: str, feed: Feed
    ) -> None:
        self.id = new_secret()
        self.etag = f'"{new_secret()[:16]}"'
        self.broadcast_id = broadcast_id
        self._settings = settings
        self._broadcast = broadcast
        self._feed = feed
        self._clock = ViewerClock()
        self._video: asyncio.Queue[tuple[list[bytes], int]] = asyncio.Queue(QUEUED_PICTURES)
        self._audio: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue(QUEUED_PACKETS)
        self._end: asyncio.Future[ViewerEnd] = asyncio.get_running_loop().create_future()
        self._connected = asyncio.Event()
        self._pc: RTCPeerConnection | None = None
        self._offer: Offer | None = None
        self._subscription: Subscription | None = None
        self._config: VideoConfig | None = None
        self._audio_config: AudioConfig | None = None
        self._sent_packets_count = 0
        self.dropped_count = 0

    def end(self, reason: ViewerEnd) -> None:
        """End the session. Idempotent."""
        if not self._end.done():
            self._end.set_result(reason)

    async def answer(self, offer: Offer) -> str:
        """Answer the offer; afterwards ``run`` must be called.

        Raises:
            InputError: aiortc cannot work with the offer after all.
            CapacityError: No UDP port is free.
        """
        self._offer = offer
        try:
            return await self._negotiate(offer)
        except (
            InternalError,
            InvalidAccessError,
            InvalidStateError,
            OperationError,
            ValueError,
            AssertionError,
        ) as error:
            raise InputError(f"the offer cannot be answered: {error}", status=422) from error

    async def _negotiate(self, offer: Offer) -> str:
        network = self._settings.network
        with use_seams(network):
            pc = RTCPeerConnection(
                RTCConfiguration(
                    iceServers=network.build_ice_servers(),
                    bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
                )
            )
            self._pc = pc
            pc.on("connectionstatechange", self._on_state)
            for kind in offer.kinds:
                transceiver = pc.addTransceiver(_Silent(kind), direction="sendonly")
                transceiver.setCodecPreferences(
                    build_video_preferences() if kind == "video" else build_audio_preferences()
                )
                self._take_over(transceiver.sender, kind)
            await pc.setRemoteDescription(RTCSessionDescription(sdp=offer.sdp, type="offer"))
            await pc.setLocalDescription(await pc.createAnswer())
        return build_answer(pc.localDescription.sdp, network)

    def _take_over(self, sender: RTCRtpSender, kind: str) -> None:
        """Feed the sender encoded media; the seams' contract test pins both names."""
        source = self._next_picture if kind == "video" else self._next_sound
        setattr(sender, "_next_encoded_frame", source)  # noqa: B010 - replaces a method
        setattr(sender, "_send_keyframe", self._ask_keyframe)  # noqa: B010 - replaces a method

    async def add_candidates(self, fragment: Fragment) -> None:
        """Add trickled candidates.

        Raises:
            InputError: 422, the fragment asks for an ICE restart.
        """
        if self._pc is None or self._offer is None:
            return
        if fragment.ice_ufrag is not None and fragment.ice_ufrag != self._offer.ice_ufrag:
            raise InputError("ICE restarts are not supported: DELETE and POST again", status=422)
        for value in fragment.candidates:
            candidate = candidate_from_sdp(value)
            candidate.sdpMid = self._pc.getTransceivers()[0].mid
            await self._pc.addIceCandidate(candidate)

    # -- What aiortc calls -----------------------------------------------------------------------

    def _on_state(self) -> None:
        state = "closed" if self._pc is None else self._pc.connectionState
        if state == "connected":
            self._connected.set()
        elif state == "failed":
            self.end(ViewerEnd.CONNECTION_LOST)
        elif state == "closed":
            self.end(ViewerEnd.CLOSED_BY_VIEWER)

    def _ask_keyframe(self) -> None:
        if self._subscription is not None and self._feed.may_ask_keyframe(time.monotonic()):
            self._subscription.request_keyframe()

    async def _next_picture(self, _codec: object) -> RTCEncodedFrame:
        if not self._video.empty():
            await asyncio.sleep(min(0.05, self._sent_packets_count / PACKETS_PER_S))
        payloads, ticks = await self._video.get()
        self._sent_packets_count = len(payloads)
        return RTCEncodedFrame(payloads, ticks, None)  # type: ignore[arg-type]  # no audio level

    async def _next_sound(self, _codec: object) -> RTCEncodedFrame:
        data, ticks = await self._audio.get()
        timestamp = rescale(ticks, from_hz=TICKS_PER_S, to_hz=48_000)
        return RTCEncodedFrame([data], timestamp, None)  # type: ignore[arg-type]  # no audio level

    # -- Life ------------------------------------------------------------------------------------

    async def run(self) -> ViewerEnd:
        """Serve the viewer until it ends; close everything; return why."""
        pump = asyncio.create_task(self._pump_when_connected(), name="whep-pump")
        self._feed.join(self._hear)
        try:
            await asyncio.wait({pump, self._end}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done() and not pump.cancelled():
                self.end(pump.result())
        finally:
            self._feed.leave(self._hear)
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            await self._close()
        return self._end.result()

    async def _close(self) -> None:
        self.end(ViewerEnd.SHUTDOWN)
        if self._subscription is not None:
            self._subscription.close()
        await self.abandon()

    async def abandon(self) -> None:
        """Close the peer connection. Idempotent."""
        pc, self._pc = self._pc, None
        if pc is not None:
            try:
                async with asyncio.timeout(CLOSE_DEADLINE_S):
                    await pc.close()
            except TimeoutError:
                log.warning("whep_close_timeout", broadcast_id=self.broadcast_id)

    async def _pump_when_connected(self) -> ViewerEnd:
        try:
            async with asyncio.timeout(self._settings.connect_deadline_s):
                await self._connected.wait()
        except TimeoutError:
            return ViewerEnd.CONNECTION_LOST
        self._subscription = self._broadcast.subscribe()
        await self._send_backlog(self._subscription)
        async for item in self._subscription:
            if isinstance(item, VideoUnit) and item.dts != item.pts:
                return ViewerEnd.B_FRAMES
            await self._take(item)
        return ViewerEnd.BROADCAST_OVER

    async def _send_backlog(self, subscription: Subscription) -> None:
        """Send the cached GOP squeezed together, so that the viewer starts at the live edge."""
        units = []
        for item in await take_ready(subscription):
            if isinstance(item, VideoUnit):
                units.append(item)
            elif not isinstance(item, (AudioUnit, OpusUnit)):
                await self._take(item)
        if not units or not self._wants("video"):
            return
        last_ticks = self._clock.map(units[-1].pts, time.monotonic())
        for unit, ticks in zip(units, compress_backlog(last_ticks, len(units)), strict=True):
            await self._video.put((self._feed.payloads.get(unit, self._config), ticks))

    def _wants(self, kind: str) -> bool:
        return self._offer is not None and kind in self._offer.kinds

    async def _take(self, item: FanoutItem) -> None:
        if isinstance(item, VideoUnit):
            if self._wants("video"):
                ticks = self._clock.map(item.pts, time.monotonic())
                await self._video.put((self._feed.payloads.get(item, self._config), ticks))
        elif isinstance(item, OpusUnit):
            self._feed.note_opus(item)
            self._hear(item)
        elif isinstance(item, AudioUnit):
            if self._audio_config is not None and self._wants("audio"):
                await self._feed.offer_aac(self._audio_config, item)
        elif isinstance(item, VideoConfig):
            self._config = item
        elif isinstance(item, AudioConfig):
            self._audio_config = item
        elif isinstance(item, PublisherChanged):
            self._clock.restart()
            self._feed.restart()
            self._config = self._audio_config = None

    def _hear(self, unit: OpusUnit) -> None:
        if not self._wants("audio") or not self._connected.is_set():
            return
        ticks = self._clock.map(unit.pts, time.monotonic())
        if self._audio.full():
            self._audio.get_nowait()
            self.dropped_count += 1
        self._audio.put_nowait((unit.data, ticks))


async def take_ready(subscription: Subscription) -> list[FanoutItem]:
    """Read what waits in a subscription: configurations and the cached GOP."""
    items: list[FanoutItem] = []
    reader = aiter(subscription)
    while len(items) < BACKLOG_MAX_ITEMS:
        try:
            async with asyncio.timeout(BACKLOG_WAIT_S):
                items.append(await anext(reader))
        except (TimeoutError, StopAsyncIteration):
            break
    return items
