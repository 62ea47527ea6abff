"""Choose the constant frame rate of a lecture from what its sources did. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

# Every rate divides 90000 and gives whole frames in 4 s, so that all ranges join frame-exact.
LECTURE_RATES: Final = (Fraction(15), Fraction(25), Fraction(30))
STATION_RATES: Final = {
    Fraction(15): Fraction(15),
    Fraction(25): Fraction(25, 2),
    Fraction(30): Fraction(15),
}
SMOOTH_RATE: Final = 48  # From here on cameras that are made for motion.
_TOLERANCE: Final = Fraction(103, 100)  # 25.6 measured frames/s on a jittery link still mean 25.


def choose_frame_rate(measured: list[Fraction]) -> Fraction:
    """Return the smallest rate of ours that shows every frame; 30 is the most.

    Of a camera at twice one of our rates (50, 60) every other frame is shown: even motion.

    Args:
        measured: Frames per second seen in samples of the sources; empty or tiny values mean a
            screen share that stood still, for which 15 is plenty.
    """
    fastest = max(measured, default=Fraction(0))
    for rate in LECTURE_RATES:
        if fastest <= rate * _TOLERANCE:
            return rate
    halved = fastest / 2
    for rate in LECTURE_RATES:
        if rate / _TOLERANCE <= halved <= rate * _TOLERANCE and fastest >= SMOOTH_RATE:
            return rate
    return LECTURE_RATES[-1]
