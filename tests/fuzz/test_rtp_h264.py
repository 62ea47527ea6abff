"""RTP and H.264 payloads from strangers: a value or our own error, and bounded memory."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from kernel.errors import BitstreamError
from kernel.timing import rescale
from streamer.media import VideoConfig, VideoUnit
from streamer.rtc.packet import parse_rtp
from streamer.whep.payloads import build_payloads, split_nals
from streamer.whip.clock import SyncClock
from streamer.whip.h264_rtp import H264Depacketiser
from streamer.whip.video import RtpVideo, VideoInput

nals = st.builds(
    lambda head, body: bytes((head,)) + body,
    st.sampled_from([0x67, 0x68, 0x65, 0x41, 0x06, 0x09, 0x01]),
    st.binary(min_size=1, max_size=60),
)
payloads = st.one_of(
    nals,
    st.binary(max_size=80),
    st.builds(
        lambda flags, body: bytes((0x7C, flags)) + body, st.integers(0, 255), st.binary(max_size=40)
    ),
    st.lists(nals, min_size=1, max_size=4).map(
        lambda items: b"\x78" + b"".join(len(n).to_bytes(2, "big") + n for n in items)
    ),
)


@given(st.lists(payloads, max_size=40))
def test_the_depacketiser_is_total(items: list[bytes]) -> None:
    depacketiser = H264Depacketiser()
    for payload in items:
        try:
            output = depacketiser.feed(payload)
        except BitstreamError:
            assert not depacketiser.is_inside_fragment
            continue
        assert all(output)


@given(st.binary(max_size=200), st.one_of(st.none(), st.integers(1, 14)))
@example(bytes([0x9F]) + bytes(11), 3)
def test_the_rtp_parser_is_total(data: bytes, send_time_id: int | None) -> None:
    packet = parse_rtp(data, send_time_id)
    if packet is not None:
        assert len(packet.payload) <= len(data) - 12
        assert 0 <= packet.payload_type < 128


steps = st.tuples(
    st.integers(-3, 6),
    st.integers(0, 3),
    st.booleans(),
    payloads,
    st.integers(0, 300),
)


@given(st.integers(0, 65_535), st.integers(0, (1 << 32) - 1), st.lists(steps, max_size=80))
def test_video_input_gives_growing_decode_times_whatever_comes(
    seq: int, timestamp: int, moves: list[tuple[int, int, bool, bytes, int]]
) -> None:
    video = VideoInput(SyncClock())
    now_s, last_dts = 5.0, None
    has_config = False
    for seq_step, ts_step, is_marked, payload, wait_ms in moves:
        seq = (seq + seq_step) % 65_536
        timestamp = (timestamp + ts_step * 3_000) % (1 << 32)
        now_s += wait_ms / 1000
        packet = RtpVideo(timestamp, is_marked=is_marked, payload=payload)
        for item in [*video.push(seq, packet, now_s), *video.expire(now_s)]:
            if isinstance(item, VideoConfig):
                has_config = True
                assert item.sps
                assert item.pps
                continue
            assert isinstance(item, VideoUnit)
            assert has_config
            assert item.dts <= item.pts
            assert last_dts is None or item.dts > last_dts
            last_dts = item.dts
            kinds = {nal[0] & 0x1F for nal in split_nals(item.data)}
            assert kinds <= {1, 2, 3, 4, 5, 6}
            assert item.is_idr == (5 in kinds)
    assert video.take_dropped_count() >= 0


@given(st.lists(nals.filter(lambda nal: nal[0] & 0x1F in {1, 5, 6}), min_size=1, max_size=5))
def test_cut_payloads_come_back_as_they_were(items: list[bytes]) -> None:
    unit = VideoUnit(0, 0, b"".join(len(n).to_bytes(4, "big") + n for n in items), is_idr=False)
    depacketiser = H264Depacketiser()
    back = [nal for payload in build_payloads(unit, None) for nal in depacketiser.feed(payload)]
    assert back == items


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["video", "audio"]),
            st.integers(0, (1 << 32) - 1),
            st.integers(0, 2_000),
            st.integers(0, (1 << 64) - 1),
        ),
        max_size=60,
    )
)
def test_the_clock_stays_near_the_wall_whatever_senders_report(
    moves: list[tuple[str, int, int, int]],
) -> None:
    clock, now_s = SyncClock(), 0.0
    for track, timestamp, wait_ms, ntp in moves:
        now_s += wait_ms / 1000
        ticks = clock.map(track, timestamp, now_s)  # type: ignore[arg-type]
        wall = rescale(int(now_s * 1000), from_hz=1000, to_hz=90_000) + 900_000
        assert abs(ticks - wall) <= 16 * 90_000
        clock.report(track, ntp, timestamp)  # type: ignore[arg-type]
