"""From packets to the clock of a lecture: rate, start, end, holes. Pure.

Headers lie about rates and lengths; the time stamps of the packets decide. Every time here is an
exact ``Fraction`` of seconds of the file, until the very end, which is lecture ticks.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kernel.timing import from_seconds
from transcode.intake.packets import TrackPackets
from transcode.plan.rates import choose_constant_rate, choose_frame_rate

MIN_RATE: Final = Fraction(1, 120)  # A slide every two minutes still is a rhythm.
MAX_RATE: Final = Fraction(1000)  # Slow motion of phones is taken at 240.
JITTER_SHARE: Final = 0.35  # Of a frame; milliseconds at 24 frames/s are 0.012.
MAX_HELD_SHARE: Final = Fraction(1, 50)  # More pictures than that missing: the rate varies.
DOUBLE_SHARE: Final = 0.3  # Of the usual distance: a packet that shows nothing of its own.
HEAD_SLACK_S: Final = Fraction(1, 10)  # Sound that starts so much earlier than pictures is cut.
TAIL_SLACK_S: Final = Fraction(1, 4)  # The same at the end.
HOLE_S: Final = 10  # Neither picture nor sound for so long is a hole in the file.
MAX_LECTURE_S: Final = 24 * 3600
_RATES: Final = tuple(
    sorted(
        {Fraction(n) for n in (*range(1, 31), 48, 50, 60, 72, 75, 90, 100, 120)}
        | {Fraction(n * 1000, 1001) for n in (6, 12, 15, 24, 30, 48, 60, 120)}
        | {Fraction(25, 2), Fraction(15, 2), Fraction(5, 2), Fraction(2997, 100)}
    )
)


@dataclass(frozen=True, slots=True)
class RateFit:
    """How the pictures of a track are spread.

    Attributes:
        rate: Frames per second of the grid they lie on; ``None`` when there is no such grid.
        first_s: Time stamp of grid frame 0.
        frames_count: Of the grid, from the first picture to the last.
        held_count: Grid frames without a picture of their own.
        fastest: Frames per second where pictures come most quickly.
    """

    rate: Fraction | None
    first_s: Fraction
    frames_count: int
    held_count: int
    fastest: Fraction


def sort_times(track: TrackPackets, *, is_fields: bool) -> list[int]:
    """Time stamps of the pictures in ticks of the track, ascending, without doubles.

    Args:
        is_fields: Each picture comes as two packets, one field each (PAFF).
    """
    ticks = sorted(set(track.pts))
    if is_fields:
        ticks = ticks[::2]
    if len(ticks) > 2:  # noqa: PLR2004 - one distance tells nothing
        usual = statistics.median(later - earlier for earlier, later in itertools.pairwise(ticks))
        kept = [ticks[0]]
        for tick in ticks[1:]:
            if tick - kept[-1] > usual * DOUBLE_SHARE:
                kept.append(tick)
        ticks = kept
    return ticks


def fit_rate(
    ticks: Sequence[int], time_base: Fraction, *, nominal: Fraction | None = None
) -> RateFit:
    """Find the constant rate that ascending time stamps keep to, within their rounding.

    Args:
        nominal: What a header says; of several rates that fit as well it is taken.
    """
    first = ticks[0] * time_base
    if len(ticks) == 1:
        return RateFit(None, first, 1, 0, Fraction(1))
    deltas = sorted(later - earlier for earlier, later in itertools.pairwise(ticks))
    usual = deltas[len(deltas) // 2] * time_base
    fastest = 1 / (deltas[len(deltas) // 10] * time_base)
    best: RateFit | None = None
    said = [] if nominal is None else [nominal]
    for rate in (*said, *_candidates((ticks[-1] - ticks[0]) * time_base, usual)):
        fit = _try_rate(ticks, time_base, rate, fastest)
        if fit is not None and (best is None or fit.held_count < best.held_count):
            best = fit
    return best or RateFit(None, first, len(ticks), 0, fastest)


def _candidates(span: Fraction, usual: Fraction) -> list[Fraction]:
    """Rates near the usual distance: known ones first, then what the track itself says."""
    guess = 1 / usual
    known = [rate for rate in _RATES if abs(rate - guess) <= guess / 25]
    known.sort(key=lambda rate: abs(rate - guess))
    steps = max(1, round(span / usual))
    own = [guess.limit_denominator(1001), (steps / span).limit_denominator(1001)]
    return [*known, *(rate for rate in own if rate > 0 and rate not in known)]


def _try_rate(
    ticks: Sequence[int], time_base: Fraction, rate: Fraction, fastest: Fraction
) -> RateFit | None:
    """Lay the grid over all time stamps; ``None`` when two fall together or one falls between."""
    if not MIN_RATE <= rate <= MAX_RATE:
        return None
    # Floats decide which frame a time belongs to; at 24 h they are exact to a nanosecond.
    step = float(time_base * rate)
    places = [(tick - ticks[0]) * step for tick in ticks]
    phase = statistics.median(place - round(place) for place in places[:1000])
    numbers = [round(place - phase) for place in places]
    if any(
        abs(place - phase - number) > JITTER_SHARE
        for place, number in zip(places, numbers, strict=True)
    ):
        return None
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        return None
    count = numbers[-1] - numbers[0] + 1
    shift = Fraction(phase).limit_denominator(1_000_000)
    exact = ticks[0] * time_base + (shift + numbers[0]) / rate
    return RateFit(rate, exact, count, count - len(ticks), fastest)


def choose_lecture_rate(fit: RateFit) -> Fraction:
    """Rate of the lecture: the source's own or an even part of it; a steady one when it varies."""
    return choose_frame_rate([fit.fastest]) if fit.rate is None else choose_constant_rate(fit.rate)


