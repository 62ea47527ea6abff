"""Parameter sets and NAL units."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from kernel.errors import BitstreamError
from kernel.h264 import (
    build_avcc,
    iter_nals,
    join_nals,
    nal_type,
    parse_avcc,
    parse_sps,
    split_annex_b,
)


def encode_first(width: int, height: int, **options: str) -> bytes:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = options.pop("pix_fmt", "yuv420p")
    encoder.framerate, encoder.time_base = Fraction(30_000, 1001), Fraction(1001, 30_000)
    encoder.options = options
    frame = av.VideoFrame(width, height, encoder.pix_fmt)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def sps_of(stream: bytes) -> bytes:
    return next(nal for nal in split_annex_b(stream) if nal_type(nal) == 7)


@pytest.mark.parametrize(
    ("size", "profile", "prefix"),
    [((320, 180), "baseline", "avc1.42c0"), ((1278, 718), "main", "avc1.4d40"),
     ((642, 362), "high", "avc1.6400")],
)  # fmt: skip
def test_size_and_codec_of_what_an_encoder_writes(size, profile, prefix):
    sps = parse_sps(sps_of(encode_first(*size, profile=profile)))
    assert (sps.width_px, sps.height_px) == size
    assert sps.codec.startswith(prefix)
    assert sps.frame_rate == Fraction(30_000, 1001)


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_other_chroma_formats_and_depths(pix_fmt):
    sps = parse_sps(sps_of(encode_first(322, 182, pix_fmt=pix_fmt)))
    assert (sps.width_px, sps.height_px) == (322, 182)
    assert sps.bit_depth_luma == (10 if "10" in pix_fmt else 8)


def test_interlaced_sizes_count_both_fields():
    sps = parse_sps(sps_of(encode_first(320, 180, flags="+ildct", **{"x264-params": "tff=1"})))
    assert (sps.height_px, sps.is_progressive) == (180, False)


@pytest.mark.parametrize(("b_frames", "expected"), [("0", False), ("2", True)])
def test_b_frames_are_announced(b_frames, expected):
    sps = parse_sps(sps_of(encode_first(320, 180, bf=b_frames)))
    assert sps.may_have_b_frames is expected


def test_avcc_round_trip():
    nals = split_annex_b(encode_first(320, 180, profile="high"))
    sps = [nal for nal in nals if nal_type(nal) == 7]
    pps = [nal for nal in nals if nal_type(nal) == 8]
    config = parse_avcc(build_avcc(sps, pps))
    assert (list(config.sps), list(config.pps), config.length_size_bytes) == (sps, pps, 4)


def test_avcc_without_sets_is_refused():
    with pytest.raises(BitstreamError, match="no SPS"):
        parse_avcc(bytes((1, 66, 0, 30, 0xFF, 0xE0, 0)))


def test_access_units_round_trip():
    nals = [b"\x65abc", b"\x06", b"\x41" + bytes(300)]
    assert list(iter_nals(join_nals(nals))) == nals


def test_a_lying_length_is_refused():
    with pytest.raises(BitstreamError, match="9 bytes"):
        list(iter_nals(b"\0\0\0\x09abc"))


def test_start_codes_of_both_lengths_split():
    assert split_annex_b(b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65d\0\0") == [
        b"\x67ab", b"\x68c", b"\x65d",
    ]  # fmt: skip
