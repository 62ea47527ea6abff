"""RTP packets of media, parsed without ceremony: this runs for every datagram. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

_HEADER: Final = Struct("!BBHII")
_ONE_BYTE_PROFILE: Final = 0xBEDE
SEND_TIME_BYTES: Final = 3


@dataclass(slots=True)
class MediaPacket:
    """One RTP packet.

    Attributes:
        abs_send_time: 24-bit header extension, when it was asked for and is there.
    """

    ssrc: int
    payload_type: int
    marker: int
    sequence_number: int
    timestamp: int
    payload: bytes
    abs_send_time: int | None = None


def parse_rtp(data: bytes, send_time_id: int | None = None) -> MediaPacket | None:
    """Read a decrypted RTP packet; ``None`` when it is malformed (RFC 3550 §5.1).

    Args:
        data: The whole packet.
        send_time_id: Identifier of the abs-send-time extension, one-byte form.
    """
    if len(data) < _HEADER.size:
        return None
    first, second, seq, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:  # noqa: PLR2004 - the version
        return None
    start, end = _HEADER.size + 4 * (first & 0x0F), len(data)
    send_time = None
    if first & 0x10:
        if start + 4 > end:
            return None
        size = 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        if start + 4 + size > end:
            return None
        is_one_byte = int.from_bytes(data[start : start + 2], "big") == _ONE_BYTE_PROFILE
        if is_one_byte and send_time_id is not None:
            send_time = _find_send_time(data, start + 4, start + 4 + size, send_time_id)
        start += 4 + size
    if first & 0x20:
        end -= data[-1] or end + 1  # A padding length of zero is malformed.
    if start > end:
        return None
    return MediaPacket(ssrc, second & 0x7F, second >> 7, seq, timestamp, data[start:end], send_time)


def _find_send_time(data: bytes, position: int, end: int, wanted: int) -> int | None:
    # RFC 8285 §4.2: four bits of identifier, four of length minus one; zero bytes are padding.
    while position < end:
        header = data[position]
        if not header:
            position += 1
            continue
        size = (header & 0x0F) + 1
        if header >> 4 == wanted:
            value = data[position + 1 : position + 1 + size]
            return int.from_bytes(value, "big") if len(value) == SEND_TIME_BYTES else None
        position += 1 + size
    return None
