"""FLV tags, avcC, NAL units and AudioSpecificConfig: any bytes give our types or our errors."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import BitstreamError
from streamer.media import AudioUnit, VideoConfig, VideoUnit
from streamer.rtmp.codecs import UnsupportedCodecError
from streamer.rtmp.flv import FlvDemuxer, split_aggregate
from tests.support.rtmp_client import ASC, AVCC, PPS, SPS, aac_tag, avc_tag, lengths

NALS = st.lists(
    st.one_of(
        st.sampled_from([SPS, PPS, b"\x09\xf0", b"\x65idr", b"\x41p", b"", b"\x06\x01"]),
        st.binary(max_size=12),
    ),
    max_size=6,
)
OFFSETS = st.integers(-(1 << 23), (1 << 23) - 1)
GOOD_VIDEO = st.builds(
    lambda kind, nals, offset: avc_tag(kind, lengths(*nals), offset_ms=offset),
    st.sampled_from([0, 1, 1, 1, 2]), NALS, OFFSETS,
)  # fmt: skip
EX_VIDEO = st.builds(
    lambda head, fourcc, rest: bytes([head]) + fourcc + rest,
    st.integers(0x80, 0xFF), st.sampled_from([b"avc1", b"hvc1", b"av01", b"\x00\xff\x80x"]),
    st.binary(max_size=60),
)  # fmt: skip
VIDEO_BODIES = st.one_of(st.just(avc_tag(0, AVCC)), GOOD_VIDEO, EX_VIDEO, st.binary(max_size=80))
AUDIO_BODIES = st.one_of(
    st.just(aac_tag(0, ASC)), st.builds(aac_tag, st.integers(0, 3), st.binary(max_size=60)),
    st.binary(max_size=80),
)  # fmt: skip
TIMES = st.integers(0, 0xFFFFFFFF)


@given(st.lists(st.tuples(st.booleans(), st.data(), TIMES), max_size=12))
def test_any_tags_give_our_types_or_our_errors(tags):
    demuxer = FlvDemuxer()
    has_config = False
    for is_video, data, time in tags:
        body = data.draw(VIDEO_BODIES if is_video else AUDIO_BODIES)
        read = demuxer.read_video if is_video else demuxer.read_audio
        try:
            items = read(body, time)
        except (BitstreamError, UnsupportedCodecError):
            continue
        for item in items:
            has_config = has_config or isinstance(item, VideoConfig)
            if isinstance(item, VideoUnit):
                assert has_config
                assert item.dts <= item.pts
                _check_unit(item)
            elif isinstance(item, AudioUnit):
                assert item.data


def _check_unit(unit: VideoUnit) -> None:
    """Whole NAL units with 4-byte lengths: slices and SEI, at least one slice."""
    kinds = []
    position = 0
    while position < len(unit.data):
        size = int.from_bytes(unit.data[position : position + 4], "big")
        assert size > 0
        kinds.append(unit.data[position + 4] & 0x1F)
        position += 4 + size
    assert position == len(unit.data)
    assert all(1 <= kind <= 6 for kind in kinds)
    assert any(kind != 6 for kind in kinds)
    assert unit.is_idr == (5 in kinds)


@given(st.binary(max_size=200), TIMES)
def test_any_aggregate_is_split_or_refused(body, time):
    try:
        parts = split_aggregate(body, time)
    except BitstreamError:
        return
    assert sum(15 + len(part) for _, _, part in parts) == len(body)
    assert all(0 <= part_time <= 0xFFFFFFFF for _, part_time, _ in parts)
