"""The session, driven by bytes and a hand-held clock."""

import itertools

import pytest

from kernel.errors import CapacityError, ConflictError, NotAllowedError
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.ports import EndReason
from streamer.rtmp.flv import MediaItem
from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.messages import Message, MessageType
from streamer.rtmp.session import _NEXT, Phase, RtmpSession, extract_key
from tests.support import rtmp_client as wire

LIMITS = RtmpLimits()
IDR = wire.lengths(b"\x65idr")


class Peer:
    """Plays the shell and the owner."""

    def __init__(self, limits: RtmpLimits = LIMITS) -> None:
        self.keys: list[str] = []
        self.items: list[MediaItem] = []
        self.dropped = 0
        self.answers = wire.Answers()
        self.session = RtmpSession(self, limits, random_bytes=bytes(1528), now_s=0.0)

    def on_publish(self, key: str) -> None:
        self.keys.append(key)

    def on_media(self, item: MediaItem) -> None:
        self.items.append(item)

    def on_dropped(self, count: int) -> None:
        self.dropped += count

    def send(self, data: bytes, now_s: float = 1.0) -> None:
        self.session.receive(memoryview(data), now_s)
        self.read()

    def read(self) -> None:
        self.answers.feed(self.session.take_output())

    def shake_hands(self) -> None:
        self.session.receive(memoryview(wire.C0_C1 + wire.C2), 0.0)
        assert len(self.session.take_output()) == 3073

    def admit(self, now_s: float = 1.0) -> None:
        self.session.admit(now_s)
        self.read()


def _connected(limits: RtmpLimits = LIMITS) -> Peer:
    peer = Peer(limits)
    peer.shake_hands()
    return peer


def _publishing(limits: RtmpLimits = LIMITS) -> Peer:
    peer = _connected(limits)
    peer.send(wire.opening())
    peer.admit()
    assert peer.session.phase is Phase.PUBLISHING
    return peer


def test_an_encoder_gets_every_answer_it_waits_for():
    peer = _publishing()
    names = [(values[0], values[1]) for values in peer.answers.commands]
    assert names == [
        ("_result", 1.0), ("_result", 2.0), ("_result", 3.0), ("onFCPublish", 0.0),
        ("_result", 4.0), ("onStatus", 0.0),
    ]  # fmt: skip
    assert peer.answers.commands[4][3] == 1.0
    assert peer.answers.codes == [
        "NetConnection.Connect.Success", "NetStream.Publish.Start", "NetStream.Publish.Start",
    ]  # fmt: skip
    kinds = [message.type_id for message in peer.answers.messages]
    assert kinds[:2] == [MessageType.WINDOW_ACK_SIZE, MessageType.SET_PEER_BANDWIDTH]
    assert peer.session.encoder == "test/1"


def test_media_arrives_in_order_after_admission():
    peer = _publishing()
    peer.send(wire.configurations() + wire.video(wire.avc_tag(1, IDR), 40))
    peer.send(wire.audio(wire.aac_tag(1, b"frame"), 46))
    assert [type(item) for item in peer.items] == [VideoConfig, AudioConfig, VideoUnit, AudioUnit]


def test_media_sent_before_the_answer_is_held_until_admission():
    peer = _connected()
    peer.send(wire.opening() + wire.configurations() + wire.video(wire.avc_tag(1, IDR), 40))
    assert (peer.keys, peer.items) == (["good-key"], [])
    peer.admit()
    assert len(peer.items) == 3


def test_media_held_for_a_refused_key_is_never_read():
    peer = _connected()
    peer.send(wire.opening("bad") + wire.configurations())
    peer.session.refuse(NotAllowedError("This stream key is not valid."))
    peer.read()
    assert peer.items == []
    assert peer.answers.codes[-1] == "NetStream.Publish.Denied"
    assert peer.answers.describe("NetStream.Publish.Denied") == "This stream key is not valid."
    assert peer.session.end is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotAllowedError("x"), "NetStream.Publish.Denied"),
        (ConflictError("x"), "NetStream.Publish.BadName"),
        (CapacityError("x"), "NetStream.Publish.Rejected"),
    ],
)
def test_a_refusal_has_the_code_encoders_know(error, code):
    peer = _connected()
    peer.send(wire.opening())
    peer.session.refuse(error)
    peer.read()
    assert peer.answers.codes[-1] == code


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (b"", "media came before"),
        (wire.connect(), "media came before"),
        (wire.connect() + wire.command("createStream", 2.0, None), "media came before"),
    ],
)
def test_media_before_publish_ends_the_session(before, sentence):
    peer = _connected()
    peer.send(before + wire.video(wire.avc_tag(0, wire.AVCC)))
    assert sentence in peer.session.end.detail
    assert peer.items == []


def test_a_large_message_before_publish_is_refused_by_its_length():
    peer = _connected()
    head = b"\x06\x00\x00\x00" + (100_000).to_bytes(3, "big") + b"\x09\x01\x00\x00\x00"
    peer.send(wire.connect() + head)
    assert "claims 100000 bytes" in peer.session.end.detail