@dataclass(frozen=True, slots=True)
class Extent:
    """Half-open stretch of a track in seconds of the file."""

    start_s: Fraction
    end_s: Fraction

    @property
    def length_s(self) -> Fraction:
        return self.end_s - self.start_s

    def shift(self, by_s: Fraction) -> Extent:
        return Extent(self.start_s + by_s, self.end_s + by_s)


@dataclass(frozen=True, slots=True)
class LectureClock:
    """How the file's time becomes lecture time.

    Attributes:
        offset_ticks: Time stamp of the file, in lecture ticks, that is lecture time 0.
        duration_ticks: Of the lecture: whole frames when there are pictures.
        head_hold_s: How long the first picture stands before its time, because sound has begun.
        tail_hold_s: How long the last one stays, because sound goes on.
        silence_s: How much sooner sound ends than pictures.
    """

    offset_ticks: int
    duration_ticks: int
    head_hold_s: Fraction = Fraction(0)
    tail_hold_s: Fraction = Fraction(0)
    silence_s: Fraction = Fraction(0)


def build_clock(video: Extent | None, audio: Extent | None, rate: Fraction | None) -> LectureClock:
    """Set lecture time 0 and the end so that every picture and (nearly) every sound is in it.

    Pictures stay on their own grid: whatever is added at either end is whole frames.
    """
    if video is None or rate is None:
        assert audio is not None  # noqa: S101 - a file without both was refused before
        return LectureClock(from_seconds(audio.start_s), max(1, from_seconds(audio.length_s)))
    head = tail = Fraction(0)
    silence = Fraction(0)
    if audio is not None:
        if video.start_s - audio.start_s > HEAD_SLACK_S:
            head = Fraction(-(-(video.start_s - audio.start_s) * rate // 1)) / rate
        if audio.end_s - video.end_s > TAIL_SLACK_S:
            tail = Fraction(-(-(audio.end_s - video.end_s) * rate // 1)) / rate
        silence = max(Fraction(0), video.end_s - audio.end_s)
    frames = -(-(video.length_s * rate) // 1)
    if frames - video.length_s * rate > Fraction(9, 10):
        frames -= 1  # Rounded time stamps reach a hair into the next frame.
    return LectureClock(
        offset_ticks=from_seconds(video.start_s - head),
        duration_ticks=from_seconds(head + max(1, frames) / rate + tail),
        head_hold_s=head,
        tail_hold_s=tail,
        silence_s=silence,
    )


def find_holes(tracks: Sequence[tuple[Sequence[int], Fraction]]) -> list[tuple[float, float]]:
    """Stretches (seconds of the file) longer than ``HOLE_S`` in which no track has anything.

    Args:
        tracks: Time stamps and the length of their tick.
    """
    merged = sorted(tick * float(base) for ticks, base in tracks for tick in ticks)
    return [
        (earlier, later)
        for earlier, later in itertools.pairwise(merged)
        if later - earlier > HOLE_S
    ]


def measure_bps(track: TrackPackets, extent: Extent) -> int | None:
    """Average bits per second of a track."""
    size = sum(track.sizes)
    return int(size * 8 / extent.length_s) if extent.length_s > 0 and size else None
