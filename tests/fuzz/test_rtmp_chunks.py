"""Any bytes, cut anywhere: the same messages, or our own error."""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from kernel.errors import BitstreamError
from streamer.media import AudioUnit, VideoUnit
from streamer.ports import EndReason
from streamer.rtmp.chunks import ChunkParser, encode_message
from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.messages import Message, build_chunk_size
from streamer.rtmp.session import RtmpSession
from tests.support import rtmp_client as wire

LIMITS = RtmpLimits(
    message_bytes=5000, audio_bytes=2000, command_bytes=1000, buffered_bytes=6000,
    chunk_streams_count=8,
)  # fmt: skip

CUTS = st.lists(st.integers(0, 2000), max_size=20)
CSIDS = st.integers(2, 8)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Mostly valid chunks, with some bytes spoilt."""
    out = bytearray()
    chunk_bytes = 128
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.integers(0, 5)) == 0:
            size = draw(st.integers(128, 2000))
            out += encode_message(build_chunk_size(size), csid=2, chunk_bytes=chunk_bytes)
            chunk_bytes = size
        message = Message(
            draw(st.sampled_from([1, 2, 3, 4, 5, 8, 9, 18, 20, 22, 99])),
            draw(st.integers(0, 2)),
            draw(st.one_of(st.integers(0, 5000), st.integers(0xFFFFF0, 0xFFFFFFFF))),
            draw(st.binary(max_size=40)) * draw(st.integers(0, 12)),
        )
        out += encode_message(message, csid=draw(CSIDS), chunk_bytes=chunk_bytes)
    for position, value in draw(
        st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=2)
    ):
        if position < len(out):
            out[position] = value
    return bytes(out)


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[first:last] for first, last in itertools.pairwise(edges)]


def _parse(pieces: list[bytes]) -> tuple[list[Message], str | None]:
    parser = ChunkParser(LIMITS)
    parser.media_bytes_max = LIMITS.message_bytes
    found: list[Message] = []
    try:
        for piece in pieces:
            found.extend(parser.feed(memoryview(piece)))
    except BitstreamError as error:
        return found, str(error)
    return found, None


@given(st.one_of(messages(), st.binary(max_size=600)), CUTS)
@example(
    b"\x04\xff\xff\xff\x00\x00\x81\x08\x00\x00\x00\x00\x01\x00\x00\x00" + b"x" * 128 + b"\xc4y",
    [145],
)
def test_splits_never_change_what_is_read(data, cuts):
    whole, whole_error = _parse([data])
    assert _parse(_cut(data, cuts)) == (whole, whole_error)
    assert _parse([bytes([byte]) for byte in data]) == (whole, whole_error)


@given(messages())
def test_what_is_buffered_stays_within_the_limit(data):
    parser = ChunkParser(LIMITS)
    parser.media_bytes_max = LIMITS.message_bytes
    try:
        for start in range(0, len(data), 50):
            list(parser.feed(data[start : start + 50]))
            held = sum(len(stream.payload) for stream in parser._streams.values())
            assert held == parser._buffered <= LIMITS.buffered_bytes
            assert len(parser._head) <= 18
    except BitstreamError:
        assert sum(len(s.payload) for s in parser._streams.values()) <= LIMITS.buffered_bytes


class _Owner:
    def __init__(self) -> None:
        self.is_asked = False
        self.is_admitted = False

    def on_publish(self, key: str) -> None:
        self.is_asked = bool(key)

    def on_media(self, item: object) -> None:
        assert self.is_admitted
        if isinstance(item, VideoUnit | AudioUnit):
            assert item.data

    def on_dropped(self, count: int) -> None:
        assert count > 0


FRAGMENTS = st.sampled_from(
    [
        wire.connect(), wire.opening(), wire.publish(), wire.configurations(), wire.opening("bad"),
        wire.video(wire.avc_tag(1, wire.lengths(b"\x65idr"))), wire.audio(wire.aac_tag(1, b"a")),
        wire.command("deleteStream", 3.0, None), wire.command("play", 3.0, None, "x"),
        wire.media(4, b"\x00\x06\x00\x00\x00\x00", 0, csid=2), wire.command("x", float("nan")),
    ]
)  # fmt: skip


@given(st.lists(st.one_of(FRAGMENTS, messages(), st.binary(max_size=80)), max_size=12), CUTS)
def test_a_session_survives_any_peer(fragments, cuts):
    owner = _Owner()
    session = RtmpSession(owner, LIMITS, random_bytes=bytes(1528), now_s=0.0)
    session.receive(memoryview(wire.C0_C1 + wire.C2), 0.0)
    answers = wire.Answers()
    session.take_output()
    for number, piece in enumerate(_cut(b"".join(fragments), cuts)):
        session.receive(memoryview(piece), float(number))
        if owner.is_asked and not owner.is_admitted:
            owner.is_admitted = True
            session.admit(float(number))
        answers.feed(session.take_output())  # What we send must itself be readable.
        session.check_deadline(float(number))
    assert isinstance(answers.codes, list)
    session.evict(EndReason.SHUTDOWN)
    assert session.end is not None


@given(st.binary(max_size=4000))
def test_garbage_instead_of_a_handshake_is_an_end_or_patience(data):
    session = RtmpSession(_Owner(), LIMITS, random_bytes=bytes(1528), now_s=0.0)
    session.receive(memoryview(data), 0.0)
    assert len(session.take_output()) in {0, 3073}
    session.check_deadline(LIMITS.handshake_s + LIMITS.publish_s)
    assert session.end is not None
