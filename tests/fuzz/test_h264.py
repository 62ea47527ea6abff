"""Any bytes: a value or our error, and what is accepted can be described again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import BitstreamError
from kernel.h264 import build_avcc, iter_nals, parse_avcc, parse_sps, split_annex_b

SPS = bytes.fromhex("6742c01eda0280bfe584000003000400000300c83c58ba80")
PPS = bytes.fromhex("68ce0fc8")


@st.composite
def mutations(draw: st.DrawFn, seed: bytes) -> bytes:
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))])


@given(st.binary(max_size=200).map(lambda tail: b"\x67" + tail) | mutations(SPS))
def test_parse_sps_is_total(data):
    try:
        sps = parse_sps(data)
    except BitstreamError:
        return
    assert 0 < sps.width_px <= 16_384
    assert len(sps.codec) == 11
    assert build_avcc([data], [PPS])[0] == 1


@given(st.binary(max_size=300) | mutations(build_avcc([SPS], [PPS])))
def test_parse_avcc_is_total(data):
    try:
        config = parse_avcc(data)
    except BitstreamError:
        return
    assert config.sps


@given(st.binary(max_size=300), st.sampled_from([1, 2, 4]))
def test_iter_nals_is_total(data, length_size):
    try:
        nals = list(iter_nals(data, length_size_bytes=length_size))
    except BitstreamError:
        return
    assert sum(map(len, nals)) <= len(data)


@given(st.binary(max_size=300))
def test_split_annex_b_is_total(data):
    assert sum(map(len, split_annex_b(data))) <= len(data)
