"""Walk ISO BMFF boxes that somebody else wrote. Pure and total: a value or ``BoxError``.

Spec: ISO/IEC 14496-12 §4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kernel.errors import BoxError

MAX_CHILDREN: Final = 4096  # Boxes inside one container.
SMALL_HEADER_BYTES: Final = 8
LARGE_HEADER_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies.

    Attributes:
        kind: Four characters.
        offset: Of its first byte, in the stream or the buffer it was found in.
        header_bytes: 8 or 16.
        size_bytes: Header included.
    """

    kind: str
    offset: int
    header_bytes: int
    size_bytes: int

    @property
    def body(self) -> int:
        return self.offset + self.header_bytes

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


def parse_box(data: bytes | memoryview, offset: int, end: int) -> Box:
    """Read the box header at ``offset``; the whole box must lie before ``end``.

    Spec: ISO/IEC 14496-12 §4.2: size 1 means a 64-bit size follows, size 0 "to the end".
    """
    if offset < 0 or end > len(data) or end - offset < SMALL_HEADER_BYTES:
        raise BoxError(f"box header at {offset} is cut off")
    size, raw = struct.unpack_from(">I4s", data, offset)
    header = SMALL_HEADER_BYTES
    if size == 1:
        if end - offset < LARGE_HEADER_BYTES:
            raise BoxError(f"large box header at {offset} is cut off")
        (size,) = struct.unpack_from(">Q", data, offset + SMALL_HEADER_BYTES)
        header = LARGE_HEADER_BYTES
    elif size == 0:
        size = end - offset
    kind = raw.decode("latin-1")
    if size < header or size > end - offset:
        raise BoxError(f"box {kind!r} at {offset} claims {size} bytes of {end - offset}")
    return Box(kind, offset, header, size)


def iter_boxes(data: bytes | memoryview, start: int, end: int) -> Iterator[Box]:
    """Walk the boxes of ``[start, end)``.

    Raises:
        BoxError: A size does not fit, or more than ``MAX_CHILDREN`` boxes.
    """
    offset, count = start, 0
    while offset < end:
        count += 1
        if count > MAX_CHILDREN:
            raise BoxError(f"more than {MAX_CHILDREN} boxes in one container")
        box = parse_box(data, offset, end)
        yield box
        offset = box.end


def find_box(data: bytes | memoryview, start: int, end: int, *path: str) -> Box | None:
    """Follow ``path`` down from ``[start, end)``; the first box of each name counts."""
    box: Box | None = None
    for kind in path:
        box = next((item for item in iter_boxes(data, start, end) if item.kind == kind), None)
        if box is None:
            return None
        start, end = box.body, box.end
    return box


def require_box(data: bytes | memoryview, parent: Box, *path: str) -> Box:
    """Follow ``path`` below ``parent``; a missing box is a ``BoxError``."""
    box = find_box(data, parent.body, parent.end, *path)
    if box is None:
        raise BoxError(f"{parent.kind!r} at {parent.offset} has no {'/'.join(path)!r}")
    return box


class Cursor:
    """Bounds-checked big-endian reads inside one box."""

    def __init__(self, data: bytes | memoryview, box: Box) -> None:
        self._data = data
        self._box = box
        self.position = box.body

    def take(self, count: int) -> int:
        """Read an unsigned integer of ``count`` bytes."""
        return int.from_bytes(self.take_bytes(count), "big")

    def take_signed(self, count: int) -> int:
        return int.from_bytes(self.take_bytes(count), "big", signed=True)

    def take_bytes(self, count: int) -> bytes:
        if count < 0 or self.position + count > self._box.end:
            raise BoxError(f"box {self._box.kind!r} at {self._box.offset} is too short")
        start = self.position
        self.position += count
        return bytes(self._data[start : self.position])

    def skip(self, count: int) -> None:
        self.take_bytes(count)

    def take_version(self) -> tuple[int, int]:
        """FullBox version and flags."""
        word = self.take(4)
        return word >> 24, word & 0xFF_FFFF
