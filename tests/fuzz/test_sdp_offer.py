"""Session descriptions from strangers: an offer we can use or InputError, quickly."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.errors import InputError
from streamer.rtc.ice import RtcNetwork
from streamer.rtc.sdp import MAX_CANDIDATES, build_answer, check_offer, parse_fragment
from streamer.rtc.seams import install_seams

install_seams()

BASE = (
    "v=0|o=- 1 1 IN IP4 127.0.0.1|s=-|t=0 0|a=group:BUNDLE 0 1|a=msid-semantic: WMS *|"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111|c=IN IP4 0.0.0.0|a=rtcp:9 IN IP4 0.0.0.0|a=mid:0|a=sendonly|"
    "a=rtcp-mux|a=rtpmap:111 opus/48000/2|a=fmtp:111 minptime=10;useinbandfec=1|"
    "a=ice-ufrag:abcd|a=ice-pwd:abcdefghijklmnopqrstuv|a=setup:actpass|"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "|a=ssrc:1 cname:x|"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97|c=IN IP4 0.0.0.0|a=mid:1|a=sendonly|a=rtcp-mux|"
    "a=rtpmap:96 H264/90000|a=rtcp-fb:96 nack pli|a=extmap:3 urn:x|"
    "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f|a=rtpmap:97 rtx/90000|a=fmtp:97 apt=96|"
    "a=ice-ufrag:abcd|a=ice-pwd:abcdefghijklmnopqrstuv|a=setup:actpass|"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "|a=ssrc-group:FID 2 3|a=ssrc:2 cname:x|"
    "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host|a=end-of-candidates"
).split("|")
words = st.sampled_from(
    [
        "",
        " ",
        ":",
        "a=",
        "m=",
        "-1",
        "99999999999999999999",
        "\x00",
        "=",
        "é",
        "/",
        "a=mid:",
        "H264",
    ]
)


@st.composite
def damaged_offers(draw: st.DrawFn) -> str:
    lines = list(BASE)
    for _ in range(draw(st.integers(0, 6))):
        index = draw(st.integers(0, len(lines) - 1))
        action = draw(st.sampled_from(["drop", "double", "swap", "cut", "insert", "replace"]))
        if action == "drop" and len(lines) > 1:
            del lines[index]
        elif action == "double":
            lines.insert(index, lines[index])
        elif action == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[index], lines[other] = lines[other], lines[index]
        elif action == "cut":
            lines[index] = lines[index][: draw(st.integers(0, len(lines[index])))]
        elif action == "insert":
            lines.insert(index, draw(st.text(max_size=40)))
        else:
            bits = lines[index].split(" ")
            bits[draw(st.integers(0, len(bits) - 1))] = draw(words)
            lines[index] = " ".join(bits)
    return draw(st.sampled_from(["\r\n", "\n"])).join(lines)


def judge(text: str) -> None:
    try:
        offer = check_offer(text, "publish")
    except InputError as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.http_status in {400, 406, 422}
        assert refusal.detail
        return
    assert offer.kinds
    assert set(offer.kinds) <= {"audio", "video"}
    assert offer.sdp.count("a=candidate:") <= MAX_CANDIDATES
    assert "end-of-candidates" not in offer.sdp


def test_the_undamaged_offer_is_taken() -> None:
    assert check_offer("\r\n".join(BASE), "publish").kinds == ("audio", "video")


@given(damaged_offers())
@settings(max_examples=300)
def test_damaged_offers_are_taken_or_refused(text: str) -> None:
    judge(text)


@given(st.text(max_size=400))
def test_any_text_is_taken_or_refused(text: str) -> None:
    judge(text)
    try:
        parse_fragment(text)
    except InputError:
        return


def test_the_largest_offer_is_judged_quickly() -> None:
    lines = [*BASE[:-2], *(f"a=rtpmap:{96 + n % 32} H264/90000" for n in range(470))]
    lines += [f"a=rtcp-fb:{96 + n % 32} nack" for n in range(470)]
    started_s = time.process_time()
    judge("\r\n".join(lines))
    assert time.process_time() - started_s < 2.0


@given(
    st.lists(
        st.sampled_from(
            ["a=candidate:f 1 udp 1 10.0.0.1 5 typ host", "c=IN IP4 10.0.0.1", "a=x", "m=audio"]
        ),
        max_size=30,
    )
)
def test_answers_keep_their_other_lines(lines: list[str]) -> None:
    text = build_answer("\r\n".join(["v=0", *lines]), RtcNetwork(public_ips=("203.0.113.1",)))
    assert "10.0.0.1 5 typ host" not in text
    assert text.count("a=x\r\n") == lines.count("a=x")
