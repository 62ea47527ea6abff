"""One WHIP publisher: peer connection, timers, end. An ``IngestConnection`` for the broadcast."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.sdp import candidate_from_sdp

from kernel.errors import InputError
from kernel.ids import new_secret
from streamer.ports import EndReason, Publication
from streamer.rtc.codecs import build_audio_preferences, build_video_preferences
from streamer.rtc.packet import MediaPacket
from streamer.rtc.sdp import Fragment, Offer, build_answer
from streamer.rtc.seams import use_seams
from streamer.whip.media import MediaInput
from streamer.whip.receiver import PassthroughReceiver
from streamer.whip.settings import WhipSettings

TICK_S: Final = 0.1
GAP_TICK_S: Final = 0.02  # While packets are missing: about the shortest retry interval.
REPORT_INTERVAL_S: Final = 1.0
START_S: Final = 2.0  # Chromium trusts REMB fully for 2 s, so it is repeated at each tick then.
CLOSE_DEADLINE_S: Final = 3.0

log = structlog.get_logger(__name__)


class WhipSession:
    """Construct -> ``answer`` -> ``run`` -> closed once.

    Attributes:
        id: Secret part of the session URL.
        etag: Of the ICE session, quoted.
    """

    protocol = "whip"

    def __init__(self, settings: WhipSettings, *, live_class_id: str, peer: str) -> None:
        self.id = new_secret()
        self.etag = f'"{new_secret()[:16]}"'
        self.live_class_id = live_class_id
        self.peer = peer
        self._settings = settings
        self._end: asyncio.Future[EndReason] = asyncio.get_running_loop().create_future()
        self._wake = asyncio.Event()
        self._pc: RTCPeerConnection | None = None
        self._publication: Publication | None = None
        self._media: MediaInput | None = None
        self._receivers: dict[str, PassthroughReceiver] = {}
        self._offer: Offer | None = None
        self._first_mid: str | None = None

    # -- What the broadcast calls ----------------------------------------------------------------

    def evict(self, reason: EndReason) -> None:
        """End the session; the peer sees DTLS close. Idempotent."""
        if not self._end.done():
            self._end.set_result(reason)
        self._wake.set()

    def request_keyframe(self) -> None:
        """Ask for an IDR at the next tick, at most twice a second."""
        if self._media is not None:
            self._media.keyframes.request()

    # -- What aiortc calls -----------------------------------------------------------------------

    def receive_rtp(self, kind: str, packet: MediaPacket, now_s: float) -> None:
        """Take a packet; wake the session when it shows that others are missing."""
        media = self._media
        if media is None or self._end.done():
            return
        if kind == "audio":
            media.receive_audio(packet, now_s)
            return
        is_first = media.last_rtp_s is None
        media.receive_video(packet, now_s)
        if is_first or media.video.nacks.is_urgent:
            self._wake.set()

    def receive_report(self, kind: str, ntp: int, rtp: int) -> None:
        """Take a sender report's clock pair."""
        if self._media is not None:
            self._media.receive_report(kind, ntp, rtp)

    # -- What the HTTP side calls ----------------------------------------------------------------

    async def answer(self, offer: Offer, publication: Publication) -> str:
        """Answer the offer; afterwards ``run`` must be called.

        Raises:
            InputError: aiortc cannot work with the offer after all.
            CapacityError: No UDP port is free.
        """
        self._offer = offer
        self._publication = publication
        self._media = MediaInput(
            publication,
            has_audio="audio" in offer.kinds,
            max_bitrate_bps=self._settings.max_bitrate_bps,
        )
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
            candidate.sdpMid = self._first_mid
            await self._pc.addIceCandidate(candidate)

    def close_by_publisher(self) -> None:
        """DELETE on the session URL."""
        self.evict(EndReason.CLOSED_BY_PUBLISHER)

    async def run(self) -> EndReason:
        """Serve the publisher until it ends; close everything; return why."""
        assert self._media is not None  # noqa: S101 - answer() came first
        try:
            async with self._media.audio:
                reason = await self._watch(self._media)
        except asyncio.CancelledError:
            self.evict(EndReason.SHUTDOWN)
            await self.close(EndReason.SHUTDOWN)
            raise
        await self.close(reason)
        return reason

    async def close(self, reason: EndReason) -> None:
        """Release the publication and the peer connection. Idempotent."""
        self.evict(reason)
        publication, self._publication = self._publication, None
        if publication is not None:
            publication.close(reason)
            log.info(
                "whip_ended", live_class_id=self.live_class_id, peer=self.peer, reason=reason.value
            )
        pc, self._pc = self._pc, None
        if pc is not None:
            try:
                async with asyncio.timeout(CLOSE_DEADLINE_S):
                    await pc.close()
            except TimeoutError:
                log.warning("whip_close_timeout", peer=self.peer)

    # -- Inside ----------------------------------------------------------------------------------

    async def _negotiate(self, offer: Offer) -> str:
        network = self._settings.network
        with use_seams(network, self._build_receiver):
            pc = RTCPeerConnection(
                RTCConfiguration(
                    iceServers=network.build_ice_servers(),
                    bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
                )
            )
            self._pc = pc
            pc.on("connectionstatechange", self._on_state)
            for kind in offer.kinds:
                transceiver = pc.addTransceiver(kind, direction="recvonly")
                transceiver.setCodecPreferences(
                    build_video_preferences() if kind == "video" else build_audio_preferences()
                )
            await pc.setRemoteDescription(RTCSessionDescription(sdp=offer.sdp, type="offer"))
            await pc.setLocalDescription(await pc.createAnswer())
        self._first_mid = pc.getTransceivers()[0].mid
        return build_answer(pc.localDescription.sdp, network)

    def _build_receiver(self, kind: str, transport: RTCDtlsTransport) -> PassthroughReceiver:
        receiver = PassthroughReceiver(kind, transport, self)
        self._receivers[kind] = receiver
        return receiver

    def _on_state(self) -> None:
        state = "closed" if self._pc is None else self._pc.connectionState
        if state == "failed":
            self.evict(EndReason.CONNECTION_LOST)
        elif state == "closed":
            self.evict(EndReason.CLOSED_BY_PUBLISHER)

    async def _watch(self, media: MediaInput) -> EndReason:
        started_s = time.monotonic()
        reported_s = 0.0
        while not self._end.done():
            now_s = time.monotonic()
            media.tick(now_s)
            if (reason := self._judge_silence(media, started_s, now_s)) is not None:
                return reason
            await self._send_feedback(media, now_s)
            first_s = media.last_rtp_s is not None and now_s - started_s < START_S
            if first_s or now_s - reported_s >= REPORT_INTERVAL_S:
                await self._send_reports(media, now_s, is_round=now_s - reported_s >= 1)
                reported_s = now_s if now_s - reported_s >= REPORT_INTERVAL_S else reported_s
            await self._rest(GAP_TICK_S if media.video.has_gap else TICK_S)
        return self._end.result()

    def _judge_silence(self, media: MediaInput, started_s: float, now_s: float) -> EndReason | None:
        if media.last_rtp_s is None:
            is_late = now_s - started_s > self._settings.connect_deadline_s
            return EndReason.CONNECTION_LOST if is_late else None
        is_silent = now_s - media.last_rtp_s > self._settings.stall_s
        return EndReason.STALLED if is_silent else None

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _send_feedback(self, media: MediaInput, now_s: float) -> None:
        receiver = self._receivers.get("video")
        if receiver is None:
            return
        if media.video.nacks and (lost := media.video.nacks.take_due(now_s)):
            await receiver.send_nack(lost)
        await self._send_pli(now_s)

    async def _send_pli(self, now_s: float) -> None:
        receiver, media = self._receivers.get("video"), self._media
        if receiver is None or media is None or receiver.media_ssrc is None:
            return
        if media.keyframes.should_send(now_s, wants_keyframe=media.video.wants_keyframe):
            await receiver.send_pli()

    async def _send_reports(self, media: MediaInput, now_s: float, *, is_round: bool) -> None:
        video = self._receivers.get("video")
        if is_round:
            media.bitrate.update(now_s)
            for receiver in self._receivers.values():
                await receiver.send_report(now_s)
        if video is not None:
            await video.send_remb(media.bitrate.bitrate_bps)
