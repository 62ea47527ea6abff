"""H.264 from RTP payloads (RFC 6184, packetization mode 1). Pure.

Refuses: interleaved modes (STAP-B, MTAP, FU-B), truncated aggregates, fragments out of turn.
"""

from __future__ import annotations

from typing import Final

from kernel.errors import BitstreamError

STAP_A: Final = 24
FU_A: Final = 28
MAX_NAL_BYTES: Final = 8 * 1024 * 1024  # A 4K key picture is < 2 MB; bounds one publisher's memory.


class H264Depacketiser:
    """Turn payloads in sequence order into NAL units.

    ``feed`` raises ``BitstreamError`` for a payload that breaks the rules and forgets the
    fragment it was in; the caller drops the picture.
    """

    def __init__(self) -> None:
        self._fragments: list[bytes] = []
        self._size_bytes = 0

    @property
    def is_inside_fragment(self) -> bool:
        """A fragmented NAL unit has begun and not ended."""
        return bool(self._fragments)

    def reset(self) -> None:
        """Packets were lost: forget the half-received NAL unit."""
        self._fragments.clear()
        self._size_bytes = 0

    def feed(self, payload: bytes) -> list[bytes]:
        """Return the NAL units that ``payload`` completes; an empty payload is padding."""
        if not payload:
            return []
        first = payload[0]
        # RFC 6184 §5.3: forbidden_zero_bit set says that the payload may contain errors.
        if first & 0x80:
            raise self._broken("the forbidden bit is set")
        kind = first & 0x1F
        if kind == FU_A:
            return self._feed_fragment(payload)
        if self._fragments:
            raise self._broken("a fragmented NAL unit was not finished")
        if kind == STAP_A:
            return self._split_aggregate(payload)
        if 1 <= kind < STAP_A:
            return [payload]
        raise self._broken(f"NAL unit type {kind} is not for packetization mode 1")

    def _feed_fragment(self, payload: bytes) -> list[bytes]:
        if len(payload) < 3:  # noqa: PLR2004 - indicator, header and at least one byte
            raise self._broken("a fragment is truncated")
        header = payload[1]
        is_start, is_end = bool(header & 0x80), bool(header & 0x40)
        # RFC 6184 §5.8: the Start bit and End bit MUST NOT both be set in the same FU header.
        if is_start and is_end:
            raise self._broken("a fragment is both first and last")
        if is_start == bool(self._fragments):
            raise self._broken("a fragment came out of turn")
        if is_start:
            self._fragments.append(bytes((payload[0] & 0xE0 | header & 0x1F,)))
        elif self._fragments[0][0] & 0x1F != header & 0x1F:
            raise self._broken("a fragment changed its NAL unit type")
        self._size_bytes += len(payload) - 2
        if self._size_bytes > MAX_NAL_BYTES:
            raise self._broken(f"a NAL unit is larger than {MAX_NAL_BYTES} bytes")
        self._fragments.append(payload[2:])
        if not is_end:
            return []
        nal = b"".join(self._fragments)
        self.reset()
        return [nal]

    def _split_aggregate(self, payload: bytes) -> list[bytes]:
        nals, position = [], 1
        while position < len(payload):
            if position + 2 > len(payload):
                raise self._broken("an aggregate is truncated")
            size = payload[position] << 8 | payload[position + 1]
            position += 2
            nal = payload[position : position + size]
            if not size or len(nal) < size:
                raise self._broken("an aggregated NAL unit is truncated")
            if not 1 <= nal[0] & 0x1F < STAP_A:
                raise self._broken("an aggregate holds something else than NAL units")
            nals.append(nal)
            position += size
        if not nals:
            raise self._broken("an aggregate is empty")
        return nals

    def _broken(self, why: str) -> BitstreamError:
        self.reset()
        return BitstreamError(f"RTP payload: {why}")
