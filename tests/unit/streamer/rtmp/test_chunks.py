import pytest

from kernel.errors import BitstreamError
from streamer.rtmp.chunks import ChunkParser, encode_message
from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.messages import Message, build_chunk_size

VIDEO = 9
AUDIO = 8


def _parser(**limits: int) -> ChunkParser:
    parser = ChunkParser(RtmpLimits(**limits))
    parser.media_bytes_max = 1 << 20
    return parser


def _type0(csid: int, time: int, body: bytes, *, kind: int = AUDIO, stream: int = 1) -> bytes:
    head = bytes([csid]) + time.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind])
    return head + stream.to_bytes(4, "little") + body


def _type1(csid: int, delta: int, body: bytes, *, kind: int = AUDIO) -> bytes:
    head = bytes([0x40 | csid]) + delta.to_bytes(3, "big") + len(body).to_bytes(3, "big")
    return head + bytes([kind]) + body


def _type2(csid: int, delta: int, body: bytes) -> bytes:
    return bytes([0x80 | csid]) + delta.to_bytes(3, "big") + body


def _type3(csid: int, body: bytes) -> bytes:
    return bytes([0xC0 | csid]) + body


def _times(parser: ChunkParser, data: bytes) -> list[int]:
    return [message.time_ms for message in parser.feed(data)]


def test_the_four_header_types_say_less_and_less():
    data = (
        _type0(4, 1000, b"ab") + _type1(4, 20, b"cde") + _type2(4, 30, b"fgh") + _type3(4, b"ijk")
    )
    assert list(_parser().feed(data)) == [
        Message(AUDIO, 1, 1000, b"ab"),
        Message(AUDIO, 1, 1020, b"cde"),
        Message(AUDIO, 1, 1050, b"fgh"),
        Message(AUDIO, 1, 1080, b"ijk"),
    ]


def test_type_3_after_type_0_repeats_the_time_stamp_as_delta():
    # RTMP 1.0 §5.3.1.2.4, and what FFmpeg sends for constant-size audio.
    assert _times(_parser(), _type0(4, 23, b"ab") + _type3(4, b"cd")) == [23, 46]


def test_a_message_longer_than_a_chunk_is_joined():
    body = bytes(range(256)) + bytes(10)
    data = _type0(4, 5, body[:128])
    data = data[:4] + len(body).to_bytes(3, "big") + data[7:]
    data += _type3(4, body[128:256]) + _type3(4, body[256:])
    assert list(_parser().feed(data)) == [Message(AUDIO, 1, 5, body)]


@pytest.mark.parametrize("csid", [2, 63, 64, 319, 320, 65_599])
def test_chunk_stream_ids_of_one_two_and_three_bytes(csid):
    header = _type0(3, 7, b"x")
    if csid < 64:
        basic = bytes([csid])
    elif csid < 320:
        basic = bytes([0, csid - 64])
    else:
        basic = b"\x01" + (csid - 64).to_bytes(2, "little")
    assert list(_parser().feed(basic + header[1:])) == [Message(AUDIO, 1, 7, b"x")]


def test_interleaved_chunk_streams_finish_in_their_own_order():
    long = b"v" * 200
    start = _type0(6, 40, long[:128], kind=VIDEO)
    start = start[:4] + (200).to_bytes(3, "big") + start[7:]
    data = start + _type0(4, 41, b"sound") + _type3(6, long[128:])
    assert [message.type_id for message in _parser().feed(data)] == [AUDIO, VIDEO]


@pytest.mark.parametrize("is_repeated", [True, False])
def test_extended_time_stamps_with_and_without_repetition(is_repeated):
    # §5.3.1.3 repeats it in type 3 chunks; old librtmp does not.
    time, body = 0x01020304, b"w" * 300
    extended = time.to_bytes(4, "big")
    head = b"\x04\xff\xff\xff" + (300).to_bytes(3, "big") + b"\x08" + b"\x01\x00\x00\x00" + extended
    again = b"\xc4" + (extended if is_repeated else b"")
    data = head + body[:128] + again + body[128:256] + again + body[256:]
    data += _type0(5, 9, b"next")
    assert list(_parser().feed(data)) == [
        Message(AUDIO, 1, time, body),
        Message(AUDIO, 1, 9, b"next"),
    ]


