"""What we rely on inside aiortc 1.16 and aioice: a new version must pass this before we take it."""

from __future__ import annotations

import importlib.metadata
import inspect

import aioice
from aioice import ice
from aioice.candidate import candidate_priority
from aiortc import RTCConfiguration, RTCPeerConnection, rtcicetransport, rtcpeerconnection, sdp
from aiortc.codecs import CODECS
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCEncodedFrame, RTCRtpSender
from aiortc.rtp import RtcpReceiverInfo

from streamer.rtc import seams
from streamer.rtc.ice import HallIceConnection, RtcNetwork
from streamer.whip.receiver import PassthroughReceiver


def names(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_version_is_the_one_the_seams_were_read_from() -> None:
    assert importlib.metadata.version("aiortc").startswith("1.16.")


def test_receivers_and_ice_agents_are_looked_up_as_module_globals() -> None:
    create = inspect.getsource(rtcpeerconnection.RTCPeerConnection)
    assert "receiver=RTCRtpReceiver(kind, dtlsTransport)" in create
    assert "dtlsTransport = RTCDtlsTransport(iceTransport, self.__certificates)" in create
    assert names(RTCDtlsTransport._validate_peer_identity) == ["self", "remoteParameters"]
    assert names(RTCDtlsTransport._handle_rtp_data) == ["self", "data", "arrival_time_ms"]
    gatherer = inspect.getsource(rtcicetransport.RTCIceGatherer.__init__)
    assert "self._connection = Connection(" in gatherer


def test_the_receiver_has_the_methods_that_are_overridden() -> None:
    assert names(RTCRtpReceiver.__init__) == ["self", "kind", "transport"]
    assert names(RTCRtpReceiver._handle_rtp_packet) == ["self", "packet", "arrival_time_ms"]
    assert names(RTCRtpReceiver._handle_rtcp_packet) == ["self", "packet"]
    assert names(RTCRtpReceiver._handle_disconnect) == ["self"]
    assert names(RTCRtpReceiver.receive) == ["self", "parameters"]
    assert names(RTCRtpReceiver._set_rtcp_ssrc) == ["self", "ssrc"]
    assert names(RTCRtpReceiver._send_rtcp) == ["self", "packet"]
    # Everything that aiortc calls on a receiver is ours or harmless.
    assert {"receivers", "ssrc_table"} <= set(vars(RtpRouter()))
    assert set(RtcpReceiverInfo.__dataclass_fields__) == {
        "ssrc", "fraction_lost", "packets_lost", "highest_sequence", "jitter", "lsr", "dlsr",
    }  # fmt: skip


def test_the_sender_has_the_methods_that_are_replaced() -> None:
    assert names(RTCRtpSender._next_encoded_frame) == ["self", "codec"]
    assert names(RTCRtpSender._send_keyframe) == ["self"]
    assert names(RTCEncodedFrame.__init__) == ["self", "payloads", "timestamp", "audio_level"]
    assert "RTP_HISTORY_SIZE" in inspect.getsource(RTCRtpSender._run_rtp)
    assert "await self._next_encoded_frame(codec)" in inspect.getsource(RTCRtpSender._run_rtp)


def test_the_ice_agent_has_the_methods_that_are_overridden() -> None:
    assert names(ice.Connection.check_incoming) == ["self", "message", "addr", "protocol"]
    assert names(ice.Connection.data_received) == ["self", "data", "component"]
    assert names(ice.Connection.get_component_candidates) == [
        "self", "component", "addresses", "timeout",
    ]  # fmt: skip
    assert 'message.attributes["PRIORITY"]' in inspect.getsource(ice.Connection.check_incoming)
    assert candidate_priority(1, "prflx") > 0
    assert issubclass(HallIceConnection, aioice.Connection)


async def test_only_inside_use_seams_are_our_objects_built() -> None:
    built: list[PassthroughReceiver] = []

    class Sink:
        def receive_rtp(self, kind: str, packet: object, now_s: float) -> None: ...

        def receive_report(self, kind: str, ntp: int, rtp: int) -> None: ...

    def build(kind: str, transport: object) -> PassthroughReceiver:
        built.append(PassthroughReceiver(kind, transport, Sink()))  # type: ignore[arg-type]
        return built[-1]

    with seams.use_seams(RtcNetwork(), build):
        ours = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        ours.addTransceiver("video", direction="recvonly")
    theirs = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    theirs.addTransceiver("video", direction="recvonly")
    agents = [
        pc.getTransceivers()[0].receiver.transport.transport._connection for pc in (ours, theirs)
    ]
    assert ours.getTransceivers()[0].receiver is built[0]
    assert type(theirs.getTransceivers()[0].receiver) is RTCRtpReceiver
    assert [type(agent) for agent in agents] == [HallIceConnection, aioice.Connection]
    await ours.close()
    await theirs.close()


def test_our_h264_entries_come_first_and_are_put_in_once() -> None:
    seams.install_seams()
    seams.install_seams()
    h264 = [codec for codec in CODECS["video"] if codec.mimeType == "video/H264"]
    levels = [str(codec.parameters["profile-level-id"]) for codec in h264]
    assert levels[:2] == ["42e028", "420028"]
    assert levels.count("42e028") == 1
    types = [codec.payloadType for codec in CODECS["video"]]
    assert len(types) == len(set(types))
    for level in levels:
        sdp.parse_h264_profile_level_id(level)
