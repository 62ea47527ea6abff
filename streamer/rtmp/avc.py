"""H.264 as FLV carries it: avcC and length-prefixed NAL units. Pure.

``AvcTrack`` remembers the parameter sets, so that a set sent in the stream becomes a new
``VideoConfig`` when, and only when, it says something new.
"""

from __future__ import annotations

from typing import Final

from kernel.bytes import ByteReader
from kernel.errors import BitstreamError
from streamer.media import VideoConfig

_SPS: Final = 7
_PPS: Final = 8
_IDR: Final = 5
_SEI: Final = 6
_NAL_TYPE_MASK: Final = 0x1F
_MAX_PARAMETER_SET_BYTES: Final = 4096  # With scaling lists and VUI real ones are < 300.
_MAX_SPS_ID: Final = 31
_MAX_PPS_ID: Final = 255
_MAX_NAL_COUNT: Final = 4096  # Level 6.2 allows 600 slices; bounds the work per access unit.
_ID_WINDOW_BYTES: Final = 8  # The id is the first code after the fixed bytes.


class AvcTrack:
    """The configuration in force and the normaliser of access units."""

    def __init__(self) -> None:
        self.config: VideoConfig | None = None
        self._length_bytes = 4
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}

    def set_decoder_configuration(self, data: memoryview) -> bool:
        """Take an AVCDecoderConfigurationRecord; tell whether ``config`` changed.

        Raises:
            BitstreamError: Truncated, or no parameter sets; the old configuration stays.

        Spec: ISO 14496-15 §5.3.3.1.
        """
        reader = ByteReader(data, what="avcC")
        version = reader.uint(1)
        if version != 1:
            raise BitstreamError(f"avcC: version {version}")
        reader.view(3)  # Profile, compatibility and level, which the SPS has too.
        length_bytes = (reader.uint(1) & 0x03) + 1
        sps = _read_sets(reader, reader.uint(1) & 0x1F, _SPS)
        pps = _read_sets(reader, reader.uint(1), _PPS)
        if not sps or not pps:
            raise BitstreamError("avcC: without parameter sets")
        self._length_bytes = length_bytes
        self._sps, self._pps = sps, pps
        return self._publish()

    def normalise(self, data: memoryview) -> tuple[bytes, bool, bool]:
        """Turn an access unit into slices and SEI with 4-byte lengths.

        Returns:
            (bytes, empty without a slice; whether it is an IDR; whether ``config`` changed).

        Raises:
            BitstreamError: A NAL unit runs past the end.
        """
        spans = _split(data, self._length_bytes)
        kept: list[tuple[int, int]] = []
        is_idr = has_slice = has_sets = False
        for start, end in spans:
            kind = data[start] & _NAL_TYPE_MASK
            if 1 <= kind <= _SEI:
                kept.append((start, end))
                has_slice = has_slice or kind != _SEI
                is_idr = is_idr or kind == _IDR
            elif kind in {_SPS, _PPS}:
                self._learn(kind, bytes(data[start:end]))
                has_sets = True
        has_changed = has_sets and self._publish()
        if not has_slice:
            return b"", False, has_changed
        covered = sum(end - start for start, end in kept) + 4 * len(kept)
        if self._length_bytes == 4 and covered == len(data):  # noqa: PLR2004 - nothing to change
            return bytes(data), is_idr, has_changed
        pieces: list[bytes | memoryview] = []
        for start, end in kept:
            pieces += ((end - start).to_bytes(4, "big"), data[start:end])
        return b"".join(pieces), is_idr, has_changed

    def _learn(self, kind: int, nal: bytes) -> None:
        identifier = _parse_set_id(kind, nal)
        sets = self._sps if kind == _SPS else self._pps
        sets[identifier] = nal

    def _publish(self) -> bool:
        """Make the known sets the configuration, once there are both kinds."""
        if not self._sps or not self._pps:
            return False
        config = VideoConfig(sps=tuple(self._sps.values()), pps=tuple(self._pps.values()))
        if config == self.config:
            return False
        self.config = config
        return True


def _read_sets(reader: ByteReader, count: int, kind: int) -> dict[int, bytes]:
    sets: dict[int, bytes] = {}
    for _ in range(count):
        nal = reader.take(reader.uint(2))
        if not nal or nal[0] & _NAL_TYPE_MASK != kind:
            raise BitstreamError("avcC: a parameter set of the wrong kind")
        sets[_parse_set_id(kind, nal)] = nal
    return sets


def _parse_set_id(kind: int, nal: bytes) -> int:
    """seq_parameter_set_id or pic_parameter_set_id (ITU-T H.264 §7.3.2.1.1, §7.3.2.2)."""
    if len(nal) > _MAX_PARAMETER_SET_BYTES:
        raise BitstreamError(f"H.264: a parameter set of {len(nal)} bytes")
    at = 4 if kind == _SPS else 1
    coded = nal[at : at + _ID_WINDOW_BYTES].replace(b"\x00\x00\x03", b"\x00\x00")
    bits = "".join(f"{byte:08b}" for byte in coded)
    zeros = len(bits) - len(bits.lstrip("0"))
    code = bits[zeros : 2 * zeros + 1]
    if len(code) <= zeros:
        raise BitstreamError("H.264: a truncated parameter set")
    identifier = int(code, 2) - 1
    if identifier > (_MAX_SPS_ID if kind == _SPS else _MAX_PPS_ID):
        raise BitstreamError(f"H.264: parameter set id {identifier}")
    return identifier


def _split(data: memoryview, length_bytes: int) -> list[tuple[int, int]]:
    """Half-open spans of the NAL units in ``data``; empty ones are left out."""
    spans = []
    position, end = 0, len(data)
    while position < end:
        start = position + length_bytes
        position = start + int.from_bytes(data[position:start], "big")
        if position > end or start > end:
            raise BitstreamError("H.264: a NAL unit runs past the end of its tag")
        if position > start:
            spans.append((start, position))
        if len(spans) > _MAX_NAL_COUNT:
            raise BitstreamError(f"H.264: more than {_MAX_NAL_COUNT} NAL units in one tag")
    return spans
