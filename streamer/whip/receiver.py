"""aiortc's receiver without jitter buffer, decoder and thread: packets go straight to a sink.

Seam B of the notes in ``streamer.rtc.seams``. Overrides every method that touches the parent's
private state and relies on these names: ``_enabled``, ``transport``, ``_set_rtcp_ssrc``,
``receive``, ``stop``, ``_handle_disconnect``, ``_handle_rtp_packet``, ``_handle_rtcp_packet``.
"""

from __future__ import annotations

import time
from typing import Protocol

from aiortc.codecs import is_rtx
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
)

from streamer.rtc.dtls import HallDtlsTransport
from streamer.rtc.packet import MediaPacket
from streamer.whip.feedback import Reception

NACKS_PER_PACKET = 200  # 4 bytes each at worst: one RTCP packet stays below an MTU.
RTX_HEADER_BYTES = 2  # RFC 4588 §4: the original sequence number.


class RtpSink(Protocol):
    """Takes packets of one session, in order of arrival. Called on the loop."""

    def receive_rtp(self, kind: str, packet: MediaPacket, now_s: float) -> None:
        """A packet of the track ``kind``."""

    def receive_report(self, kind: str, ntp: int, rtp: int) -> None:
        """A sender report of that track: NTP 32.32 and RTP time stamp."""


class PassthroughReceiver(RTCRtpReceiver):
    """Unwraps retransmissions, keeps statistics, sends RTCP; owns no task and no thread.

    Attributes:
        kind: ``audio`` or ``video``.
        media_ssrc: Source of the media, once known.
    """

    def __init__(self, kind: str, transport: RTCDtlsTransport, sink: RtpSink) -> None:
        super().__init__(kind, transport)
        self.kind = kind
        self.media_ssrc: int | None = None
        self._sink = sink
        self._is_receiving = False
        self._own_ssrc: int | None = None
        self._codecs_by_type: dict[int, RTCRtpCodecParameters] = {}
        self._rtx_types: dict[int, int] = {}
        self._reception: Reception | None = None

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self._own_ssrc = ssrc
        super()._set_rtcp_ssrc(ssrc)

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Begin to take packets; called by aiortc when DTLS is up."""
        if self._is_receiving:
            return
        self._is_receiving = True
        for codec in parameters.codecs:
            if codec.payloadType is None:
                continue
            apt = codec.parameters.get("apt")
            if is_rtx(codec) and isinstance(apt, int):
                self._rtx_types[codec.payloadType] = apt
            elif not is_rtx(codec):
                self._codecs_by_type[codec.payloadType] = codec
        self.transport._register_rtp_receiver(self, parameters)  # noqa: SLF001 - seam B
        if isinstance(self.transport, HallDtlsTransport):
            self.transport.open_short_way(self, parameters)

    async def stop(self) -> None:
        """Take no more packets."""
        if self._is_receiving:
            self._is_receiving = False
            self.transport._unregister_rtp_receiver(self)  # noqa: SLF001 - seam B

    def _handle_disconnect(self) -> None:
        """DTLS is over; the peer connection's state change tells the session."""

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket) and packet.ssrc == self.media_ssrc:
            info = packet.sender_info
            if self._reception is not None:
                self._reception.on_report(info.ntp_timestamp, time.monotonic())
            self._sink.receive_report(self.kind, info.ntp_timestamp, info.rtp_timestamp)
        elif isinstance(packet, RtcpByePacket):
            return  # Followed by DTLS close_notify or silence; both are noticed.

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:  # noqa: ARG002 - aiortc's signature; wall clock
        """Only for what arrived before the short way was open."""
        self.take(
            MediaPacket(
                packet.ssrc,
                packet.payload_type,
                packet.marker,
                packet.sequence_number,
                packet.timestamp,
                packet.payload,
                packet.extensions.abs_send_time,
            ),
            time.monotonic(),
        )

    def take(self, packet: MediaPacket, now_s: float) -> None:
        """Take a packet from the socket."""
        if not self._enabled or not self._is_receiving:
            return
        apt = self._rtx_types.get(packet.payload_type)
        if apt is not None:
            if self.media_ssrc is None or len(packet.payload) < RTX_HEADER_BYTES:
                return
            packet.payload_type = apt
            packet.sequence_number = packet.payload[0] << 8 | packet.payload[1]
            packet.payload = packet.payload[RTX_HEADER_BYTES:]
            packet.ssrc = self.media_ssrc
        codec = self._codecs_by_type.get(packet.payload_type)
        if codec is None:
            return
        if apt is None:
            if self.media_ssrc != packet.ssrc:
                self.media_ssrc = packet.ssrc
                self._reception = Reception(codec.clockRate)
            if self._reception is not None:
                self._reception.on_packet(packet.sequence_number, packet.timestamp, now_s)
        self._sink.receive_rtp(self.kind, packet, now_s)

    async def send_report(self, now_s: float) -> None:
        """Send a receiver report; nothing before the first packet."""
        if self._own_ssrc is None or self.media_ssrc is None or self._reception is None:
            return
        block = RtcpReceiverInfo(ssrc=self.media_ssrc, **self._reception.take_report(now_s))
        await self._send_rtcp(RtcpRrPacket(ssrc=self._own_ssrc, reports=[block]))

    async def send_nack(self, lost: list[int]) -> None:
        """Ask for packets again; ``lost`` ascending."""
        if self._own_ssrc is None or self.media_ssrc is None:
            return
        for start in range(0, len(lost), NACKS_PER_PACKET):
            packet = RtcpRtpfbPacket(
                fmt=RTCP_RTPFB_NACK, ssrc=self._own_ssrc, media_ssrc=self.media_ssrc
            )
            packet.lost = lost[start : start + NACKS_PER_PACKET]
            await self._send_rtcp(packet)

    async def send_pli(self) -> None:
        """Ask for a key picture."""
        if self._own_ssrc is None or self.media_ssrc is None:
            return
        await self._send_rtcp(
            RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._own_ssrc, media_ssrc=self.media_ssrc)
        )

    async def send_remb(self, bitrate_bps: int) -> None:
        """Announce how much this path carries."""
        if self._own_ssrc is None or self.media_ssrc is None:
            return
        fci = pack_remb_fci(bitrate_bps, [self.media_ssrc])
        await self._send_rtcp(
            RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self._own_ssrc, media_ssrc=0, fci=fci)
        )
