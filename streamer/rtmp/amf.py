"""AMF0 values to Python and back. Pure and total: any bytes give values or ``BitstreamError``.

Refused: references, movie clips, record sets and AMF3 values; no encoder needs them to publish.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from kernel.bytes import ByteReader
from kernel.errors import BitstreamError

AmfValue: TypeAlias = "float | bool | str | dict[str, AmfValue] | list[AmfValue] | None"

_LONG_STRING_BYTES: Final = 0x10000
_DATE_ZONE_BYTES: Final = 2


class _Marker(enum.IntEnum):
    """AMF0 §2.1."""

    NUMBER = 0x00
    BOOLEAN = 0x01
    STRING = 0x02
    OBJECT = 0x03
    NULL = 0x05
    UNDEFINED = 0x06
    ECMA_ARRAY = 0x08
    OBJECT_END = 0x09
    STRICT_ARRAY = 0x0A
    DATE = 0x0B
    LONG_STRING = 0x0C
    UNSUPPORTED = 0x0D
    XML_DOCUMENT = 0x0F
    TYPED_OBJECT = 0x10


@dataclass(frozen=True, slots=True)
class AmfLimits:
    """Depth of nesting and number of values, scalars included, of one message."""

    depth_count: int = 16
    elements_count: int = 1024


def decode_amf0(data: bytes | bytearray | memoryview, limits: AmfLimits) -> list[AmfValue]:
    """Decode all values of a message.

    Dates become their milliseconds, undefined and unsupported ``None``, typed objects plain ones.
    Text that is not UTF-8 is kept with replacement characters.

    Raises:
        BitstreamError: Truncated, a refused type, or a limit is passed.
    """
    reader = ByteReader(data, what="AMF0")
    decoder = _Decoder(reader, limits)
    values = []
    while reader.remaining:
        values.append(decoder.read_value(0))
    return values


class _Decoder:
    def __init__(self, reader: ByteReader, limits: AmfLimits) -> None:
        self._reader = reader
        self._limits = limits
        self._left = limits.elements_count

    def read_value(self, depth: int) -> AmfValue:
        self._left -= 1
        if self._left < 0:
            raise BitstreamError(f"AMF0: more than {self._limits.elements_count} values")
        marker = self._reader.uint(1)
        if marker in {_Marker.OBJECT, _Marker.ECMA_ARRAY, _Marker.STRICT_ARRAY,
                      _Marker.TYPED_OBJECT}:  # fmt: skip
            return self._read_container(marker, depth)
        return self._read_scalar(marker)

    def _read_scalar(self, marker: int) -> AmfValue:
        reader = self._reader
        match marker:
            case _Marker.NUMBER:
                return reader.double()
            case _Marker.BOOLEAN:
                return reader.uint(1) != 0
            case _Marker.STRING:
                return self._read_text(2)
            case _Marker.LONG_STRING | _Marker.XML_DOCUMENT:
                return self._read_text(4)
            case _Marker.NULL | _Marker.UNDEFINED | _Marker.UNSUPPORTED:
                return None
            case _Marker.DATE:
                value = reader.double()
                reader.view(_DATE_ZONE_BYTES)
                return value
            case _:
                raise BitstreamError(f"AMF0: a value of type 0x{marker:02x} is not accepted")

    def _read_container(self, marker: int, depth: int) -> AmfValue:
        if depth >= self._limits.depth_count:
            raise BitstreamError(f"AMF0: nested deeper than {self._limits.depth_count}")
        if marker == _Marker.STRICT_ARRAY:
            count = self._reader.uint(4)
            if count > self._left:
                raise BitstreamError(f"AMF0: an array claims {count} values")
            return [self.read_value(depth + 1) for _ in range(count)]
        if marker == _Marker.ECMA_ARRAY:
            self._reader.view(4)  # AMF0 §2.10: the count is a hint; the end marker decides.
        elif marker == _Marker.TYPED_OBJECT:
            self._read_text(2)
        return self._read_members(depth + 1)

    def _read_members(self, depth: int) -> dict[str, AmfValue]:
        """Names and values up to the empty name and the end marker."""
        members: dict[str, AmfValue] = {}
        while True:
            size = self._reader.uint(2)
            name = self._reader.take(size).decode("utf-8", "replace")
            if size == 0 and self._is_end():
                return members
            members[name] = self.read_value(depth)

    def _is_end(self) -> bool:
        marker = self._reader.uint(1)
        if marker == _Marker.OBJECT_END:
            return True
        self._reader.position -= 1
        return False

    def _read_text(self, size_of_length: int) -> str:
        return self._reader.take(self._reader.uint(size_of_length)).decode("utf-8", "replace")


def encode_amf0(*values: AmfValue | int) -> bytes:
    """Encode values one after the other; integers become numbers.

    Raises:
        ValueError: A member name is longer than 65 535 bytes; never for what we build.
    """
    out = bytearray()
    for value in values:
        _write(out, value)
    return bytes(out)


def _write(out: bytearray, value: AmfValue | int) -> None:
    match value:
        case None:
            out.append(_Marker.NULL)
        case bool():
            out += bytes([_Marker.BOOLEAN, value])
        case int() | float():
            out.append(_Marker.NUMBER)
            out += struct.pack(">d", value)
        case str():
            _write_text(out, value.encode())
        case dict():
            out.append(_Marker.OBJECT)
            for name, member in value.items():
                out += _sized_name(name)
                _write(out, member)
            out += bytes([0, 0, _Marker.OBJECT_END])
        case list():
            out.append(_Marker.STRICT_ARRAY)
            out += len(value).to_bytes(4, "big")
            for element in value:
                _write(out, element)


def _write_text(out: bytearray, text: bytes) -> None:
    is_long = len(text) >= _LONG_STRING_BYTES
    out.append(_Marker.LONG_STRING if is_long else _Marker.STRING)
    out += len(text).to_bytes(4 if is_long else 2, "big")
    out += text


def _sized_name(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) >= _LONG_STRING_BYTES:
        raise ValueError(f"a member name has {len(encoded)} bytes")
    return len(encoded).to_bytes(2, "big") + encoded