def test_a_time_stamp_wraps_at_32_bits():
    head = b"\x04\xff\xff\xff" + (1).to_bytes(3, "big") + b"\x08" + b"\x01\x00\x00\x00"
    data = head + b"\xff\xff\xff\xf0" + b"a" + _type1(4, 0x20, b"b")
    assert _times(_parser(), data) == [0xFFFFFFF0, 0x10]


def test_set_chunk_size_counts_from_the_next_chunk():
    body = b"z" * 300
    data = encode_message(build_chunk_size(300), csid=2, chunk_bytes=128) + _type0(4, 0, body)
    assert list(_parser().feed(data)) == [Message(AUDIO, 1, 0, body)]


def test_abort_discards_the_unfinished_message():
    start = _type0(6, 40, b"v" * 128, kind=VIDEO)
    start = start[:4] + (200).to_bytes(3, "big") + start[7:]
    abort = _type0(2, 0, (6).to_bytes(4, "big"), kind=2, stream=0)
    data = start + abort + _type0(6, 80, b"fresh", kind=VIDEO)
    assert list(_parser().feed(data)) == [Message(VIDEO, 1, 80, b"fresh")]


def test_a_chunk_stream_may_begin_with_type_1_as_librtmp_does():
    assert _times(_parser(), _type1(2, 0, b"\x00\x03\x00\x00\x00\x00", kind=4)) == [0]


def test_an_empty_message_is_a_message():
    assert list(_parser().feed(_type0(4, 3, b""))) == [Message(AUDIO, 1, 3, b"")]


@pytest.mark.parametrize("fmt", [2, 3])
def test_a_chunk_stream_cannot_begin_with_less(fmt):
    with pytest.raises(BitstreamError, match="begins with a header"):
        list(_parser().feed(bytes([fmt << 6 | 5]) + bytes(20)))


def test_a_new_message_within_another_is_refused():
    start = _type0(6, 40, b"v" * 128, kind=VIDEO)
    start = start[:4] + (200).to_bytes(3, "big") + start[7:]
    with pytest.raises(BitstreamError, match="within another"):
        list(_parser().feed(start + _type0(6, 80, b"x", kind=VIDEO)))


@pytest.mark.parametrize(
    ("kind", "length"), [(VIDEO, (1 << 20) + 1), (AUDIO, 256 * 1024 + 1), (20, 65_537), (1, 65)]
)
def test_a_lying_length_is_refused_before_a_byte_of_body(kind, length):
    head = _type0(4, 0, b"", kind=kind)
    with pytest.raises(BitstreamError, match=f"claims {length} bytes"):
        list(_parser().feed(head[:4] + length.to_bytes(3, "big") + head[7:]))


@pytest.mark.parametrize("size", [0, 127, 1024 * 1024 + 1, 0xFFFFFFFF])
def test_a_chunk_size_out_of_bounds_is_refused(size):
    with pytest.raises(BitstreamError, match=f"chunk size of {size} bytes"):
        list(_parser().feed(encode_message(build_chunk_size(size), csid=2, chunk_bytes=128)))


def test_more_chunk_streams_than_allowed_are_refused():
    parser = _parser(chunk_streams_count=2)
    list(parser.feed(_type0(4, 0, b"a") + _type0(5, 0, b"a")))
    with pytest.raises(BitstreamError, match="more than 2 chunk streams"):
        list(parser.feed(_type0(6, 0, b"a")))


def test_unfinished_messages_together_are_bounded():
    parser = _parser(buffered_bytes=300)
    starts = [_type0(csid, 0, b"v" * 128, kind=VIDEO) for csid in (4, 5, 6)]
    data = b"".join(start[:4] + (500).to_bytes(3, "big") + start[7:] for start in starts)
    with pytest.raises(BitstreamError, match="hold more than 300"):
        list(parser.feed(data))


def test_finished_messages_do_not_count_as_buffered():
    parser = _parser(buffered_bytes=300)
    for time in range(50):
        assert _times(parser, _type0(4, time, b"v" * 100)) == [time]


@pytest.mark.parametrize("time", [0, 0xFFFFFE, 0xFFFFFF, 0xFFFFFFFF])
def test_what_we_write_we_can_read(time):
    message = Message(20, 3, time, bytes(range(200)) * 3)
    assert list(_parser().feed(encode_message(message, csid=5, chunk_bytes=128))) == [message]


def test_a_truncated_control_message_is_refused():
    with pytest.raises(BitstreamError, match="shorter than 4"):
        list(_parser().feed(_type0(2, 0, b"\x00", kind=1, stream=0)))
