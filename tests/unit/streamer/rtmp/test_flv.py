import pytest

from kernel.errors import BitstreamError
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.rtmp.codecs import UnsupportedCodecError
from streamer.rtmp.flv import FlvDemuxer, split_aggregate
from tests.support.rtmp_client import ASC, AVCC, PPS, SPS, aac_tag, avc_tag, lengths

IDR, SLICE = lengths(b"\x65idr"), lengths(b"\x41slice")
VIDEO_CONFIG = VideoConfig(sps=(SPS,), pps=(PPS,))
AUDIO_CONFIG = AudioConfig(asc=ASC, sample_rate_hz=44_100, channels_count=2)


def _ready() -> FlvDemuxer:
    demuxer = FlvDemuxer()
    assert demuxer.read_video(avc_tag(0, AVCC), 0) == [VIDEO_CONFIG]
    assert demuxer.read_audio(aac_tag(0, ASC), 0) == [AUDIO_CONFIG]
    return demuxer


def test_milliseconds_become_ticks_of_90_khz():
    demuxer = _ready()
    assert demuxer.read_video(avc_tag(1, IDR, offset_ms=80), 40) == [
        VideoUnit(pts=10_800, dts=3600, data=IDR, is_idr=True)
    ]
    assert demuxer.read_audio(aac_tag(1, b"frame"), 23) == [AudioUnit(pts=2070, data=b"frame")]


@pytest.mark.parametrize("wrap", [1 << 31, 1 << 32])
def test_both_tracks_share_one_clock_across_a_wrap(wrap):
    demuxer = _ready()
    for time in range(0, wrap, 1 << 29):
        demuxer.read_audio(aac_tag(1, b"a"), time)
    demuxer.read_audio(aac_tag(1, b"a"), wrap - 10)
    [video] = demuxer.read_video(avc_tag(1, SLICE), (wrap + 30) % wrap)
    [audio] = demuxer.read_audio(aac_tag(1, b"a"), wrap - 5)
    assert video.pts == (wrap + 30) * 90
    assert audio.pts == (wrap - 5) * 90


