from __future__ import annotations

import pytest

from kernel.errors import BitstreamError
from streamer.media import VideoConfig, VideoUnit
from streamer.whep.payloads import PayloadCache, build_payloads, split_nals
from streamer.whip.access_unit import PictureBuilder
from streamer.whip.clock import SyncClock
from streamer.whip.decode_clock import DecodeClock
from streamer.whip.h264_rtp import H264Depacketiser
from streamer.whip.video import RtpVideo, VideoInput

SPS = bytes.fromhex("6742c014da05067e7c040000030040000 00ca3c50aa8".replace(" ", ""))
PPS = bytes.fromhex("68ce3c80")
IDR = b"\x65\x88" + b"i" * 40
SECOND_SLICE = b"\x65\x40" + b"s" * 10
DELTA = b"\x41\x9a" + b"d" * 20


def avcc(*nals: bytes) -> bytes:
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def fragment(nal: bytes, size: int) -> list[bytes]:
    pieces = [nal[start : start + size] for start in range(1, len(nal), size)]
    return [
        bytes(
            (
                nal[0] & 0xE0 | 28,
                (0x80 if not index else 0x40 if index == len(pieces) - 1 else 0) | nal[0] & 0x1F,
            )
        )
        + piece
        for index, piece in enumerate(pieces)
    ]


def test_fragments_and_aggregates_are_put_together() -> None:
    depacketiser = H264Depacketiser()
    assert depacketiser.feed(IDR) == [IDR]
    stap = b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in (SPS, PPS))
    assert depacketiser.feed(stap) == [SPS, PPS]
    parts = fragment(IDR, 15)
    assert [depacketiser.feed(part) for part in parts] == [[], [], [IDR]]
    assert depacketiser.feed(b"") == []


@pytest.mark.parametrize(
    "payload",
    [b"\x78", b"\x78\x00", b"\x78\x00\x05ab", b"\x78\x00\x00", b"\x7c\x85", b"\x7c\x05x",
     b"\x7c\xc5x", b"\x79abc", b"\xe5abc", b"\x60abc", b"\x78\x00\x01\x7c"],
)  # fmt: skip
def test_malformed_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(BitstreamError):
        H264Depacketiser().feed(payload)


def test_a_fragment_out_of_turn_forgets_what_was_begun() -> None:
    depacketiser = H264Depacketiser()
    first, second, third = fragment(IDR, 15)
    depacketiser.feed(first)
    with pytest.raises(BitstreamError):
        depacketiser.feed(first)
    assert not depacketiser.is_inside_fragment
    with pytest.raises(BitstreamError):
        depacketiser.feed(third)
    depacketiser.feed(first)
    with pytest.raises(BitstreamError):
        depacketiser.feed(DELTA)
    assert [depacketiser.feed(part) for part in (first, second, third)][-1] == [IDR]


def test_parameter_sets_in_packets_of_their_own_are_gathered() -> None:
    builder = PictureBuilder()
    assert builder.push([SPS], 0, is_marked=False) == []
    assert builder.push([PPS], 0, is_marked=True) == []
    (picture,) = builder.push([IDR], 0, is_marked=True)
    assert picture.config == VideoConfig((SPS,), (PPS,))
    assert picture.is_idr
    assert picture.data == avcc(IDR)
    (second,) = builder.push([b"\x09\xf0", SPS, PPS, IDR], 3000, is_marked=True)
    assert second.config is None
    assert second.data == avcc(IDR)


def test_slices_of_one_time_stamp_are_one_picture_with_or_without_marker() -> None:
    builder = PictureBuilder()
    builder.push([SPS, PPS, IDR], 0, is_marked=False)
    (picture,) = builder.push([SECOND_SLICE], 0, is_marked=True)
    assert picture.data == avcc(IDR, SECOND_SLICE)
    builder.push([DELTA], 3000, is_marked=False)
    (unmarked,) = builder.push([DELTA], 6000, is_marked=False)
    assert unmarked.timestamp == 3000


def test_a_sender_that_marks_every_packet_is_found_out() -> None:
    builder = PictureBuilder()
    builder.push([SPS, PPS, IDR], 0, is_marked=True)
    assert builder.push([SECOND_SLICE], 0, is_marked=True) == []
    assert builder.wants_keyframe
    builder.push([IDR], 3000, is_marked=True)
    builder.push([SECOND_SLICE], 3000, is_marked=True)
    (picture,) = builder.push([DELTA], 6000, is_marked=True)
    assert picture.data == avcc(IDR, SECOND_SLICE)