@pytest.mark.parametrize(
    ("app", "name", "key"),
    [
        ("live", "abc-123", "abc-123"),
        ("live", "abc-123?user=x&pass=y", "abc-123"),
        ("live/", "abc-123/", "abc-123"),
        ("live?a=b", "abc", "abc"),
        ("live/abc-123", "", "abc-123"),
        ("live/abc-123?x=y", "?z", "abc-123"),
        ("live", "", ""),
    ],
)
def test_the_stream_key_is_the_name_without_its_query(app, name, key):
    assert extract_key(app, name) == key


@pytest.mark.parametrize("name", ["", "k" * 257])
def test_a_missing_or_giant_key_is_refused_without_asking(name):
    peer = _connected()
    peer.send(wire.opening(name))
    assert peer.keys == []
    assert peer.answers.codes[-1] == "NetStream.Publish.BadName"


@pytest.mark.parametrize("app", ["vod", "", "livestream", "/other/live"])
def test_another_application_is_refused(app):
    peer = _connected()
    peer.send(wire.connect(app))
    assert peer.answers.codes == ["NetConnection.Connect.Rejected"]
    assert peer.session.end is not None


def test_enhanced_clients_learn_what_is_accepted():
    peer = _connected()
    peer.send(wire.connect(fourCcList=["hvc1", "avc1"]))
    assert peer.answers.commands[0][2]["fourCcList"] == ["avc1", "mp4a"]


def test_playing_is_refused_with_a_sentence():
    peer = _connected()
    peer.send(wire.connect() + wire.command("play", 2.0, None, "good-key"))
    assert "HTTP" in peer.answers.describe("NetStream.Play.Failed")
    assert peer.session.end is not None


def test_hevc_is_refused_with_a_sentence_and_ends():
    peer = _publishing()
    peer.send(wire.video(b"\x90hvc1" + bytes(30)))
    assert "HEVC is not supported" in peer.answers.describe("NetStream.Publish.Rejected")
    assert "HEVC" in peer.session.end.detail


def test_commands_wrapped_in_amf3_are_understood():
    peer = _connected()
    peer.send(wire.command("connect", 1.0, {"app": "live"}, kind=MessageType.COMMAND_AMF3))
    assert peer.answers.codes == ["NetConnection.Connect.Success"]


def test_unknown_calls_are_answered_with_an_error():
    peer = _connected()
    peer.send(wire.connect() + wire.command("getStreamLength", 7.0, None, "x"))
    assert peer.answers.commands[-1][:2] == ["_error", 7.0]
    assert peer.session.end is None


def test_a_ping_is_answered_with_its_time():
    peer = _connected()
    peer.send(wire.media(MessageType.USER_CONTROL, b"\x00\x06\x01\x02\x03\x04", 0, csid=2))
    assert peer.answers.messages == [
        Message(MessageType.USER_CONTROL, 0, 0, b"\x00\x07\x01\x02\x03\x04")
    ]


@pytest.mark.parametrize("name", ["deleteStream", "closeStream"])
def test_the_publisher_may_end_politely(name):
    peer = _publishing()
    peer.send(wire.command("FCUnpublish", 6.0, None, "good-key"))
    assert peer.session.end is None
    peer.send(wire.command(name, 7.0, None, 1.0))
    assert peer.session.end.reason is EndReason.CLOSED_BY_PUBLISHER
    assert peer.answers.codes[-2:] == ["NetStream.Unpublish.Success"] * 2


def test_eviction_is_told_in_words():
    peer = _publishing()
    peer.session.evict(EndReason.TAKEN_OVER)
    peer.session.evict(EndReason.CLASS_ENDED)
    peer.read()
    assert peer.answers.codes[-2:] == ["NetStream.Unpublish.Success", "NetStream.Publish.Rejected"]
    assert "newer connection" in peer.answers.describe("NetStream.Publish.Rejected")
    assert peer.session.end.reason is EndReason.TAKEN_OVER


def test_received_bytes_are_acknowledged_within_the_window():
    peer = _publishing()
    window = (100_000).to_bytes(4, "big")
    peer.send(wire.media(MessageType.WINDOW_ACK_SIZE, window, 0, csid=2) + wire.configurations())
    frame = wire.lengths(b"\x65" + bytes(30_000))
    for index in range(10):
        peer.send(wire.video(wire.avc_tag(1, frame), 40 * index))
    sent = [
        int.from_bytes(message.payload, "big")
        for message in peer.answers.messages
        if message.type_id == MessageType.ACKNOWLEDGEMENT
    ]
    assert len(sent) >= 5
    assert all(later - earlier <= 100_000 for earlier, later in itertools.pairwise([0, *sent]))
    assert sent[-1] <= peer.session.received_bytes


