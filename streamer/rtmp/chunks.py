"""The RTMP chunk stream: bytes to messages and back. Pure. No I/O, no clock.

``ChunkParser`` holds at most one header (18 bytes) and the unfinished messages, within limits.
Set Chunk Size and Abort act here, because they change how the very next byte is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kernel.errors import BitstreamError
from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.messages import (
    LARGEST_CONTROL_TYPE,
    Message,
    MessageType,
)

DEFAULT_CHUNK_BYTES: Final = 128  # RTMP 1.0 §5.4.1: the maximum chunk size defaults to 128 bytes.
_MESSAGE_HEADER_BYTES: Final = (11, 7, 3, 0)
_EXTENDED: Final = 0xFFFFFF
_MASK_32: Final = 0xFFFFFFFF
_MEDIA_TYPES: Final = frozenset({MessageType.VIDEO, MessageType.AGGREGATE})


class _Header(NamedTuple):
    """A chunk header as read, not yet applied."""

    fmt: int
    csid: int
    size_bytes: int
    field: int
    is_extended: bool
    length: int
    type_id: int
    stream_id: int


class _ChunkStream:
    """What the peer may leave out of the next header on this chunk stream."""

    __slots__ = ("field", "is_extended", "is_open", "length", "payload", "stream_id", "time_ms",
                 "type_id")  # fmt: skip

    def __init__(self) -> None:
        self.field = 0
        self.is_extended = False
        self.is_open = False
        self.length = 0
        self.payload = bytearray()
        self.stream_id = 0
        self.time_ms = 0
        self.type_id = 0


class ChunkParser:
    """Bytes in any pieces in, whole messages out, in the order in which they were finished.

    Attributes:
        media_bytes_max: Longest video message; the session raises it once a key is presented.
    """

    def __init__(self, limits: RtmpLimits) -> None:
        self._limits = limits
        self._streams: dict[int, _ChunkStream] = {}
        self._head = bytearray()
        self._current: _ChunkStream | None = None
        self._left = 0
        self._chunk_bytes = DEFAULT_CHUNK_BYTES
        self._buffered = 0
        self.media_bytes_max = limits.command_bytes

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Message]:
        """Yield the messages that ``data`` finishes; exhaust before feeding again.

        ``data`` may be reused as soon as the iterator is exhausted: payloads are copies.

        Raises:
            BitstreamError: No chunk stream, or a limit is passed; the parser is then spent.

        Cost: one copy per payload byte.
        """
        # A header was cut in two: rare, so its tail may cost a second copy of this piece.
        view = memoryview(bytes(self._head) + data if self._head else data)
        self._head.clear()
        position, end = 0, len(view)
        while position < end:
            stream = self._current
            if stream is None:
                position = self._feed_header(view, position, end)
                stream = self._current
                if stream is None:
                    return
            if self._left:
                position = self._feed_body(stream, view, position, end)
            if not self._left:
                self._current = None
                if len(stream.payload) == stream.length:
                    message = self._finish(stream)
                    if not self._act_on(message):
                        yield message

    # -- Header --------------------------------------------------------------------------------

    def _feed_header(self, view: memoryview, position: int, end: int) -> int:
        """Read one chunk header and set ``_current``, or keep what there is of the header."""
        header = self._read_header(view, position, end)
        if header is None:
            self._head += view[position:]
            return end
        self._apply(header)
        return position + header.size_bytes

    def _read_header(self, data: memoryview, start: int, end: int) -> _Header | None:
        """Decode the header at ``start``; ``None`` when bytes are missing. Changes nothing."""
        fmt, csid = data[start] >> 6, data[start] & 0x3F
        position = start + 1
        # §5.3.1.1: ids 64-319 take a second byte, 64-65599 a third one, low byte first.
        if csid <= 1:
            extra = csid + 1
            if end - position < extra:
                return None
            csid = 64 + int.from_bytes(data[position : position + extra], "little")
            position += extra
        stream = self._streams.get(csid)
        self._check_start(fmt, csid, stream)
        at = position
        position += _MESSAGE_HEADER_BYTES[fmt]
        if position > end:
            return None
        known = stream or _ChunkStream()
        field, is_extended = known.field, known.is_extended
        length, type_id, stream_id = known.length, known.type_id, known.stream_id
        if fmt <= 2:  # noqa: PLR2004 - chunk formats 0-3 are the field's own names
            field = int.from_bytes(data[at : at + 3], "big")
            is_extended = field == _EXTENDED
        if fmt <= 1:
            length = int.from_bytes(data[at + 3 : at + 6], "big")
            type_id = data[at + 6]
        if fmt == 0:
            stream_id = int.from_bytes(data[at + 7 : at + 11], "little")
        if is_extended:
            if end - position < 4:  # noqa: PLR2004 - a 32-bit time stamp
                return None
            value = int.from_bytes(data[position : position + 4], "big")
            # §5.3.1.3: present in type 3 chunks too when the last header had it. Encoders built
            # on old librtmp leave it out; then these four bytes are payload.
            if fmt < 3 or value in {known.field, known.time_ms}:  # noqa: PLR2004
                field = value if fmt < 3 else known.field  # noqa: PLR2004
                position += 4
        return _Header(fmt, csid, position - start, field, is_extended, length, type_id, stream_id)

    def _check_start(self, fmt: int, csid: int, stream: _ChunkStream | None) -> None:
        """Refuse a header that cannot follow what came before it."""
        if stream is None:
            # librtmp opens its control stream with format 1, so only 2 and 3 are impossible.
            if fmt > 1:
                raise BitstreamError(f"chunk stream {csid} begins with a header of type {fmt}")
            if len(self._streams) >= self._limits.chunk_streams_count:
                raise BitstreamError(
                    f"more than {self._limits.chunk_streams_count} chunk streams are open"
                )
        elif stream.is_open and fmt != 3:  # noqa: PLR2004
            raise BitstreamError(f"chunk stream {csid} begins a message within another one")

    def _apply(self, header: _Header) -> None:
        """Make ``header`` the state of its chunk stream and go on with its body."""
        stream = self._streams.setdefault(header.csid, _ChunkStream())
        if not stream.is_open:
            self._check_length(header)
            # §5.3.1.2.4: a type 3 chunk that begins a message repeats the last delta, or the
            # time stamp itself after a type 0 chunk (FFmpeg relies on it).
            base = 0 if header.fmt == 0 else stream.time_ms
            stream.time_ms = (base + header.field) & _MASK_32
            stream.field, stream.is_extended = header.field, header.is_extended
            stream.length, stream.type_id = header.length, header.type_id
            stream.stream_id = header.stream_id
            stream.is_open = True
        self._current = stream
        self._left = min(self._chunk_bytes, stream.length - len(stream.payload))

    def _check_length(self, header: _Header) -> None:
        limits, kind = self._limits, header.type_id
        if kind in _MEDIA_TYPES:
            longest = self.media_bytes_max
        elif kind == MessageType.AUDIO:
            longest = min(self.media_bytes_max, limits.audio_bytes)
        elif kind <= LARGEST_CONTROL_TYPE:
            longest = limits.control_bytes
        else:
            longest = limits.command_bytes
        if header.length > longest:
            raise BitstreamError(
                f"a message of type {kind} claims {header.length} bytes, {longest} are allowed"
            )

    # -- Body ----------------------------------------------------------------------------------

    def _feed_body(self, stream: _ChunkStream, view: memoryview, position: int, end: int) -> int:
        """Copy what is there of the current chunk's body."""
        size = min(self._left, end - position)
        self._buffered += size
        if self._buffered > self._limits.buffered_bytes:
            raise BitstreamError(
                f"unfinished messages hold more than {self._limits.buffered_bytes} bytes"
            )
        stream.payload += view[position : position + size]
        self._left -= size
        return position + size

    def _finish(self, stream: _ChunkStream) -> Message:
        payload = stream.payload
        self._buffered -= len(payload)
        stream.payload = bytearray()
        stream.is_open = False
        return Message(stream.type_id, stream.stream_id, stream.time_ms, payload)

    def _act_on(self, message: Message) -> bool:
        """Obey Set Chunk Size and Abort; tell whether ``message`` was one of them."""
        if message.type_id not in {MessageType.SET_CHUNK_SIZE, MessageType.ABORT}:
            return False
        if len(message.payload) < 4:  # noqa: PLR2004 - both carry one 32-bit number
            raise BitstreamError("a protocol control message is shorter than 4 bytes")
        value = int.from_bytes(message.payload[:4], "big")
        if message.type_id == MessageType.SET_CHUNK_SIZE:
            self._set_chunk_bytes(value)
        else:
            self._abort(value)
        return True

    def _set_chunk_bytes(self, value: int) -> None:
        low, high = self._limits.chunk_bytes_min, self._limits.chunk_bytes_max
        if not low <= value <= high:
            raise BitstreamError(f"a chunk size of {value} bytes is outside {low}-{high}")
        self._chunk_bytes = value

    def _abort(self, csid: int) -> None:
        """§5.4.2: discard the partly received message of a chunk stream."""
        stream = self._streams.get(csid)
        if stream is not None and stream.is_open:
            self._buffered -= len(stream.payload)
            stream.payload = bytearray()
            stream.is_open = False


def encode_message(message: Message, *, csid: int, chunk_bytes: int) -> bytes:
    """Write one message as chunks: a type 0 header, then type 3 ones.

    Args:
        message: ``time_ms`` in 0..2^32-1.
        csid: Chunk stream, 2-63.
        chunk_bytes: The size announced to the peer, else 128.
    """
    has_extended = message.time_ms >= _EXTENDED
    extended = message.time_ms.to_bytes(4, "big") if has_extended else b""
    first = (
        bytes([csid])
        + min(message.time_ms, _EXTENDED).to_bytes(3, "big")
        + len(message.payload).to_bytes(3, "big")
        + bytes([message.type_id])
        + message.stream_id.to_bytes(4, "little")
        + extended
    )
    again = bytes([0xC0 | csid]) + extended
    pieces = [first, message.payload[:chunk_bytes]]
    for start in range(chunk_bytes, len(message.payload), chunk_bytes):
        pieces += (again, message.payload[start : start + chunk_bytes])
    return b"".join(pieces)
