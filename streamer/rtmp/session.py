"""One RTMP publisher as a state machine: bytes and time in, bytes and events out. Pure. No I/O.

```
HANDSHAKE --C2--> COMMANDS --publish--> ADMITTING --admitted--> PUBLISHING
    |                |                      |                       |
    `----------------+----------- over -----+-----------------------'--> OVER
```
No media is read before ADMITTING is left: what a peer sends meanwhile is held, and the shell stops
reading, so that at most one read is held.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from kernel.errors import (
    BitstreamError,
    ConflictError,
    HallError,
    MediaError,
    NotAllowedError,
)
from streamer.media import AudioUnit, VideoUnit
from streamer.ports import EndReason
from streamer.rtmp.amf import AmfLimits, AmfValue
from streamer.rtmp.chunks import DEFAULT_CHUNK_BYTES, ChunkParser, encode_message
from streamer.rtmp.codecs import UnsupportedCodecError
from streamer.rtmp.flv import FlvDemuxer, MediaItem, split_aggregate
from streamer.rtmp.handshake import ServerHandshake
from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.messages import (
    COMMAND_CSID,
    CONTROL_CSID,
    LARGEST_CONTROL_TYPE,
    STATUS_CSID,
    Command,
    Message,
    MessageType,
    build_acknowledgement,
    build_chunk_size,
    build_command,
    build_peer_bandwidth,
    build_ping_response,
    build_status,
    build_stream_begin,
    build_window,
    parse_command,
    parse_number,
    parse_ping,
)

APPLICATION: Final = "live"
WINDOW_BYTES: Final = 2_500_000  # What Flash servers announce; about 8 s of a 2.5 Mbit/s class.
OUT_CHUNK_BYTES: Final = 4096  # Every answer of ours fits into one chunk.
_MAX_KEY_CHARS: Final = 256  # ``PublishRequest.credential``.
_MAX_ENCODER_CHARS: Final = 64  # Of the name in the log.
_LARGEST_STREAM_ID: Final = 8  # Encoders create one; some create again after a failed publish.
_MEDIA: Final = frozenset({MessageType.AUDIO, MessageType.VIDEO, MessageType.AGGREGATE})
_COMMANDS: Final = frozenset({MessageType.COMMAND_AMF0, MessageType.COMMAND_AMF3})
_DATA: Final = frozenset({MessageType.DATA_AMF0, MessageType.DATA_AMF3})


class Phase(enum.Enum):
    """Where a session is."""

    HANDSHAKE = "handshake"
    COMMANDS = "commands"
    ADMITTING = "admitting"
    PUBLISHING = "publishing"
    OVER = "over"


_NEXT: Final = {
    Phase.HANDSHAKE: frozenset({Phase.COMMANDS, Phase.OVER}),
    Phase.COMMANDS: frozenset({Phase.ADMITTING, Phase.OVER}),
    Phase.ADMITTING: frozenset({Phase.PUBLISHING, Phase.OVER}),
    Phase.PUBLISHING: frozenset({Phase.OVER}),
    Phase.OVER: frozenset[Phase](),
}


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Why a session is over; ``detail`` is for the log."""

    reason: EndReason
    detail: str


class SessionEvents(Protocol):
    """What a session tells its owner, from within ``receive`` and ``admit``."""

    def on_publish(self, key: str) -> None:
        """A stream key is presented: decide, then call ``admit`` or ``refuse``."""

    def on_media(self, item: MediaItem) -> None: ...

    def on_dropped(self, count: int) -> None: ...


