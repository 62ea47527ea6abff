"""A bounded reader over foreign bytes. Pure. Never reads past the end or allocates by a claim."""

from __future__ import annotations

import struct
from typing import Final

from kernel.errors import BitstreamError

_DOUBLE: Final = struct.Struct(">d")


class ByteReader:
    """Big-endian fields from ``data``, front to back.

    Every method raises ``BitstreamError`` naming ``what`` when the bytes run out.
    """

    __slots__ = ("_data", "_end", "_what", "position")

    def __init__(self, data: bytes | bytearray | memoryview, *, what: str) -> None:
        """``what`` names the structure in error sentences, e.g. ``avcC``."""
        self._data = memoryview(data)
        self._end = len(self._data)
        self._what = what
        self.position = 0

    @property
    def remaining(self) -> int:
        """Bytes left."""
        return self._end - self.position

    def view(self, size_bytes: int) -> memoryview:
        """The next bytes without copying them; valid as long as the source is."""
        if not 0 <= size_bytes <= self.remaining:
            raise BitstreamError(
                f"{self._what}: {size_bytes} bytes wanted at {self.position}, {self.remaining} left"
            )
        start = self.position
        self.position += size_bytes
        return self._data[start : self.position]

    def take(self, size_bytes: int) -> bytes:
        """Copy the next bytes."""
        return bytes(self.view(size_bytes))

    def uint(self, size_bytes: int) -> int:
        """Unsigned integer of ``size_bytes`` bytes."""
        return int.from_bytes(self.view(size_bytes), "big")

    def double(self) -> float:
        """IEEE 754 double."""
        value: float = _DOUBLE.unpack(self.view(8))[0]
        return value
