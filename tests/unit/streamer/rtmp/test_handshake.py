import pytest

from kernel.errors import BitstreamError
from streamer.rtmp.handshake import ServerHandshake
from tests.support.rtmp_client import C0_C1, C2


def _new() -> ServerHandshake:
    return ServerHandshake(b"r" * 1528)


def test_s2_echoes_c1_and_s1_says_version_zero():
    # RTMP 1.0 §5.2.4: S2 MUST echo C1; a zero version keeps digest clients on the plain path.
    answer, rest = _new().receive(C0_C1)
    assert answer[0] == 3
    assert answer[5:9] == bytes(4)
    assert answer[1537:] == C0_C1[1:]
    assert (len(answer), rest) == (3073, b"")


def test_bytes_after_c2_are_handed_on():
    handshake = _new()
    handshake.receive(C0_C1)
    assert handshake.receive(C2[:-1]) == (b"", b"")
    assert not handshake.is_done
    assert handshake.receive(C2[-1:] + b"next") == (b"", b"next")
    assert handshake.is_done


def test_everything_at_once_is_one_answer():
    handshake = _new()
    answer, rest = handshake.receive(C0_C1 + C2 + b"x")
    assert (len(answer), rest, handshake.is_done) == (3073, b"x", True)


def test_one_byte_at_a_time_gives_the_same_answer():
    handshake = _new()
    pieces = [handshake.receive(bytes([byte])) for byte in C0_C1 + C2]
    assert b"".join(answer for answer, _ in pieces) == _new().receive(C0_C1)[0]
    assert handshake.is_done


@pytest.mark.parametrize(
    ("first", "sentence"), [(b"GET / HTTP/1.1", "does not speak RTMP"), (b"\x06", "version 6")]
)
def test_another_protocol_is_refused_at_its_first_byte(first, sentence):
    with pytest.raises(BitstreamError, match=sentence):
        _new().receive(first)


def test_an_empty_read_changes_nothing():
    assert _new().receive(b"") == (b"", b"")