def test_negative_composition_times_move_decoding_ahead_once():
    demuxer = _ready()
    units = [
        demuxer.read_video(avc_tag(1, SLICE, offset_ms=offset), time)[0]
        for time, offset in [(0, 0), (40, -40), (80, 40), (120, 0)]
    ]
    assert [unit.pts // 90 for unit in units] == [0, 0, 120, 120]
    assert [unit.dts // 90 for unit in units] == [0, 0, 40, 80]
    assert all(unit.dts <= unit.pts for unit in units)


def test_repeated_headers_say_nothing_and_changed_ones_do():
    demuxer = _ready()
    assert demuxer.read_video(avc_tag(0, AVCC), 50) == []
    assert demuxer.read_audio(aac_tag(0, ASC), 50) == []
    [changed] = demuxer.read_audio(aac_tag(0, b"\x11\x88"), 60)
    assert (changed.sample_rate_hz, changed.channels_count) == (48_000, 1)


def test_a_configuration_in_the_stream_comes_before_its_unit():
    demuxer = _ready()
    sps = SPS[:3] + b"\x1f" + SPS[4:]
    items = demuxer.read_video(avc_tag(1, lengths(sps, PPS, b"\x65idr")), 40)
    assert items == [
        VideoConfig(sps=(sps,), pps=(PPS,)),
        VideoUnit(pts=3600, dts=3600, data=IDR, is_idr=True),
    ]


def test_units_before_their_configuration_are_dropped_and_counted():
    demuxer = FlvDemuxer()
    assert demuxer.read_video(avc_tag(1, IDR), 0) == []
    assert demuxer.read_audio(aac_tag(1, b"frame"), 0) == []
    assert demuxer.dropped_count == 2


@pytest.mark.parametrize("body", [b"", b"\x57\x00", avc_tag(2, b""), avc_tag(1, b""), b"\x57"])
def test_tags_without_a_picture_give_nothing(body):
    demuxer = _ready()
    assert demuxer.read_video(body, 10) == []
    assert demuxer.dropped_count == 0


@pytest.mark.parametrize("body", [b"", aac_tag(1, b""), aac_tag(2, b"x")])
def test_tags_without_sound_give_nothing(body):
    assert _ready().read_audio(body, 10) == []


@pytest.mark.parametrize(
    ("first", "sentence"),
    [(0x12, "Sorenson"), (0x14, "VP6"), (0x1C, "HEVC"), (0x1D, "AV1"), (0x1F, "codec 15")],
)
def test_other_video_codecs_are_refused_by_name(first, sentence):
    with pytest.raises(UnsupportedCodecError, match=f"{sentence}.*not supported.*H.264"):
        FlvDemuxer().read_video(bytes([first]) + bytes(10), 0)


@pytest.mark.parametrize(
    ("first", "sentence"), [(0x2F, "MP3"), (0xB2, "Speex"), (0xC0, "codec 12")]
)
def test_other_audio_codecs_are_refused_by_name(first, sentence):
    with pytest.raises(UnsupportedCodecError, match=f"{sentence}.*not supported.*AAC-LC"):
        FlvDemuxer().read_audio(bytes([first]) + bytes(10), 0)


# -- Enhanced RTMP --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fourcc", "name"), [(b"hvc1", "HEVC"), (b"av01", "AV1"), (b"vp09", "VP9"), (b"vvc1", "VVC")]
)
def test_enhanced_video_codecs_are_refused_by_name(fourcc, name):
    with pytest.raises(UnsupportedCodecError, match=f"{name} is not supported.*H.264"):
        FlvDemuxer().read_video(b"\x90" + fourcc + bytes(20), 0)


def test_enhanced_avc1_is_read_like_plain_avc():
    demuxer = FlvDemuxer()
    assert demuxer.read_video(b"\x90avc1" + AVCC, 0) == [VIDEO_CONFIG]
    [coded] = demuxer.read_video(b"\x91avc1\x00\x00\x28" + IDR, 40)
    [coded_x] = demuxer.read_video(b"\xa3avc1" + SLICE, 80)
    assert (coded.pts, coded.dts, coded.is_idr) == (7200, 3600, True)
    assert (coded_x.pts, coded_x.dts, coded_x.is_idr) == (7200, 7200, False)
    assert demuxer.read_video(b"\x92avc1", 90) == []
    assert demuxer.read_video(b"\x94avc1" + b"metadata", 90) == []


def test_modifiers_before_a_frame_are_skipped():
    demuxer = FlvDemuxer()
    nanoseconds = b"\x97\x02\x01\x02\x03\x00"
    assert demuxer.read_video(nanoseconds + b"avc1" + AVCC, 0) == [VIDEO_CONFIG]
    with pytest.raises(BitstreamError, match="modifiers"):
        demuxer.read_video(b"\x97" + b"\x00\x00\x07" * 20, 0)


def test_multitrack_is_refused():
    with pytest.raises(UnsupportedCodecError, match="multitrack"):
        FlvDemuxer().read_video(b"\x96\x00avc1", 0)
    with pytest.raises(UnsupportedCodecError, match="multitrack"):
        FlvDemuxer().read_audio(b"\x95\x00mp4a", 0)


def test_enhanced_mp4a_is_read_and_opus_refused():
    demuxer = FlvDemuxer()
    assert demuxer.read_audio(b"\x90mp4a" + ASC, 0) == [AUDIO_CONFIG]
    assert demuxer.read_audio(b"\x91mp4aframe", 10) == [AudioUnit(pts=900, data=b"frame")]
    assert demuxer.read_audio(b"\x94mp4a\x01\x02", 10) == []
    with pytest.raises(UnsupportedCodecError, match="Opus"):
        demuxer.read_audio(b"\x90OpusHead", 20)


@pytest.mark.parametrize(
    "body", [b"\x17", b"\x17\x01\x00", b"\x90hv", avc_tag(0, b"\x01"), avc_tag(1, b"\xff" * 9)]
)
def test_truncated_video_tags_are_our_error(body):
    with pytest.raises(BitstreamError):
        _ready().read_video(body, 0)


def test_an_aac_frame_of_impossible_size_is_our_error():
    with pytest.raises(BitstreamError, match="9000 bytes"):
        _ready().read_audio(aac_tag(1, bytes(9000)), 0)


def test_an_aggregate_message_is_split_with_its_own_time():
    def part(kind: int, time: int, body: bytes) -> bytes:
        head = bytes([kind]) + len(body).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big")
        return head + bytes([time >> 24, 0, 0, 0]) + body + (11 + len(body)).to_bytes(4, "big")

    body = part(8, 0x01000000, b"one") + part(9, 0x01000028, b"two")
    assert split_aggregate(body, 500) == [(8, 500, b"one"), (9, 540, b"two")]
    with pytest.raises(BitstreamError):
        split_aggregate(body[:-1], 0)
    with pytest.raises(BitstreamError, match="more than 1024"):
        split_aggregate(part(8, 0, b"") * 1100, 0)
