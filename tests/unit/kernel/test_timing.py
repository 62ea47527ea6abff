"""Media time: what is printed never says more than there is."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from kernel.timing import from_seconds, to_seconds_down


@given(st.integers(min_value=0, max_value=10**12))
def test_seconds_rounded_down_are_at_most_a_millisecond_less(ticks: int) -> None:
    milliseconds = round(to_seconds_down(ticks) * 1000)
    assert 0 <= Fraction(ticks, 90_000) - Fraction(milliseconds, 1000) < Fraction(1, 1000)


def test_a_length_that_rounds_up_is_not_promised() -> None:
    assert to_seconds_down(5_411_867) == 60.131


def test_seconds_become_ticks_rounded_half_up() -> None:
    assert from_seconds(Fraction(1, 180_000)) == 1
    assert from_seconds(Fraction(1, 180_001)) == 0
