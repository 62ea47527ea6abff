"""WHIP ingest over real sockets: aiortc peers with scripted loss, RFC 9725's rules."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Callable

import pytest
from aiohttp import ClientSession

from kernel.errors import ConflictError
from streamer.ports import EndReason
from streamer.rtc.ice import IceServer, RtcNetwork
from streamer.whip import WhipSettings
from tests.support.recording_publishing import RecordingPublication, RecordingPublishing
from tests.support.rtc import (
    audio_track,
    encode_opus,
    encode_pictures,
    publish_whip,
    serve_whip,
    video_track,
)
from tests.support.waiting import eventually

MEDIA_TYPE = 103  # Our first H.264 entry; its retransmissions are 104.
VIDEO_TYPES = frozenset({MEDIA_TYPE, 104})


def split_annexb(data: bytes) -> list[bytes]:
    parts = data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")
    return [part for part in parts if part]


def split_avcc(data: bytes) -> list[bytes]:
    nals, position = [], 0
    while position < len(data):
        (size,) = struct.unpack_from("!I", data, position)
        nals.append(data[position + 4 : position + 4 + size])
        position += 4 + size
    return nals


def slices(nals: list[bytes]) -> list[bytes]:
    return [nal for nal in nals if nal[0] & 0x1F in {1, 5}]


def is_video(datagram: bytes) -> bool:
    return datagram[1] & 0x7F in VIDEO_TYPES


class Script:
    """Loss, reordering and duplication by the number of the video datagram."""

    def __init__(self, act: Callable[[int, bytes], list[bytes]]) -> None:
        self._act = act
        self._count = 0

    def __call__(self, datagram: bytes) -> list[bytes]:
        if not is_video(datagram):
            return [datagram]
        self._count += 1
        return self._act(self._count - 1, datagram)


def assert_strictly_increasing(publication: RecordingPublication) -> None:
    dts = [unit.dts for unit in publication.video]
    assert dts == sorted(set(dts))
    assert all(unit.dts <= unit.pts for unit in publication.video)
    gaps = {
        later.pts - earlier.pts
        for earlier, later in zip(publication.audio, publication.audio[1:], strict=False)
    }
    assert gaps <= {1920}


async def test_every_picture_arrives_byte_for_byte_without_decoding() -> None:
    pictures = encode_pictures(50)
    publishing = RecordingPublishing()
    tracks = [video_track(pictures), audio_track(encode_opus(100))]
    async with serve_whip(publishing) as server, publish_whip(server.url(), tracks) as peer:
        assert peer.status == 201
        assert peer.headers["Content-Type"].startswith("application/sdp")
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) == 50)
        await publication.wait_until(lambda: len(publication.audio) > 60)

    sent = [slices(split_annexb(data)) for _, data, _ in pictures]
    received = [slices(split_avcc(unit.data)) for unit in publication.video]
    assert received == sent
    assert [unit.is_idr for unit in publication.video] == [is_key for *_, is_key in pictures]
    assert len(publication.video_configs) == 1
    assert publication.dropped_count == 0
    assert publication.audio_configs[0].asc[:2] == b"\x11\x90"
    pts = [unit.pts for unit in publication.video]
    assert {later - earlier for earlier, later in itertools.pairwise(pts)} == {3600}
    assert_strictly_increasing(publication)
    assert await publication.wait_closed() is EndReason.CLOSED_BY_PUBLISHER


async def test_only_the_bound_loopback_address_is_announced() -> None:
    publishing = RecordingPublishing()
    tracks = [video_track(encode_pictures(2))]
    async with serve_whip(publishing) as server, publish_whip(server.url(), tracks) as peer:
        candidates = [line for line in peer.body.splitlines() if "candidate:" in line]
        assert candidates
        assert all(" 127.0.0.1 " in line for line in candidates)


async def test_public_addresses_replace_bound_ones_and_ports_stay_in_their_range() -> None:
    network = RtcNetwork(
        public_ips=("203.0.113.7", "2001:db8::7"),
        ports=(47_300, 47_309),
        ice_servers=(IceServer.parse("turn:u:p@127.0.0.1:9?transport=udp"),),
    )
    publishing = RecordingPublishing()
    tracks = [video_track(encode_pictures(2))]
    settings = WhipSettings(network=network)
    async with (
        serve_whip(publishing, settings) as server,
        publish_whip(server.url(), tracks) as peer,
    ):
        assert peer.status == 201
        candidates = [line.split() for line in peer.body.splitlines() if "candidate:" in line]
        assert {bits[4] for bits in candidates} == {"203.0.113.7"}
        assert all(47_300 <= int(bits[5]) <= 47_309 for bits in candidates)
        assert "c=IN IP4 203.0.113.7" in peer.body
        assert peer.headers["Link"] == (
            '<turn:127.0.0.1:9?transport=udp>; rel="ice-server"; username="u"; '
            'credential="p"; credential-type="password"'
        )


async def test_lost_packets_are_asked_for_and_repaired() -> None:
    # aiortc's sender remembers 128 packets: small pictures make that a second, not a fifth of one.
    pictures = encode_pictures(60, width=160, height=90, noise="moving")
    seen: set[int] = set()

    def lose_one_in_ten_once(number: int, datagram: bytes) -> list[bytes]:
        seq = int.from_bytes(datagram[2:4], "big")
        if number % 10 == 5 and seq not in seen and datagram[1] & 0x7F == MEDIA_TYPE:
            seen.add(seq)
            return []
        return [datagram]

    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), [video_track(pictures)], outgoing=Script(lose_one_in_ten_once)),
    ):
        publication = await publishing.wait_admitted()
        # A loss in the very last picture shows only by what follows it.
        await publication.wait_until(lambda: len(publication.video) >= 59)
    assert len(seen) > 5
    assert publication.dropped_count == 0
    assert [slices(split_avcc(unit.data)) for unit in publication.video[:59]] == [
        slices(split_annexb(data)) for _, data, _ in pictures[:59]
    ]


async def test_reordered_and_doubled_packets_change_nothing() -> None:
    pictures = encode_pictures(50, noise="moving")
    held: list[bytes] = []

    def shuffle(number: int, datagram: bytes) -> list[bytes]:
        if number % 7 == 3:
            held.append(datagram)
            return []
        out = [datagram, *held]
        held.clear()
        return [*out, datagram] if number % 5 == 0 else out

    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), [video_track(pictures)], outgoing=Script(shuffle)),
    ):
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) >= 48)
    assert [slices(split_avcc(unit.data)) for unit in publication.video[:48]] == [
        slices(split_annexb(data)) for _, data, _ in pictures[:48]
    ]


async def test_a_hole_that_is_never_repaired_costs_the_gop_and_brings_a_pli() -> None:
    pictures = encode_pictures(75, gop=25)
    hole: set[int] = set()

    def lose_for_good(number: int, datagram: bytes) -> list[bytes]:
        if datagram[1] & 0x7F != MEDIA_TYPE:
            return []  # No retransmissions either.
        if number == 8:
            hole.add(number)
            return []
        return [datagram]

    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), [video_track(pictures)], outgoing=Script(lose_for_good)) as peer,
    ):
        publication = await publishing.wait_admitted()
        await publication.wait_until(
            lambda: len(publication.video) > 30 and publication.dropped_count > 0
        )
    assert hole
    first_gop = [index for index, unit in enumerate(publication.video) if unit.is_idr]
    assert len(first_gop) >= 2
    after = publication.video[first_gop[1]]
    before = publication.video[first_gop[1] - 1]
    assert after.pts - before.pts > 3600  # Nothing between the hole and the next IDR.
    assert peer.plis  # The first picture was an IDR: this one is for the hole.
    assert_strictly_increasing(publication)


async def test_a_key_picture_of_more_than_512_packets_arrives_whole() -> None:
    pictures = encode_pictures(
        12, width=960, height=540, gop=10, noise="still", options={"qp": "4"}
    )
    assert len(pictures[0][1]) > 700_000  # More than 512 packets of 1200 bytes.
    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), [video_track(pictures)]),
    ):
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) >= 11)
    assert slices(split_avcc(publication.video[0].data)) == slices(split_annexb(pictures[0][1]))


async def test_b_frames_get_decode_times() -> None:
    pictures = encode_pictures(50, b_frames=2, gop=50, options={"profile": "main"})
    assert [pts for pts, *_ in pictures] != sorted(pts for pts, *_ in pictures)
    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), [video_track(pictures)]),
    ):
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) == 50)
    pts = [unit.pts for unit in publication.video]
    assert [value - pts[0] for value in pts] == [3600 * pts for pts, *_ in pictures]
    assert_strictly_increasing(publication)


async def test_a_publisher_that_goes_silent_is_noticed_within_five_seconds() -> None:
    pictures = encode_pictures(10)
    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), [video_track(pictures)]),
    ):
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) >= 9)
        last = asyncio.get_running_loop().time()
        assert await publication.wait_closed(timeout_s=8) is EndReason.STALLED
        assert asyncio.get_running_loop().time() - last < 5.2
        await eventually(lambda: server.sessions.count == 0)


async def test_delete_ends_the_session_and_may_be_repeated() -> None:
    publishing = RecordingPublishing()
    tracks = [video_track(encode_pictures(100))]
    async with serve_whip(publishing) as server, publish_whip(server.url(), tracks) as peer:
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) > 2)
        async with ClientSession() as client:
            async with client.delete(peer.session_url) as response:
                assert response.status == 200
            assert await publication.wait_closed() is EndReason.CLOSED_BY_PUBLISHER
            async with client.delete(peer.session_url) as response:
                assert response.status == 200
            async with client.patch(peer.session_url) as response:
                assert response.status == 404


async def test_a_session_that_the_server_has_closed_may_still_be_deleted() -> None:
    publishing = RecordingPublishing()
    tracks = [video_track(encode_pictures(100))]
    async with serve_whip(publishing) as server, publish_whip(server.url(), tracks) as peer:
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) > 2)
        publication.connection.evict(EndReason.CLASS_ENDED)
        assert await publication.wait_closed() is EndReason.CLASS_ENDED
        await eventually(lambda: server.sessions.count == 0)
        async with ClientSession() as client, client.delete(peer.session_url) as response:
            assert response.status == 200


async def test_a_newer_connection_takes_over_and_the_older_one_is_closed() -> None:
    publishing = RecordingPublishing()
    async with serve_whip(publishing) as server:
        first_tracks = [video_track(encode_pictures(200))]
        async with publish_whip(server.url(), first_tracks) as first:
            older = await publishing.wait_admitted()
            await older.wait_until(lambda: len(older.video) > 2)
            async with publish_whip(server.url(), [video_track(encode_pictures(50))]):
                newer = await publishing.wait_admitted(2)
                assert await older.wait_closed() is EndReason.TAKEN_OVER
                await newer.wait_until(lambda: len(newer.video) > 2)
                await eventually(lambda: first.pc.connectionState == "closed")


async def test_shutdown_ends_every_session() -> None:
    publishing = RecordingPublishing()
    tracks = [video_track(encode_pictures(100))]
    async with serve_whip(publishing) as server, publish_whip(server.url(), tracks):
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) > 2)
        await server.sessions.close()
        assert publication.end_reason is EndReason.SHUTDOWN
        assert server.sessions.count == 0


# ---- RFC 9725 over HTTP ------------------------------------------------------------------------


async def post(
    url: str, body: str, **headers: str
) -> tuple[int, dict[str, str], dict[str, object]]:
    merged = {"Content-Type": "application/sdp", "Authorization": "Bearer good-key"}
    merged.update({name.replace("_", "-"): value for name, value in headers.items()})
    async with ClientSession() as client, client.post(url, data=body, headers=merged) as response:
        is_problem = "json" in response.content_type
        return response.status, dict(response.headers), await response.json() if is_problem else {}


@pytest.fixture
async def vp8_offer() -> str:
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender

    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    transceiver = pc.addTransceiver("video", direction="sendonly")
    transceiver.setCodecPreferences(
        [
            codec
            for codec in RTCRtpSender.getCapabilities("video").codecs
            if codec.mimeType == "video/VP8"
        ]
    )
    await pc.setLocalDescription(await pc.createOffer())
    sdp = pc.localDescription.sdp
    await pc.close()
    return sdp


async def test_a_client_without_h264_is_told_so(vp8_offer: str) -> None:
    publishing = RecordingPublishing()
    async with serve_whip(publishing) as server:
        status, headers, problem = await post(server.url(), vp8_offer)
    assert status == 406
    assert "H.264" in str(problem["detail"])
    assert "H.264" in str(problem["title"])
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert publishing.requests == []  # Nobody was pushed out for it.


async def test_refusals_have_their_codes(vp8_offer: str) -> None:
    publishing = RecordingPublishing()
    h264 = vp8_offer.replace("VP8/90000", "H264/90000")
    payload_type = h264.split("a=rtpmap:")[1].split(" ")[0]
    h264 = h264.replace(
        f"a=rtpmap:{payload_type} H264/90000\r\n",
        f"a=rtpmap:{payload_type} H264/90000\r\n"
        f"a=fmtp:{payload_type} packetization-mode=1;profile-level-id=42e01f\r\n",
    )
    async with serve_whip(publishing) as server:
        url = server.url()
        assert (await post(url, h264, Authorization="Basic xyz"))[0] == 401
        assert (await post(url, h264, Authorization="Bearer wrong"))[0] == 403
        assert (await post(url, h264, Content_Type="text/plain"))[0] == 415
        assert (await post(url, "v=0\r\n" + "a" * 140_000))[0] == 413
        assert (await post(url, "hello"))[0] == 400
        assert (await post(url, h264.replace("a=rtcp-mux\r\n", "")))[0] == 422
        publishing.error = ConflictError("three takeovers")
        assert (await post(url, h264))[0] == 409


async def test_sessions_and_joins_are_limited(vp8_offer: str) -> None:
    publishing = RecordingPublishing()
    async with serve_whip(publishing, WhipSettings(sessions_max_count=1)) as server:
        tracks = [video_track(encode_pictures(50))]
        async with publish_whip(server.url(), tracks) as first:
            assert first.status == 201
            async with publish_whip(server.url(), [video_track(encode_pictures(2))]) as second:
                assert second.status == 503
                assert int(second.headers["Retry-After"]) > 0
    async with serve_whip(publishing, WhipSettings(joins_per_s=0.1, joins_burst_count=1)) as server:
        async with publish_whip(server.url(), [video_track(encode_pictures(2))]) as first:
            assert first.status == 201
        async with publish_whip(server.url(), [video_track(encode_pictures(2))]) as second:
            assert second.status == 503


async def test_patch_follows_the_rules_of_trickle() -> None:
    publishing = RecordingPublishing()
    tracks = [video_track(encode_pictures(50))]
    async with (
        serve_whip(publishing) as server,
        publish_whip(server.url(), tracks) as peer,
        ClientSession() as client,
    ):
        ufrag = peer.pc.localDescription.sdp.split("a=ice-ufrag:")[1].split("\r\n")[0]
        fragment = (
            f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:whatever\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n"
            "a=candidate:1 1 UDP 2130706431 127.0.0.1 9 typ host\r\n"
        )
        kind = {"Content-Type": "application/trickle-ice-sdpfrag"}

        async def patch(body: str, **headers: str) -> int:
            sent = {**kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
            async with client.patch(peer.session_url, data=body, headers=sent) as response:
                return response.status

        etag = peer.headers["ETag"]
        assert await patch(fragment) == 428
        assert await patch(fragment, If_Match='"other"') == 412
        assert await patch(fragment, If_Match=etag) == 204
        assert await patch(fragment.replace(ufrag, "newufrag"), If_Match=etag) == 422
        assert await patch(fragment, If_Match="*") == 422
        assert await patch("nonsense", If_Match=etag) == 400
        assert await patch(fragment, If_Match=etag, Content_Type="text/plain") == 415


async def test_other_methods_are_refused_and_options_answers_cross_origin() -> None:
    publishing = RecordingPublishing()
    async with serve_whip(publishing) as server, ClientSession() as client:
        for method in ("GET", "HEAD", "PUT"):
            async with client.request(method, server.url()) as response:
                assert response.status == 405
                assert response.headers["Allow"] == "OPTIONS, POST"
        async with client.options(server.url()) as response:
            assert response.status == 204
            assert response.headers["Accept-Post"] == "application/sdp"
            assert "Location" in response.headers["Access-Control-Expose-Headers"]
        async with client.delete(server.url() + "/unknown") as response:
            assert response.status == 404
