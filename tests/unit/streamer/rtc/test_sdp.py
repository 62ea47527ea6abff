from __future__ import annotations

import pytest

from kernel.errors import CapacityError, InputError
from streamer.rtc.ice import IceServer, RtcNetwork
from streamer.rtc.limits import JoinLimiter
from streamer.rtc.packet import parse_rtp
from streamer.rtc.sdp import build_answer, check_offer, is_useful_candidate, parse_fragment

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
COMMON = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AA"] * 32) + "\r\na=setup:actpass\r\na=rtcp-mux\r\n"
)
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\n"
    "a=rtpmap:111 opus/48000/2\r\n" + COMMON
)
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\n"
    "a=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n" + COMMON
)
OFFER = HEAD + AUDIO + VIDEO


def test_a_plain_offer_is_taken() -> None:
    offer = check_offer(OFFER, "publish")
    assert offer.kinds == ("audio", "video")
    assert offer.ice_ufrag == "abcd"


def test_ffmpegs_seven_digits_of_constrained_baseline_are_understood() -> None:
    offer = check_offer(OFFER.replace("42e01f", "422001f"), "publish")
    assert "profile-level-id=42e01f" in offer.sdp


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("v=0", "v=1", 400),
        ("H264/90000", "VP8/90000", 406),
        ("opus/48000/2", "PCMU/8000", 406),
        ("packetization-mode=1", "packetization-mode=0", 406),
        ("a=ice-pwd:abcdefghijklmnopqrstuv", "a=ice-pwd:short", 422),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:a b", 422),
        ("sha-256", "md5", 422),
        ("a=setup:actpass\r\n", "", 422),
        ("a=rtcp-mux\r\n", "", 422),
        ("a=sendonly", "a=recvonly", 422),
        ("a=mid:1", "a=mid:0", 422),
        ("a=mid:1\r\n", "", 422),
        ("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video x UDP/TLS/RTP/SAVPF 96", 400),
        ("a=rtpmap:96 H264/90000", "a=rtpmap:96", 400),
        ("a=fmtp:96", "a=fmtp:97", 400),
        ("m=video", "m=application", 422),
        ("m=video", "m=audio", 406),
    ],
)
def test_a_broken_offer_is_refused_with_its_code(old: str, new: str, status: int) -> None:
    assert old in OFFER
    with pytest.raises(InputError) as refusal:
        check_offer(OFFER.replace(old, new), "publish")
    assert refusal.value.http_status in {status, 422 if status == 406 else status}


def test_size_and_lines_are_limited() -> None:
    with pytest.raises(InputError):
        check_offer(OFFER + "a=x\r\n" * 1000, "publish")
    with pytest.raises(InputError):
        check_offer(OFFER + "a=" + "x" * 5000, "publish")


def test_candidates_of_no_use_and_the_end_of_candidates_are_left_out() -> None:
    lines = [
        "a=candidate:1 1 udp 1 0d3f.local 50000 typ host",
        "a=candidate:2 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "a=candidate:3 1 udp 1 192.0.2.1 50000 typ host",
        "a=end-of-candidates",
    ]
    offer = check_offer(OFFER + "".join(line + "\r\n" for line in lines), "publish")
    assert [line for line in offer.sdp.split("\r\n") if "candidate" in line] == [lines[2]]
    many = [f"a=candidate:{n} 1 udp 1 192.0.2.1 {50_000 + n} typ host\r\n" for n in range(40)]
    assert check_offer(OFFER + "".join(many), "publish").sdp.count("a=candidate") == 16


@pytest.mark.parametrize(
    "value",
    ["", "1 1 udp x 1.2.3.4 5 typ host", "1 1 udp 1 0.0.0.0 5 typ host",
     "1 1 udp 1 224.0.0.1 5 typ host", "1 2 udp 1 1.2.3.4 5 typ host",
     "1 1 udp 1 1.2.3.4 70000 typ host"],
)  # fmt: skip
def test_malformed_candidates_are_of_no_use(value: str) -> None:
    assert not is_useful_candidate(value)


