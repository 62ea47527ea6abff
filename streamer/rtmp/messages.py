"""RTMP messages: their types, the control messages we send, commands and statuses. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

from kernel.errors import BitstreamError
from streamer.rtmp.amf import AmfLimits, AmfValue, decode_amf0, encode_amf0


class MessageType(enum.IntEnum):
    """RTMP 1.0 §5.4 and §7.1, and the aggregate message."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW_ACK_SIZE = 5
    SET_PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    COMMAND_AMF3 = 17
    DATA_AMF0 = 18
    COMMAND_AMF0 = 20
    AGGREGATE = 22


LARGEST_CONTROL_TYPE: Final = 7  # 1-7 are protocol control, a few bytes each.
CONTROL_CSID: Final = 2  # §5.3.1.1: chunk stream 2 is reserved for protocol control.
COMMAND_CSID: Final = 3
STATUS_CSID: Final = 5
_NUMBER_BYTES: Final = 4


class UserControl(enum.IntEnum):
    """§7.1.7, the events that matter to a publisher."""

    STREAM_BEGIN = 0
    PING_REQUEST = 6
    PING_RESPONSE = 7


class Message(NamedTuple):
    """A whole message. ``time_ms`` wraps at 2^32."""

    type_id: int
    stream_id: int
    time_ms: int
    payload: bytes | bytearray


@dataclass(frozen=True, slots=True)
class Command:
    """A remote call: ``arguments`` follow the command object."""

    name: str
    transaction: float
    object: AmfValue
    arguments: tuple[AmfValue, ...]

    def text_argument(self, index: int) -> str:
        """The argument when it is a string, else an empty one."""
        if index < len(self.arguments):
            value = self.arguments[index]
            if isinstance(value, str):
                return value
        return ""


def parse_command(message: Message, limits: AmfLimits) -> Command:
    """Decode a command message of either AMF version.

    Raises:
        BitstreamError: It is no command, or passes a limit.
    """
    payload = memoryview(message.payload)
    # An AMF3 command starts with a format byte; every encoder then goes on in AMF0.
    if message.type_id == MessageType.COMMAND_AMF3 and payload and payload[0] == 0:
        payload = payload[1:]
    values = decode_amf0(payload, limits)
    name = values[0] if values else None
    transaction = values[1] if len(values) > 1 else 0.0
    if not isinstance(name, str) or not isinstance(transaction, float):
        raise BitstreamError("a command has no name or no transaction number")
    return Command(name, transaction, values[2] if len(values) > 2 else None, tuple(values[3:]))  # noqa: PLR2004


def parse_number(message: Message) -> int:
    """The 32-bit number of an Acknowledgement or Window Acknowledgement Size."""
    if len(message.payload) < _NUMBER_BYTES:
        raise BitstreamError(f"a message of type {message.type_id} is shorter than 4 bytes")
    return int.from_bytes(message.payload[:_NUMBER_BYTES], "big")


def parse_ping(message: Message) -> bytes | None:
    """The time stamp of a ping request; ``None`` for any other user control event."""
    payload = bytes(message.payload)
    if len(payload) < 6 or int.from_bytes(payload[:2], "big") != UserControl.PING_REQUEST:  # noqa: PLR2004
        return None
    return payload[2:6]


# -- What we send ---------------------------------------------------------------------------------


def build_chunk_size(size_bytes: int) -> Message:
    return _build_control(MessageType.SET_CHUNK_SIZE, size_bytes.to_bytes(4, "big"))


def build_acknowledgement(received_bytes: int) -> Message:
    """§5.4.3: the sequence number is the bytes received so far; it wraps."""
    return _build_control(
        MessageType.ACKNOWLEDGEMENT, (received_bytes & 0xFFFFFFFF).to_bytes(4, "big")
    )


def build_window(size_bytes: int) -> Message:
    return _build_control(MessageType.WINDOW_ACK_SIZE, size_bytes.to_bytes(4, "big"))


def build_peer_bandwidth(size_bytes: int) -> Message:
    """§5.4.5, limit type 2 (dynamic)."""
    return _build_control(MessageType.SET_PEER_BANDWIDTH, size_bytes.to_bytes(4, "big") + b"\x02")


def build_stream_begin(stream_id: int) -> Message:
    return _build_user_control(UserControl.STREAM_BEGIN, stream_id.to_bytes(4, "big"))


def build_ping_response(time_stamp: bytes) -> Message:
    return _build_user_control(UserControl.PING_RESPONSE, time_stamp)


def build_command(name: str, transaction: float, *values: AmfValue, stream_id: int = 0) -> Message:
    """A command or the answer to one; ``values`` begin with the command object."""
    payload = encode_amf0(name, transaction, *values)
    return Message(MessageType.COMMAND_AMF0, stream_id, 0, payload)


def build_status(*, level: str, code: str, description: str, stream_id: int) -> Message:
    """``onStatus`` of a stream; ``level`` is ``status`` or ``error``."""
    information: dict[str, AmfValue] = {"level": level, "code": code, "description": description}
    return build_command("onStatus", 0.0, None, information, stream_id=stream_id)


def _build_control(kind: MessageType, payload: bytes) -> Message:
    return Message(kind, 0, 0, payload)


def _build_user_control(event: UserControl, data: bytes) -> Message:
    return _build_control(MessageType.USER_CONTROL, event.to_bytes(2, "big") + data)
