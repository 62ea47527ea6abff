import struct

import pytest

from kernel.errors import BitstreamError
from streamer.rtmp.amf import AmfLimits, decode_amf0, encode_amf0

LIMITS = AmfLimits(depth_count=4, elements_count=50)


def test_a_connect_command_reads_back():
    values = ["connect", 1.0, {"app": "live", "fpad": False, "codecs": [1.0, "x"], "none": None}]
    assert decode_amf0(encode_amf0(*values), LIMITS) == values


def test_integers_are_written_as_numbers():
    assert decode_amf0(encode_amf0(3, True), LIMITS) == [3.0, True]


def test_long_strings_have_four_byte_lengths():
    text = "é" * 40_000
    assert encode_amf0(text)[0] == 0x0C
    assert decode_amf0(encode_amf0(text), LIMITS) == [text]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x06", None),
        (b"\x0d", None),
        (b"\x0b" + struct.pack(">d", 1e12) + b"\x00\x00", 1e12),
        (b"\x0f\x00\x00\x00\x04<a/>", "<a/>"),
        (b"\x10\x00\x03Foo\x00\x01a\x01\x01\x00\x00\x09", {"a": True}),
        # The count of an ECMA array is a hint: here it lies.
        (b"\x08\xff\xff\xff\xff\x00\x01a\x05\x00\x00\x09", {"a": None}),
        (b"\x02\x00\x02\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_less_common_types(data, value):
    assert decode_amf0(data, LIMITS) == [value]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x00\x01", "8 bytes wanted"),
        (b"\x02\x00\x09abc", "9 bytes wanted"),
        (b"\x03\x00\x01a", "1 bytes wanted"),
        (b"\x07\x00\x01", "type 0x07"),
        (b"\x11", "type 0x11"),
        (b"\x0a\x7f\xff\xff\xff", "claims 2147483647 values"),
        (b"\x0a\x00\x00\x00\x01" * 5 + b"\x05", "deeper than 4"),
        (b"\x05" * 51, "more than 50 values"),
    ],
)
def test_hostile_bytes_are_refused_with_a_sentence(data, sentence):
    with pytest.raises(BitstreamError, match=sentence):
        decode_amf0(data, LIMITS)