def test_the_answer_gets_public_addresses_and_stereo_opus() -> None:
    answer = (
        "v=0\r\nm=audio 5 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 10.0.0.1\r\n"
        "a=rtpmap:111 opus/48000/2\r\n"
        "a=candidate:f 1 udp 1 10.0.0.1 5 typ host\r\n"
        "a=candidate:g 1 udp 1 203.0.113.9 6 typ srflx raddr 10.0.0.1 rport 5\r\n"
    )
    text = build_answer(answer, RtcNetwork(public_ips=("198.51.100.1", "198.51.100.2")))
    assert "c=IN IP4 198.51.100.1" in text
    assert text.count("typ host") == 2
    assert " 10.0.0.1 5 typ host" not in text
    assert "typ srflx" in text
    assert "a=fmtp:111 " in text
    assert "stereo=1" in text
    assert "useinbandfec=1" in text


def test_fragments_are_read() -> None:
    fragment = parse_fragment(
        "a=ice-ufrag:abcd\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:3 1 udp 1 192.0.2.1 50000 typ host\r\na=end-of-candidates\r\n"
    )
    assert fragment.ice_ufrag == "abcd"
    assert fragment.candidates == ("3 1 udp 1 192.0.2.1 50000 typ host",)
    with pytest.raises(InputError):
        parse_fragment("garbage")


def test_joins_are_a_token_bucket() -> None:
    limiter = JoinLimiter(rate_per_s=2, burst_count=2)
    limiter.take(0.0)
    limiter.take(0.0)
    with pytest.raises(CapacityError) as refusal:
        limiter.take(0.1)
    assert refusal.value.retry_after_s >= 1
    limiter.take(1.0)


def test_turn_credentials_are_told_from_the_address() -> None:
    server = IceServer.parse("turns:me:pw@turn.example:443?transport=tcp")
    assert (server.url, server.username) == ("turns:turn.example:443?transport=tcp", "me")
    assert IceServer.parse("stun:stun.example:3478").render_link() == (
        '<stun:stun.example:3478>; rel="ice-server"'
    )


def test_no_server_is_asked_by_default_and_loopback_is_bound() -> None:
    network = RtcNetwork()
    assert network.build_ice_servers() == []
    assert network.find_addresses() == ["127.0.0.1"]


def test_a_wildcard_means_every_address_but_loopback_unless_there_is_no_other() -> None:
    found = RtcNetwork(bind="::").find_addresses()
    assert found == ["127.0.0.1"] or not {"127.0.0.1", "::1"} & set(found)
    assert not any(address.startswith("fe80") for address in found)


def test_rtp_headers_are_read_with_extension_and_padding() -> None:
    head = bytes([0x80, 0x80 | 96]) + (7).to_bytes(2, "big") + (9).to_bytes(4, "big") + b"\0\0\0\5"
    packet = parse_rtp(head + b"xyz")
    assert packet is not None
    assert (packet.marker, packet.payload_type, packet.sequence_number) == (1, 96, 7)
    assert (packet.timestamp, packet.ssrc, packet.payload) == (9, 5, b"xyz")
    extension = bytes.fromhex("bede0002") + bytes([0x32, 1, 2, 3, 0, 0x10, 9, 0])
    extended = parse_rtp(bytes([0x90]) + head[1:] + extension + b"p", 3)
    assert extended is not None
    assert (extended.abs_send_time, extended.payload) == (0x010203, b"p")
    padded = parse_rtp(bytes([0xA0]) + head[1:] + b"pq\0\0\3")
    assert padded is not None
    assert padded.payload == b"pq"
    for broken in (b"", head[:11], bytes([0x40]) + head[1:], bytes([0x90]) + head[1:] + b"\xbe",
                   bytes([0xA0]) + head[1:] + b"\0", bytes([0xA0]) + head[1:] + b"\xff",
                   bytes([0x8F]) + head[1:]):  # fmt: skip
        assert parse_rtp(broken) is None
