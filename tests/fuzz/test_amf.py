"""AMF0: what we write we read, and any bytes give values or our own error."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import BitstreamError
from streamer.rtmp.amf import AmfLimits, decode_amf0, encode_amf0

LIMITS = AmfLimits(depth_count=8, elements_count=500)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)
MARKERS = st.integers(0, 0x12).map(lambda marker: bytes([marker]))
SOUP = st.lists(st.one_of(MARKERS, st.binary(max_size=6), st.just(b"\x00\x00\x09")), max_size=60)


@given(st.lists(VALUES, max_size=4))
def test_values_read_back(values):
    assert decode_amf0(encode_amf0(*values), AmfLimits(100, 10_000)) == values


@given(st.one_of(st.binary(max_size=300), SOUP.map(b"".join)))
def test_any_bytes_give_values_or_our_error(data):
    try:
        values = decode_amf0(data, LIMITS)
    except BitstreamError:
        return
    assert _depth(values) <= LIMITS.depth_count + 1
    assert decode_amf0(encode_amf0(*values), AmfLimits(100, 10_000)) is not None


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
