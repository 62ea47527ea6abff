"""Bit fields of H.264 and AAC headers. Pure. Any bytes give a value or ``BitstreamError``."""

from __future__ import annotations

from typing import Final

from kernel.errors import BitstreamError

MAX_EXP_GOLOMB_ZEROS: Final = 31  # ue(v) of the standards fits 32 bits; more is noise.


class BitReader:
    """Most significant bit first.

    Raises (all reads):
        BitstreamError: The data ends too early.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._bits_left = len(data) * 8

    @property
    def bits_left(self) -> int:
        return self._bits_left

    def read(self, count: int) -> int:
        """Read ``count`` >= 0 bits as an unsigned number."""
        if count > self._bits_left:
            raise BitstreamError(f"{count} bits wanted, {self._bits_left} left")
        self._bits_left -= count
        return (self._value >> self._bits_left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.read(1) == 1

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb number (ISO 14496-10 §9.1)."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > MAX_EXP_GOLOMB_ZEROS:
                raise BitstreamError("an Exp-Golomb number is longer than 32 bits")
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        """Read a signed Exp-Golomb number (ISO 14496-10 §9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def align(self) -> None:
        """Skip to the next whole byte."""
        self._bits_left -= self._bits_left % 8


class BitWriter:
    """Counterpart of :class:`BitReader`; the last byte is padded with zeros."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def write(self, value: int, count: int) -> None:
        """Append the low ``count`` bits of ``value``; it must fit."""
        if value < 0 or value >> count:
            raise ValueError(f"{value} does not fit {count} bits")
        self._value = self._value << count | value
        self._count += count

    def to_bytes(self) -> bytes:
        padding = -self._count % 8
        return (self._value << padding).to_bytes((self._count + padding) // 8, "big")