class RtmpSession:
    """The server's half of one connection.

    After every call, send ``take_output()`` and look at ``end``. Times are seconds of any steady
    clock.

    Attributes:
        end: Set once the session is over; nothing is read afterwards.
        encoder: What the peer calls itself; text of a stranger, cut to 64 characters.
    """

    def __init__(
        self, events: SessionEvents, limits: RtmpLimits, *, random_bytes: bytes, now_s: float
    ) -> None:
        self._events = events
        self._limits = limits
        self._amf_limits = AmfLimits(limits.amf_depth_count, limits.amf_elements_count)
        self._handshake = ServerHandshake(random_bytes)
        self._parser = ChunkParser(limits)
        self._demuxer = FlvDemuxer()
        self._out = bytearray()
        self._out_chunk_bytes = DEFAULT_CHUNK_BYTES
        self._held: deque[Message] = deque()
        self._opened_s = self._read_s = self._admitted_s = now_s
        self._media_s: float | None = None
        self._acknowledged_bytes = 0
        self._window_bytes = WINDOW_BYTES
        self._application: str | None = None
        self._stream_id = 0
        self._publishing_id = 0
        self._commands_count = self._idle_count = self._bad_tags_count = 0
        self.phase = Phase.HANDSHAKE
        self.end: SessionEnd | None = None
        self.encoder = ""
        self.received_bytes = 0

    # -- What the shell calls ------------------------------------------------------------------

    def receive(self, data: memoryview, now_s: float) -> None:
        """Take bytes from the peer; ``data`` may be reused afterwards."""
        if self.end is not None:
            return
        self._read_s = now_s
        self.received_bytes += len(data)
        try:
            self._receive(data, now_s)
        except (UnsupportedCodecError, BitstreamError) as error:
            self._break_off(error)
        self._acknowledge()

    def admit(self, now_s: float) -> None:
        """The key is good: answer the publish command and read what was held."""
        if self.phase is not Phase.ADMITTING:
            return
        self._advance(Phase.PUBLISHING)
        self._admitted_s = self._read_s = now_s
        self._send(build_stream_begin(self._publishing_id), CONTROL_CSID)
        self._send_status("status", "NetStream.Publish.Start", "The class is on air.")
        try:
            while self._held and self.end is None:
                self._handle(self._held.popleft(), now_s)
        except (UnsupportedCodecError, BitstreamError) as error:
            self._break_off(error)

    def refuse(self, error: HallError) -> None:
        """The key is not good, or nobody can tell: say so and end."""
        if self.phase is Phase.ADMITTING:
            self._reject(_refusal_code(error), str(error))

    def evict(self, reason: EndReason) -> None:
        """Tell the peer that we end its publication."""
        if self.end is None:
            if self.phase is Phase.PUBLISHING:
                self._send_status("status", "NetStream.Unpublish.Success", reason.value)
                self._send_status("error", "NetStream.Publish.Rejected", reason.value)
            self._finish(reason, f"ended by us: {reason.value}")

    def fail(self, reason: EndReason, detail: str) -> None:
        """The connection itself ended."""
        self._finish(reason, detail)

    @property
    def deadline_s(self) -> float | None:
        """When ``check_deadline`` has to be called; ``None`` when nothing is awaited."""
        limits = self._limits
        match self.phase:
            case Phase.HANDSHAKE:
                return self._opened_s + limits.handshake_s
            case Phase.COMMANDS:
                return self._opened_s + limits.publish_s
            case Phase.PUBLISHING:
                idle_s = self._read_s + limits.idle_s
                if self._media_s is None:
                    return min(self._admitted_s + limits.first_media_s, idle_s)
                return min(self._media_s + limits.stall_s, idle_s)
            case Phase.ADMITTING | Phase.OVER:
                return None

    def check_deadline(self, now_s: float) -> None:
        """End the session if its deadline has passed."""
        deadline_s = self.deadline_s
        if deadline_s is None or now_s < deadline_s:
            return
        if self.phase is not Phase.PUBLISHING:
            self._finish(EndReason.PROTOCOL_ERROR, f"too slow in {self.phase.value}")
        elif self._media_s is None:
            self._reject("NetStream.Publish.Rejected", "No media came after publishing.",
                         EndReason.STALLED)  # fmt: skip
        else:
            self._reject("NetStream.Publish.Rejected", "No media came for too long.",
                         EndReason.STALLED)  # fmt: skip

    def take_output(self) -> bytes:
        """What has to be sent now."""
        output = bytes(self._out)
        self._out.clear()
        return output

    # -- Bytes ---------------------------------------------------------------------------------

    def _receive(self, data: memoryview, now_s: float) -> None:
        rest: bytes | memoryview = data
        if self.phase is Phase.HANDSHAKE:
            answer, rest = self._handshake.receive(data)
            self._out += answer
            if not self._handshake.is_done:
                return
            self._advance(Phase.COMMANDS)
        for count, message in enumerate(self._parser.feed(rest)):
            if count >= self._limits.messages_per_read_count:
                raise BitstreamError(f"more than {count} messages in {len(rest)} bytes")
            if self.phase is Phase.ADMITTING:
                self._held.append(message)
            else:
                self._handle(message, now_s)
            if self.end is not None:
                return

    def _acknowledge(self) -> None:
        """RTMP 1.0 §5.4.3: acknowledge before the window is full; half is early enough."""
        unacknowledged = self.received_bytes - self._acknowledged_bytes
        if unacknowledged >= self._window_bytes // 2 and self.phase is Phase.PUBLISHING:
            self._acknowledged_bytes = self.received_bytes
            self._send(build_acknowledgement(self.received_bytes), CONTROL_CSID)

    def _send(self, message: Message, csid: int) -> None:
        self._out += encode_message(message, csid=csid, chunk_bytes=self._out_chunk_bytes)

    def _send_status(self, level: str, code: str, description: str) -> None:
        status = build_status(
            level=level, code=code, description=description, stream_id=self._publishing_id
        )
        self._send(status, STATUS_CSID)

    # -- Messages ------------------------------------------------------------------------------

    def _handle(self, message: Message, now_s: float) -> None:
        kind = message.type_id
        if kind in _MEDIA and message.payload:
            self._handle_media(message, now_s)
        elif kind in _COMMANDS:
            self._handle_command(parse_command(message, self._amf_limits))
        elif kind in _DATA and message.payload:
            # onMetaData only repeats, often wrongly, what the bitstreams say.
            self._count_idle()
        elif kind <= LARGEST_CONTROL_TYPE and message.payload:
            self._handle_control(message)
        else:
            self._count_idle()

    def _count_idle(self) -> None:
        """Encoders send cue points and captions all the time; strangers may not."""
        if self.phase is Phase.PUBLISHING:
            return
        self._idle_count += 1
        if self._idle_count > self._limits.idle_messages_count:
            raise BitstreamError(
                f"more than {self._limits.idle_messages_count} messages before publishing"
            )

    def _handle_control(self, message: Message) -> None:
        self._count_idle()
        if message.type_id == MessageType.WINDOW_ACK_SIZE:
            self._window_bytes = max(parse_number(message), OUT_CHUNK_BYTES)
        elif message.type_id == MessageType.USER_CONTROL:
            time_stamp = parse_ping(message)
            if time_stamp is not None:
                self._send(build_ping_response(time_stamp), CONTROL_CSID)
        else:
            parse_number(message)

    def _handle_media(self, message: Message, now_s: float) -> None:
        if self.phase is not Phase.PUBLISHING:
            raise BitstreamError("media came before the publish command")
        if message.type_id != MessageType.AGGREGATE:
            self._read_tag(message.type_id, message.payload, message.time_ms, now_s)
            return
        for kind, time_ms, body in split_aggregate(message.payload, message.time_ms):
            self._read_tag(kind, body, time_ms, now_s)

    def _read_tag(self, kind: int, body: bytes | bytearray, time_ms: int, now_s: float) -> None:
        demuxer = self._demuxer
        dropped_before = demuxer.dropped_count
        try:
            if kind == MessageType.VIDEO:
                items = demuxer.read_video(body, time_ms)
            elif kind == MessageType.AUDIO:
                items = demuxer.read_audio(body, time_ms)
            else:
                items = []
        except BitstreamError as error:
            self._count_bad_tag(error)
            return
        for item in items:
            if isinstance(item, VideoUnit | AudioUnit):
                self._media_s = now_s
            self._events.on_media(item)
        if demuxer.dropped_count > dropped_before:
            self._events.on_dropped(demuxer.dropped_count - dropped_before)

    def _count_bad_tag(self, error: BitstreamError) -> None:
        """One broken frame is a blemish, a hundred are a broken encoder."""
        self._bad_tags_count += 1
        self._events.on_dropped(1)
        if self._bad_tags_count > self._limits.bad_tags_count:
            raise BitstreamError(f"too many broken tags, the last one: {error}") from error

    # -- Commands ------------------------------------------------------------------------------

    def _handle_command(self, command: Command) -> None:
        self._commands_count += 1
        if self._commands_count > self._limits.commands_count:
            raise BitstreamError(f"more than {self._limits.commands_count} commands")
        match command.name:
            case "connect":
                self._connect(command)
            case "createStream":
                self._stream_id = min(self._stream_id + 1, _LARGEST_STREAM_ID)
                self._answer(command, None, float(self._stream_id))
            case "publish":
                self._publish(command)
            case "deleteStream" | "closeStream" | "FCUnpublish":
                self._unpublish(command)
            case "releaseStream" | "_checkbw":
                self._answer(command, None, None)
            case "FCPublish":
                self._answer(command, None, None)
                self._send_call("onFCPublish", "NetStream.Publish.Start", command)
            case "play" | "play2":
                self._reject("NetStream.Play.Failed",
                             "Watching is over HTTP; this port is for publishing.")  # fmt: skip
            case _:
                self._count_idle()
                self._answer_unknown(command)

    def _answer(self, command: Command, *values: AmfValue) -> None:
        if command.transaction:
            self._send(build_command("_result", command.transaction, *values), COMMAND_CSID)

    def _answer_unknown(self, command: Command) -> None:
        # An answer to an answer would never end; encoders send no `_result` of their own anyway.
        if command.transaction and not command.name.startswith("_"):
            information: dict[str, AmfValue] = {
                "level": "error",
                "code": "NetConnection.Call.Failed",
                "description": "This server only takes publishers.",
            }
            self._send(
                build_command("_error", command.transaction, None, information), COMMAND_CSID
            )

    def _send_call(self, name: str, code: str, command: Command) -> None:
        information: dict[str, AmfValue] = {
            "code": code,
            "description": command.text_argument(0)[:_MAX_KEY_CHARS],
        }
        self._send(build_command(name, 0.0, None, information), COMMAND_CSID)

    def _connect(self, command: Command) -> None:
        if self._application is not None:
            raise BitstreamError("a second connect command")
        properties = command.object if isinstance(command.object, dict) else {}
        self.encoder = _printable(properties.get("flashVer"))
        application = properties.get("app")
        name = application if isinstance(application, str) else ""
        self._send(build_window(WINDOW_BYTES), CONTROL_CSID)
        self._send(build_peer_bandwidth(WINDOW_BYTES), CONTROL_CSID)
        self._send(build_chunk_size(OUT_CHUNK_BYTES), CONTROL_CSID)
        self._out_chunk_bytes = OUT_CHUNK_BYTES
        if _strip(name).partition("/")[0] != APPLICATION:
            self._refuse_connection(command)
            return
        self._application = name
        server: dict[str, AmfValue] = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0}
        if "fourCcList" in properties:  # Enhanced RTMP: name what we take of what is on offer.
            server["fourCcList"] = ["avc1", "mp4a"]
        information: dict[str, AmfValue] = {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connected.",
            "objectEncoding": 0.0,
        }
        self._answer(command, server, information)

    def _refuse_connection(self, command: Command) -> None:
        sentence = f"The address must end in /{APPLICATION}."
        information: dict[str, AmfValue] = {
            "level": "error",
            "code": "NetConnection.Connect.Rejected",
            "description": sentence,
        }
        self._send(build_command("_error", command.transaction, None, information), COMMAND_CSID)
        self._finish(EndReason.PROTOCOL_ERROR, "connected to another application")

    def _publish(self, command: Command) -> None:
        if self._application is None:
            raise BitstreamError("publish came before connect")
        if self.phase is not Phase.COMMANDS:
            raise BitstreamError("a second publish command")
        self._publishing_id = max(self._stream_id, 1)
        key = extract_key(self._application, command.text_argument(0))
        if not 0 < len(key) <= _MAX_KEY_CHARS:
            self._reject("NetStream.Publish.BadName", "The stream key is missing or too long.")
            return
        self._advance(Phase.ADMITTING)
        self._parser.media_bytes_max = self._limits.message_bytes
        self._events.on_publish(key)

    def _unpublish(self, command: Command) -> None:
        if self.phase is not Phase.PUBLISHING:
            self._answer(command, None, None)
            return
        if command.name == "FCUnpublish":
            self._answer(command, None, None)
            self._send_call("onFCUnpublish", "NetStream.Unpublish.Success", command)
            return
        self._send_status("status", "NetStream.Unpublish.Success", "The publication has ended.")
        self._finish(EndReason.CLOSED_BY_PUBLISHER, command.name)

    def _break_off(self, error: UnsupportedCodecError | BitstreamError) -> None:
        """Name the mistake to whoever has shown to speak RTMP, and end."""
        if self._application is not None:
            self._send_status("error", "NetStream.Publish.Rejected", str(error))
        self._finish(EndReason.PROTOCOL_ERROR, str(error))

    # -- The end -------------------------------------------------------------------------------

    def _reject(
        self, code: str, sentence: str, reason: EndReason = EndReason.PROTOCOL_ERROR
    ) -> None:
        self._send_status("error", code, sentence)
        self._finish(reason, sentence)

    def _finish(self, reason: EndReason, detail: str) -> None:
        if self.end is None:
            self._advance(Phase.OVER)
            self._held.clear()
            self.end = SessionEnd(reason, detail)

    def _advance(self, phase: Phase) -> None:
        if phase not in _NEXT[self.phase]:
            raise RuntimeError(f"an RTMP session cannot go from {self.phase} to {phase}")
        self.phase = phase


def extract_key(application: str, stream_name: str) -> str:
    """The stream key of ``live`` + ``KEY?...``, or of ``live/KEY`` with an empty name."""
    key = _strip(stream_name)
    return key or _strip(application).partition("/")[2]


def _strip(path: str) -> str:
    """Without query string and outer slashes."""
    return path.partition("?")[0].strip("/ ")


def _printable(value: AmfValue) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable())[:_MAX_ENCODER_CHARS]


def _refusal_code(error: HallError) -> str:
    """NetStream.Publish.*: what encoders know how to show."""
    match error:
        case NotAllowedError():
            return "NetStream.Publish.Denied"
        case ConflictError() | MediaError():
            return "NetStream.Publish.BadName"
        case _:
            return "NetStream.Publish.Rejected"
