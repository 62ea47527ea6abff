"""The grid of keyframes, constant rates, ranges of files."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.timing import TICKS_PER_S
from transcode.plan.cuts import (
    MAX_SEGMENT_S,
    MIN_RANGE_TICKS,
    cut_file_ranges,
    grid_of_keyframes,
)
from transcode.plan.rates import align_offset, choose_constant_rate, halve_rate
from transcode.specs import Grid, choose_clock_hz, first_frame, frame_ticks

FILM = Fraction(24_000, 1001)
NTSC = Fraction(30_000, 1001)
RATES = st.sampled_from(
    [
        *(Fraction(n) for n in (1, 5, 7, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60)),
        *(FILM, NTSC, Fraction(60_000, 1001), Fraction(15_000, 1001), Fraction(25, 2)),
        *(Fraction(329, 12), Fraction(4500, 377)),
    ]
)


@pytest.mark.parametrize(
    ("rate", "frames", "ticks"),
    [
        (Fraction(25), 100, 360_000),
        (Fraction(30), 120, 360_000),
        (Fraction(50), 200, 360_000),
        (NTSC, 120, 360_360),
        (FILM, 96, 360_360),
        (Fraction(1), 4, 360_000),
        (Fraction(7), 28, 360_000),
        (Fraction(25, 2), 50, 360_000),
    ],
)
def test_a_regular_slot_is_near_four_seconds(rate: Fraction, frames: int, ticks: int) -> None:
    grid = Grid.regular(rate)
    assert (grid.gop_frames, grid.slot_ticks) == (frames, ticks)


@given(RATES, st.integers(0, 10**7))
def test_frames_and_ticks_name_each_other(rate: Fraction, frame: int) -> None:
    assert first_frame(frame_ticks(frame, frame_rate=rate), frame_rate=rate) == frame
    clock = choose_clock_hz(rate)
    assert (clock / rate).denominator == 1
    assert TICKS_PER_S <= clock < 2 * TICKS_PER_S + rate.numerator


@given(RATES, st.integers(0, 10**5), st.integers(-1, 1))
def test_a_boundary_is_known_within_a_tick(rate: Fraction, slot: int, off: int) -> None:
    grid = Grid.regular(rate)
    start = grid.slot_start(slot)
    assert grid.slot(start) == slot
    assert slot == 0 or grid.slot(start - 1) == slot - 1
    assert grid.is_boundary(max(0, start + off))
    assert not grid.is_boundary(start + 2)
    assert not grid.is_boundary(start + grid.slot_ticks // 2)
    assert grid.nearest(start + grid.slot_ticks // 3) == start
    assert grid.nearest(start + 2 * grid.slot_ticks // 3) == grid.slot_start(slot + 1)


@given(RATES, st.integers(0, 1000))
def test_rungs_at_half_the_rate_have_a_frame_at_every_boundary(rate: Fraction, slot: int) -> None:
    tick = Grid.regular(rate).slot_start(slot)
    half = halve_rate(rate)
    assert abs(frame_ticks(first_frame(tick, frame_rate=half), frame_rate=half) - tick) <= 1


@given(RATES, st.integers(0, 10**9), st.integers(1, 10**7))
def test_boundaries_in_a_range_are_all_of_them(rate: Fraction, start: int, length: int) -> None:
    grid = Grid.regular(rate)
    found = grid.boundaries_in(start, start + length)
    assert all(start <= tick < start + length for tick in found)
    first = grid.slot(start)
    last = grid.slot(start + length - 1)
    inside = [grid.slot_start(slot) for slot in range(first, last + 1)]
    assert list(found) == [tick for tick in inside if tick >= start]


def test_an_explicit_grid_knows_its_own_boundaries() -> None:
    ticks = (0, 300_000, 700_000, 1_000_000)
    grid = Grid(frame_rate=Fraction(25), gop_frames=100, boundaries=ticks)
    assert [grid.slot(t) for t in (0, 299_999, 300_000, 999_999, 5_000_000)] == [0, 0, 1, 2, 3]
    assert grid.is_boundary(299_999)
    assert not grid.is_boundary(360_000)
    assert grid.boundaries_in(300_000, 1_000_000) == (300_000, 700_000)
    assert grid.nearest(510_000) == 700_000
    assert grid.nearest(9_000_000) == 1_000_000
    part = grid.within(300_000, 1_000_000)
    assert part.boundaries == (300_000, 700_000)
    assert grid.within(400_000, 900_000).boundaries == (300_000, 700_000)


@given(st.integers(1, 4 * 3600 * TICKS_PER_S), RATES)
def test_ranges_of_a_file_tile_it_on_the_grid(duration: int, rate: Fraction) -> None:
    grid = Grid.regular(rate)
    ranges = cut_file_ranges(duration, grid=grid)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == duration
    for (_, end), (start, _) in itertools.pairwise(ranges):
        assert end == start
        assert grid.is_boundary(start)
    if len(ranges) > 1:
        assert min(end - start for start, end in ranges) >= MIN_RANGE_TICKS
    assert all(end - start <= 190 * TICKS_PER_S for start, end in ranges)


@given(
    st.lists(st.integers(1, 160), max_size=60), st.sampled_from([Fraction(25), Fraction(30), FILM])
)
def test_segments_of_a_copied_track_begin_at_its_keyframes(gaps: list[int], rate: Fraction) -> None:
    frames = list(itertools.accumulate(gaps, initial=0))
    grid = grid_of_keyframes(frames, frame_rate=rate, slowest_rate=rate / 2)
    even = [frame for frame in frames if frame % 2 == 0]
    limit = MAX_SEGMENT_S * rate
    if any(b - a > limit for a, b in itertools.pairwise(even)):
        assert grid is None
        return
    assert grid is not None
    chosen = [first_frame(tick, frame_rate=rate) for tick in grid.boundaries]
    assert chosen[0] == 0
    assert set(chosen) <= set(even)
    assert all(0 < b - a <= limit for a, b in itertools.pairwise(chosen))


def test_a_track_that_does_not_begin_with_a_keyframe_is_not_copied() -> None:
    rate = Fraction(25)
    assert grid_of_keyframes([2, 50], frame_rate=rate, slowest_rate=rate) is None
    assert grid_of_keyframes([0, 51], frame_rate=rate, slowest_rate=Fraction(15)) is None


@pytest.mark.parametrize(
    ("source", "chosen"),
    [
        (Fraction(25), Fraction(25)),
        (Fraction(24), Fraction(24)),
        (FILM, FILM),
        (Fraction(2997, 100), NTSC),
        (Fraction(60), Fraction(30)),
        (Fraction(60_000, 1001), NTSC),
        (Fraction(50), Fraction(25)),
        (Fraction(48), Fraction(24)),
        (Fraction(120), Fraction(30)),
        (Fraction(10), Fraction(10)),
        (Fraction(1), Fraction(1)),
        (Fraction(1, 4), Fraction(1)),
    ],
)
def test_a_constant_rate_is_kept_or_divided_evenly(source: Fraction, chosen: Fraction) -> None:
    assert choose_constant_rate(source) == chosen


@given(RATES, st.integers(-(10**12), 10**12), st.integers(0, 10**6))
def test_an_aligned_offset_puts_pictures_on_frames(rate: Fraction, start: int, lead: int) -> None:
    offset = align_offset(start + lead, start, frame_rate=rate)
    frame = first_frame(start + lead - offset, frame_rate=rate)
    assert frame_ticks(frame, frame_rate=rate) == start + lead - offset
    assert abs(offset - start) <= TICKS_PER_S / rate / 2 + 1