def test_broken_frames_are_dropped_until_there_are_too_many():
    limits = RtmpLimits(bad_tags_count=3)
    peer = _publishing(limits)
    peer.send(wire.configurations())
    broken = wire.avc_tag(1, b"\xff\xff\xff\xff\x65")
    for index in range(3):
        peer.send(wire.video(broken, 40 * index))
    peer.send(wire.video(wire.avc_tag(1, IDR), 120))
    assert peer.session.end is None
    assert peer.dropped == 3
    assert isinstance(peer.items[-1], VideoUnit)
    peer.send(wire.video(broken, 160))
    assert "too many broken tags" in peer.session.end.detail


@pytest.mark.parametrize(
    "idle",
    [
        wire.audio(b""),
        wire.media(4, b"\x00\x06\x00\x00\x00\x00", 0, csid=2),
        wire.media(3, bytes(4), 0, csid=2),
        wire.media(99, b"?", 0),
        wire.media(18, b"\x05", 0),
    ],
)
def test_idle_messages_from_strangers_are_limited_and_from_publishers_not(idle):
    peer = _connected(RtmpLimits(idle_messages_count=5))
    peer.send(idle * 6)
    assert "messages before publishing" in peer.session.end.detail
    publisher = _publishing(RtmpLimits(idle_messages_count=5))
    publisher.send(idle * 50)
    assert publisher.session.end is None


def test_a_flood_of_tiny_messages_ends_even_a_publisher():
    peer = _publishing()
    peer.send(wire.audio(b"") + b"\xc4" * 4095)
    assert peer.session.end is None
    peer.send(wire.audio(b"") + b"\xc4" * 4096)
    assert "more than 4096 messages" in peer.session.end.detail


def test_too_many_commands_end_the_session():
    peer = _connected(RtmpLimits(commands_count=5))
    peer.send(wire.command("_checkbw", 2.0, None) * 6)
    assert "more than 5 commands" in peer.session.end.detail


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (wire.publish(), "before connect"),
        (wire.connect() * 2, "second connect"),
        (wire.connect() + wire.publish() + wire.publish(), None),
        (wire.media(MessageType.COMMAND_AMF0, b"\x05", 0), "no name"),
    ],
)
def test_commands_out_of_order(data, sentence):
    peer = _connected()
    peer.send(data)
    if sentence is None:
        peer.admit()
        sentence = "second publish"
    assert sentence in peer.session.end.detail


# -- Deadlines ------------------------------------------------------------------------------------


def test_a_silent_peer_is_dropped_after_the_handshake_deadline():
    peer = Peer()
    assert peer.session.deadline_s == LIMITS.handshake_s
    peer.session.check_deadline(LIMITS.handshake_s - 0.1)
    assert peer.session.end is None
    peer.session.check_deadline(LIMITS.handshake_s)
    assert "too slow in handshake" in peer.session.end.detail


def test_dribbling_bytes_does_not_extend_the_publish_deadline():
    peer = _connected()
    for second in range(1, 10):
        peer.send(wire.command("_checkbw", 2.0, None), now_s=float(second))
    assert peer.session.deadline_s == LIMITS.publish_s


def test_no_deadline_runs_while_we_decide():
    peer = _connected()
    peer.send(wire.opening())
    assert peer.session.deadline_s is None


def test_first_media_idle_and_stall_deadlines():
    peer = _publishing()
    assert peer.session.deadline_s == 1.0 + LIMITS.idle_s
    peer.send(wire.configurations(), now_s=9.0)
    assert peer.session.deadline_s == 1.0 + LIMITS.first_media_s
    peer.send(wire.video(wire.avc_tag(1, IDR), 40), now_s=10.0)
    assert peer.session.deadline_s == 10.0 + LIMITS.stall_s
    # Bytes that are no media keep nothing alive.
    peer.send(wire.media(MessageType.DATA_AMF0, b"\x05", 0), now_s=12.0)
    peer.session.check_deadline(10.0 + LIMITS.stall_s)
    peer.read()
    assert peer.session.end.reason is EndReason.STALLED
    assert peer.answers.codes[-1] == "NetStream.Publish.Rejected"


def test_a_dead_publisher_is_noticed_within_five_seconds():
    # DESIGN §4.2: "Publisher gone: noticed in <= 5 s".
    assert LIMITS.stall_s < 5


# -- The state machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "goal"), list(itertools.product(Phase, Phase)))
def test_only_drawn_transitions_are_possible(start, goal):
    peer = Peer()
    peer.session.phase = start
    if goal in _NEXT[start]:
        peer.session._advance(goal)
        assert peer.session.phase is goal
    else:
        with pytest.raises(RuntimeError):
            peer.session._advance(goal)


@pytest.mark.parametrize("phase", Phase)
def test_every_call_is_harmless_in_every_phase(phase):
    peer = Peer()
    peer.session.phase = phase
    peer.session.admit(1.0)
    peer.session.refuse(NotAllowedError("x"))
    peer.session.check_deadline(0.0)
    peer.session.take_output()
    if phase is not Phase.OVER:
        peer.session.evict(EndReason.SHUTDOWN)
        assert peer.session.end is not None