def test_after_a_loss_nothing_passes_until_an_idr() -> None:
    builder = PictureBuilder()
    builder.push([SPS, PPS, IDR], 0, is_marked=True)
    builder.lose()
    assert builder.push([DELTA], 3000, is_marked=True) == []
    (picture,) = builder.push([IDR], 6000, is_marked=True)
    assert picture.is_idr
    assert not builder.wants_keyframe
    assert builder.dropped_count == 1


def test_an_idr_that_lost_its_first_slice_is_dropped() -> None:
    builder = PictureBuilder()
    builder.push([SPS, PPS, IDR], 0, is_marked=True)
    builder.lose()
    assert builder.push([SECOND_SLICE], 3000, is_marked=True) == []
    assert builder.wants_keyframe


def test_a_changed_sps_is_told_with_its_idr() -> None:
    builder = PictureBuilder()
    builder.push([SPS, PPS, IDR], 0, is_marked=True)
    other = SPS[:-1] + b"\xaa"
    (picture,) = builder.push([other, PPS, IDR], 3000, is_marked=True)
    assert picture.config == VideoConfig((other,), (PPS,))


def test_an_idr_without_parameter_sets_is_not_passed_on() -> None:
    assert PictureBuilder().push([IDR], 0, is_marked=True) == []


def test_the_depth_of_reordering_is_read_from_the_sps() -> None:
    clock = DecodeClock()
    from tests.support.rtc import encode_pictures

    for b_frames, expected in ((0, 0), (1, 1), (3, 2)):
        data = encode_pictures(6, b_frames=b_frames, options={"profile": "high"})[0][1]
        nals = [nal for nal in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if nal]
        sps = next(nal for nal in nals if nal[0] & 0x1F == 7)
        clock.learn(sps)
        assert clock.depth == expected
    for silent in (SPS, SPS[:4]):  # Baseline, and one that is cut off.
        clock.learn(silent)
        assert clock.depth == 0


def test_decode_times_grow_and_never_pass_presentation() -> None:
    clock = DecodeClock()
    clock.depth = 1
    shown = [0, 6000, 3000, 12000, 9000, 18000, 15000]
    dts = [clock.assign(pts) for pts in shown]
    assert None not in dts
    assert dts == sorted(set(dts))  # type: ignore[type-var]
    assert all(d <= p for d, p in zip(dts, shown, strict=True))  # type: ignore[operator]


def test_an_unannounced_b_frame_costs_itself_and_teaches_the_depth() -> None:
    clock = DecodeClock()
    assert clock.assign(0) == 0
    assert clock.assign(6000) == 6000
    assert clock.assign(3000) is None
    assert clock.depth == 1


def push(video: VideoInput, seq: int, ts: int, payload: bytes, now_s: float) -> list[object]:
    return list(video.push(seq, RtpVideo(ts, is_marked=True, payload=payload), now_s))


def test_pictures_come_out_with_time_and_configuration() -> None:
    video = VideoInput(SyncClock())
    stap = b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in (SPS, PPS, IDR))
    config, first = push(video, 5, 0xFFFFFF00, stap, 100.0)
    assert config == VideoConfig((SPS,), (PPS,))
    assert isinstance(first, VideoUnit)
    assert first.pts == first.dts == 900_000
    (second,) = push(video, 6, 0xFFFFFF00 + 3000 - (1 << 32), DELTA, 100.03)
    assert isinstance(second, VideoUnit)
    assert second.pts == 903_000  # Over the wrap of 32 bits.


def test_payloads_and_depacketiser_are_inverse() -> None:
    big = b"\x65\x88" + bytes(range(256)) * 40
    unit = VideoUnit(0, 0, avcc(b"\x06sei", big), is_idr=True)
    config = VideoConfig((SPS,), (PPS,))
    payloads = build_payloads(unit, config)
    assert max(len(payload) for payload in payloads) <= 1200
    depacketiser = H264Depacketiser()
    nals = [nal for payload in payloads for nal in depacketiser.feed(payload)]
    assert nals == [SPS, PPS, b"\x06sei", big]
    assert split_nals(unit.data) == [b"\x06sei", big]
    cache = PayloadCache()
    assert cache.get(unit, config) is cache.get(unit, None)
