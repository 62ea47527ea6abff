"""Rates, starts and ends come from time stamps, not from headers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.timing import TICKS_PER_S
from transcode.intake.packets import TrackPackets, read_packets
from transcode.intake.timing import (
    Extent,
    build_clock,
    choose_lecture_rate,
    find_holes,
    fit_rate,
    sort_times,
)

NTSC = Fraction(30_000, 1001)
FILM = Fraction(24_000, 1001)
RATES = [Fraction(n) for n in (1, 5, 10, 12, 15, 24, 25, 30, 50, 60)] + [NTSC, FILM, 2 * NTSC]


def stamps(
    rate: Fraction, count: int, base: Fraction, *, first: Fraction = Fraction(0)
) -> list[int]:
    """Time stamps of even pictures, rounded as a container with that clock rounds them."""
    return [round((first + number / rate) / base) for number in range(count)]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize(
    "base", [Fraction(1, 1000), Fraction(1, 90_000), Fraction(1, 600)], ids=str
)
def test_the_rate_of_even_pictures_is_found_behind_the_rounding(
    rate: Fraction, base: Fraction
) -> None:
    ticks = stamps(rate, 3000, base, first=Fraction(83, 1000))
    fit = fit_rate(ticks, base)
    assert fit.rate is not None
    # Over the whole track the grid stays within half a frame of the truth.
    assert abs(1 / fit.rate - 1 / rate) * 3000 < 1 / rate / 2
    assert (fit.frames_count, fit.held_count) == (3000, 0)
    assert abs(fit.first_s - Fraction(83, 1000)) <= base


def test_an_hour_of_film_in_milliseconds_is_not_taken_for_24() -> None:
    assert fit_rate(stamps(FILM, 86_000, Fraction(1, 1000)), Fraction(1, 1000)).rate == FILM


def test_of_two_rates_that_fit_the_header_decides() -> None:
    ticks = stamps(Fraction(30), 20, Fraction(1, 1000))
    assert fit_rate(ticks, Fraction(1, 1000), nominal=NTSC).rate == NTSC
    assert fit_rate(ticks, Fraction(1, 1000), nominal=Fraction(30)).rate == 30


def test_a_header_that_lies_is_not_believed() -> None:
    ticks = stamps(Fraction(25), 100, Fraction(1, 90_000))
    assert fit_rate(ticks, Fraction(1, 90_000), nominal=Fraction(57_600)).rate == 25
    # Twice the rate fits, too, with a hole at every other place.
    assert fit_rate(ticks, Fraction(1, 90_000), nominal=Fraction(50)).rate == 25


def test_lost_pictures_leave_places_on_the_grid() -> None:
    ticks = stamps(Fraction(25), 500, Fraction(1, 90_000))
    del ticks[100:110], ticks[300]
    fit = fit_rate(ticks, Fraction(1, 90_000))
    assert (fit.rate, fit.frames_count, fit.held_count) == (25, 500, 11)


def test_pictures_at_random_have_no_rate() -> None:
    ticks = [0, 1300, 5200, 5900, 9900, 30_000, 31_111, 33_950, 40_404, 41_000, 47_123]
    fit = fit_rate(ticks, Fraction(1, 90_000))
    assert fit.rate is None
    assert choose_lecture_rate(fit) == 30


@pytest.mark.parametrize(
    ("source", "lecture"),
    [
        (60, 30),
        (50, 25),
        (48, 24),
        (2 * NTSC, NTSC),
        (25, 25),
        (1, 1),
        (Fraction(1, 10), 1),
        (240, 30),
    ],
    ids=str,
)
def test_a_lecture_keeps_every_frame_or_an_even_part_of_them(
    source: Fraction, lecture: Fraction
) -> None:
    source = Fraction(source)
    ticks = stamps(source, 200, Fraction(1, 90_000))
    assert choose_lecture_rate(fit_rate(ticks, Fraction(1, 90_000))) == lecture


@given(
    st.sampled_from(RATES),
    st.integers(min_value=1, max_value=400),
    st.integers(min_value=-(10**9), max_value=10**9),
)
def test_starts_far_from_zero_change_nothing(rate: Fraction, count: int, start: int) -> None:
    base = Fraction(1, 90_000)
    ticks = [tick + start for tick in stamps(rate, count, base)]
    fit = fit_rate(ticks, base)
    assert fit.first_s == start * base or count > 1
    assert abs(fit.first_s - start * base) <= base
    assert fit.frames_count == count


def test_fields_and_hidden_packets_are_no_pictures_of_their_own() -> None:
    track = TrackPackets(90_000.0)
    track.pts.extend([0, 1500, 3003, 4504, 6006, 7507])
    assert sort_times(track, is_fields=True) == [0, 3003, 6006]
    track = TrackPackets(1000.0)
    track.pts.extend([0, 42, 83, 84, 125, 167, 166, 208])  # Alternate references of VP9.
    assert sort_times(track, is_fields=False) == [0, 42, 83, 125, 166, 208]


def seconds(start: str, end: str) -> Extent:
    return Extent(Fraction(start), Fraction(end))


def test_the_lecture_is_as_long_as_its_pictures_when_sound_ends_with_them() -> None:
    clock = build_clock(seconds("10", "14"), seconds("9.98", "14.02"), Fraction(25))
    assert (clock.offset_ticks, clock.duration_ticks) == (10 * TICKS_PER_S, 4 * TICKS_PER_S)
    assert (clock.head_hold_s, clock.tail_hold_s) == (0, 0)


def test_sound_that_begins_earlier_holds_the_first_picture_for_whole_frames() -> None:
    clock = build_clock(seconds("10", "14"), seconds("9.5", "14"), Fraction(25))
    assert clock.head_hold_s == Fraction(13, 25)
    assert clock.offset_ticks == (10 - Fraction(13, 25)) * TICKS_PER_S
    assert clock.duration_ticks == (4 + Fraction(13, 25)) * TICKS_PER_S


def test_sound_that_goes_on_holds_the_last_picture() -> None:
    clock = build_clock(seconds("0", "4"), seconds("0", "7.01"), Fraction(25))
    assert clock.tail_hold_s == Fraction(76, 25)
    assert clock.duration_ticks == (4 + Fraction(76, 25)) * TICKS_PER_S


def test_sound_alone_has_its_own_length() -> None:
    clock = build_clock(None, seconds("-0.5", "3.25"), None)
    assert (clock.offset_ticks, clock.duration_ticks) == (-45_000, 337_500)


def test_a_hole_is_where_no_track_has_anything() -> None:
    video = ([0, 90_000, 90_000 * 40], Fraction(1, 90_000))
    audio = ([0, 48_000 * 5, 48_000 * 30], Fraction(1, 48_000))
    assert find_holes([video, audio]) == [(5.0, 30.0)]
    assert find_holes([video]) == [(1.0, 40.0)]


def test_packets_are_read_with_their_flags() -> None:
    track = TrackPackets(1000.0)
    lines = [
        "0,0,-40,40,1000,KD_",
        "0,40,0,40,500,K__,",
        "0,N/A,40,40,10,___",
        "0,N/A,N/A,N/A,10,___",
        "1,0,0,1,1,K__",
        "side data, not a packet",
        "0,200,-5000,40,77,__C",
    ]
    assert read_packets(lines, {0: track}) == 5
    assert list(track.pts) == [40, 40, 200]
    assert list(track.is_key) == [1, 0, 0]
    assert (track.hidden_count, track.guessed_count, track.timeless_count) == (1, 1, 1)
    assert (track.corrupt_count, track.jumps_count) == (1, 1)


@given(st.lists(st.text(alphabet="0123456789,-NKDC_/A. \r\n", max_size=60), max_size=30))
def test_any_lines_are_read_to_their_end(lines: list[str]) -> None:
    track = TrackPackets(90_000.0)
    read_packets(lines, {0: track, 1: track})
    assert len(track.pts) == len(track.is_key) == len(track.sizes)
