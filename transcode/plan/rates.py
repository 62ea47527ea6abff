"""Choose the constant frame rate of a lecture from what its sources did. Pure."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from transcode.specs import first_frame, frame_ticks

# What cameras and screens mean; a rate that varies is put on the next of them.
LECTURE_RATES: Final = (Fraction(15), Fraction(25), Fraction(30))
SMOOTH_RATE: Final = 48  # From here on cameras that are made for motion.
MAX_RATE: Final = 31  # A lecture needs no more than 30; of 50 and 60 every other frame is shown.
MIN_RATE: Final = 1  # Below it a segment would hold no frame.
HALVED_FROM: Final = 20  # The station rung shows every other frame of what is faster.
_TOLERANCE: Final = Fraction(103, 100)  # 25.6 measured frames/s on a jittery link still mean 25.
# Headers write 29.97 or 2997/100 and mean 30000/1001.
_NTSC_RATES: Final = tuple(Fraction(1000 * n, 1001) for n in (12, 15, 24, 30, 48, 60, 120))
_NTSC_TOLERANCE: Final = Fraction(2, 1_000_000)


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


def choose_constant_rate(source: Fraction) -> Fraction:
    """Return the rate of a file whose pictures come evenly: its own, so that no frame is lost.

    Faster ones are divided by a whole number (60 -> 30, 50 -> 25, 48 -> 24, 60000/1001 -> 29.97),
    those slower than a frame per second multiplied by one: even motion in both cases.
    """
    exact = next(
        (rate for rate in _NTSC_RATES if abs(rate - source) <= rate * _NTSC_TOLERANCE), source
    )
    if exact > MAX_RATE:
        return exact / math.ceil(exact / MAX_RATE)
    if exact < MIN_RATE:
        return exact * math.ceil(MIN_RATE / exact)
    return exact


def halve_rate(frame_rate: Fraction) -> Fraction:
    """Return the rate of the station rung: half where that is still a moving picture."""
    return frame_rate / 2 if frame_rate >= HALVED_FROM else frame_rate


def align_offset(first_picture_ticks: int, start_ticks: int, *, frame_rate: Fraction) -> int:
    """Choose a file's ``FileSource.offset_ticks`` so that its pictures lie on lecture frames.

    Then no rounding ever decides which picture a frame shows, and sound keeps its distance to
    the pictures exactly: it is placed by the same offset.

    Args:
        first_picture_ticks: Time stamp of the first picture in the file.
        start_ticks: Where the lecture should begin, at most half a frame off: the first of sound
            and pictures.
    """
    lead = first_frame(first_picture_ticks - start_ticks, frame_rate=frame_rate)
    return first_picture_ticks - frame_ticks(lead, frame_rate=frame_rate)
