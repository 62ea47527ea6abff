"""Media time: integer ticks over an exact time base. Pure. No I/O, no clock."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

TICKS_PER_S: Final = 90_000  # The lecture clock: RTP video, MPEG-TS and every browser know it.
WRAP_32: Final = 1 << 32


def rescale(ticks: int, *, from_hz: int, to_hz: int) -> int:
    """Convert ``ticks`` between clocks, rounding half up, exact for any size."""
    return (2 * ticks * to_hz + from_hz) // (2 * from_hz)


def to_seconds(ticks: int, *, hz: int = TICKS_PER_S) -> float:
    """Seconds for printing and JSON only; arithmetic stays in ticks."""
    return ticks / hz


def to_seconds_down(ticks: int, *, hz: int = TICKS_PER_S) -> float:
    """Seconds in whole milliseconds, rounded down: what is said to be there is there."""
    return ticks * 1000 // hz / 1000


def from_seconds(seconds: Fraction | int, *, hz: int = TICKS_PER_S) -> int:
    """Ticks of an exact number of seconds, rounding half up."""
    value = Fraction(seconds) * hz
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def signed_delta_32(later: int, earlier: int) -> int:
    """Distance between two 32-bit wrapping time stamps, in [-2^31, 2^31)."""
    return (later - earlier + (1 << 31)) % WRAP_32 - (1 << 31)


class Unwrapper32:
    """Turn wrapping 32-bit time stamps into ever-growing integers; B-frames may step back.

    Invariants: the result differs from the previous one by less than 2^31, so neither a
    reordered frame nor a real wrap jumps (live.md §4.1 trap 1).
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """Return ``timestamp`` continued from the previous one; the first comes back as it is."""
        if self._last is None:
            self._last = timestamp
        else:
            self._last += signed_delta_32(timestamp, self._last % WRAP_32)
        return self._last


def format_clock(seconds: float) -> str:
    """``3:07`` or ``1:02:03``; fractions are dropped, negative times are zero."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"
