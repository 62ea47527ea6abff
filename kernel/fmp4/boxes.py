"""Box primitives of ISO/IEC 14496-12. Pure."""

from __future__ import annotations

from kernel.errors import BoxError

_MAX_BOX_BYTES = 0xFFFF_FFFF  # We never need the 64-bit size; a part that large is a defect.


def build_box(kind: bytes, *payload: bytes) -> bytes:
    """Build a plain box; ``kind`` is its four-character code.

    Raises:
        BoxError: The box would not fit a 32-bit size.
    """
    size = 8 + sum(map(len, payload))
    if size > _MAX_BOX_BYTES:
        raise BoxError(f"box {kind.decode('ascii', 'replace')} of {size} bytes is too large")
    return b"".join((size.to_bytes(4, "big"), kind, *payload))


def build_full_box(kind: bytes, *payload: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Build a box that carries a version and flags."""
    return build_box(kind, bytes((version,)) + flags.to_bytes(3, "big"), *payload)


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")
