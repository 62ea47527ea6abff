"""The one place that changes aiortc and aioice; ``tests/contract/test_aiortc_seams.py`` pins it.

aiortc 1.16 decodes what it receives and binds where it likes. Its classes are looked up as module
globals when a peer connection is built; we put factories there. Outside ``use_seams`` they build
aiortc's own objects, so other users of the library in this process see no difference.

| module global | ours | why |
|---|---|---|
| ``rtcpeerconnection.RTCRtpReceiver`` | ``_build_receiver`` | encoded media, no decoder thread |
| ``rtcpeerconnection.RTCDtlsTransport`` | ``_build_dtls`` | FFmpeg's certificates, hostile RTP |
| ``rtcicetransport.Connection`` | ``_build_connection`` | bind address, ports, FFmpeg's STUN |
| ``codecs.CODECS["video"]`` | H.264 up to level 4.0 in front | 1080p, Main and High |
| ``rtcrtpsender.RTP_HISTORY_SIZE`` | 2048 | repairs of key pictures above 150 kB |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import aioice
from aiortc import codecs, rtcicetransport, rtcpeerconnection, rtcrtpsender
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcrtpreceiver import RTCRtpReceiver

from streamer.rtc.codecs import build_h264_codecs
from streamer.rtc.dtls import HallDtlsTransport
from streamer.rtc.ice import HallIceConnection, RtcNetwork

HISTORY_PACKETS: Final = 2048
ReceiverFactory = Callable[[str, RTCDtlsTransport], RTCRtpReceiver]

_receiver_factory: ContextVar[ReceiverFactory | None] = ContextVar("rtc_receivers", default=None)
_network: ContextVar[RtcNetwork | None] = ContextVar("rtc_network", default=None)


def _build_receiver(kind: str, transport: RTCDtlsTransport) -> RTCRtpReceiver:
    factory = _receiver_factory.get()
    return RTCRtpReceiver(kind, transport) if factory is None else factory(kind, transport)


def _build_dtls(transport: RTCIceTransport, certificates: list[RTCCertificate]) -> RTCDtlsTransport:
    is_ours = _network.get() is not None
    return (HallDtlsTransport if is_ours else RTCDtlsTransport)(transport, certificates)


def _build_connection(**options: Any) -> aioice.Connection:
    network = _network.get()
    if network is None:
        return aioice.Connection(**options)
    return HallIceConnection(network=network, **options)


def install_seams() -> None:
    """Put the factories in place. Idempotent; called by whoever opens peer connections."""
    if vars(rtcpeerconnection)["RTCRtpReceiver"] is _build_receiver:
        return
    setattr(rtcpeerconnection, "RTCRtpReceiver", _build_receiver)  # noqa: B010 - typed as a class
    setattr(rtcpeerconnection, "RTCDtlsTransport", _build_dtls)  # noqa: B010 - the same
    setattr(rtcicetransport, "Connection", _build_connection)  # noqa: B010 - the same
    setattr(rtcrtpsender, "RTP_HISTORY_SIZE", HISTORY_PACKETS)  # noqa: B010 - the same
    codecs.CODECS["video"][:0] = build_h264_codecs()


@contextmanager
def use_seams(network: RtcNetwork, receivers: ReceiverFactory | None = None) -> Iterator[None]:
    """Inside, peer connections and transceivers get our receivers and ICE agents."""
    install_seams()
    network_token = _network.set(network)
    receivers_token = _receiver_factory.set(receivers)
    try:
        yield
    finally:
        _receiver_factory.reset(receivers_token)
        _network.reset(network_token)
