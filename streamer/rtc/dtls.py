"""DTLS transport that accepts what real clients bring and survives what hostile ones send."""

from __future__ import annotations

import hmac
import struct
import time
from typing import Final, Protocol

import pylibsrtp
import structlog
from aiortc.rtcdtlstransport import RTCDtlsParameters, RTCDtlsTransport, State
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import is_rtcp

from streamer.rtc.ice import HallIceConnection
from streamer.rtc.packet import MediaPacket, parse_rtp

# RFC 8122 §5: the hash functions; SHA-1 is no longer taken.
DIGESTS: Final = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}

SEND_TIME_URI: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MAX_SSRC_COUNT: Final = 64  # A publisher has four; a broken one may change them all the time.

log = structlog.get_logger(__name__)


class MediaTaker(Protocol):
    """A receiver that takes packets at once, without a task in between."""

    def take(self, packet: MediaPacket, now_s: float) -> None:
        """Take a packet; must not raise."""


class HallDtlsTransport(RTCDtlsTransport):
    """aiortc's transport, made safe, with a short way for media.

    aiortc wakes a task for each datagram, which costs more than all that is done with it. After
    ``open_short_way`` RTP goes from the socket's callback to its receiver directly; RTCP and
    DTLS keep their way. Built through ``streamer.rtc.seams``.
    """

    _takers: dict[int, MediaTaker]
    _send_time_id: int | None = None

    def open_short_way(self, taker: MediaTaker, parameters: RTCRtpReceiveParameters) -> None:
        """Give RTP of the taker's payload types to it, on the loop, as it arrives."""
        takers = getattr(self, "_takers", {})
        for codec in parameters.codecs:
            if codec.payloadType is not None:
                takers[codec.payloadType] = taker
        self._takers = takers
        for extension in parameters.headerExtensions:
            if extension.uri == SEND_TIME_URI:
                self._send_time_id = extension.id
        connection = self.transport._connection  # noqa: SLF001 - the seam
        if isinstance(connection, HallIceConnection):
            connection.media_handler = self._take_media

    def _take_media(self, data: bytes) -> bool:
        """Decrypt and hand over; ``False`` leaves the datagram to aiortc."""
        # RFC 7983 §7: a first byte of 128..191 is RTP or RTCP; the rest is DTLS.
        if self._state is not State.CONNECTED or not 127 < data[0] < 192 or is_rtcp(data):  # noqa: PLR2004 - the same
            return False
        try:
            plain = self._rx_srtp.unprotect(data)
        except pylibsrtp.Error:
            return True  # Forged, replayed or too old.
        packet = parse_rtp(plain, self._send_time_id)
        if packet is None:
            return True
        taker = self._takers.get(packet.payload_type)
        if taker is not None:
            # aiortc's router finds the receiver of a sender report by what it has learned here.
            if len(self._rtp_router.ssrc_table) < MAX_SSRC_COUNT:
                self._rtp_router.ssrc_table.setdefault(packet.ssrc, taker)  # type: ignore[arg-type]
            taker.take(packet, time.monotonic())
        return True

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 - aiortc's name
        """Compare the certificate's digests with the fingerprints of the offer.

        The certificate is hashed as it came. aiortc parses it first, and FFmpeg 8's has a negative
        serial number every other time, which ``cryptography`` warns about and will refuse.
        """
        certificate = self._ssl.get_peer_certificate() if self._ssl is not None else None
        supported_count = matching_count = 0
        for fingerprint in remoteParameters.fingerprints:
            digest = DIGESTS.get(fingerprint.algorithm.lower())
            if digest is None or certificate is None:
                continue
            supported_count += 1
            actual = certificate.digest(digest)
            if hmac.compare_digest(actual, fingerprint.value.upper().encode()):
                matching_count += 1
        # RFC 8122 §5: all fingerprints of a supported hash must match, and one there must be.
        if not supported_count or matching_count < supported_count:
            log.warning("dtls_fingerprint_mismatch")
            self._set_state(State.FAILED)

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        try:
            await super()._handle_rtp_data(data, arrival_time_ms)
        except struct.error as error:
            # A header extension of the wrong size; aiortc would close the transport.
            log.debug("rtp_extension_malformed", error=str(error))
