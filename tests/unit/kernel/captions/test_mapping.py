from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import Cue, cut_cues, cut_moment, uncut_moment

KEPT = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5000)), max_size=8).map(
    lambda parts: [
        (
            sum(p[0] + p[1] for p in parts[:n]) + gap,
            sum(p[0] + p[1] for p in parts[:n]) + gap + size,
        )
        for n, (gap, size) in enumerate(parts)
    ]
)
CUES = st.lists(st.tuples(st.integers(0, 2000), st.integers(300, 4000)), max_size=12).map(
    lambda parts: [
        Cue(start := sum(p[0] + p[1] for p in parts[:n]) + gap, start + size, f"第{n}条")
        for n, (gap, size) in enumerate(parts)
    ]
)


@given(KEPT, st.integers(0, 40_000))
def test_moments_go_there_and_back(kept: list[tuple[int, int]], moment: int) -> None:
    total = sum(end - start for start, end in kept)
    mapped = cut_moment(moment, kept)
    if mapped is None:
        assert not any(start <= moment < end for start, end in kept)
    else:
        assert 0 <= mapped < total
        assert uncut_moment(mapped, kept) == moment


@given(CUES, KEPT)
def test_cut_cues_say_what_the_uncut_ones_say_there(
    cues: list[Cue], kept: list[tuple[int, int]]
) -> None:
    total = sum(end - start for start, end in kept)
    cut = cut_cues(cues, kept)
    assert all(0 <= cue.start_ms < cue.end_ms <= total for cue in cut)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(cut))
    for cue in cut:
        for moment in (cue.start_ms, cue.end_ms - 1):
            there = uncut_moment(moment, kept)
            assert any(c.text == cue.text and c.start_ms <= there < c.end_ms for c in cues)


@given(CUES)
def test_keeping_everything_changes_nothing(cues: list[Cue]) -> None:
    assert cut_cues(cues, [(0, 1_000_000)]) == tuple(cues)


def test_a_cue_over_a_cut_goes_on_without_a_break() -> None:
    assert cut_cues([Cue(1000, 5000, "甲")], [(0, 2000), (4000, 9000)]) == (Cue(1000, 3000, "甲"),)


def test_a_rest_too_short_to_be_seen_goes() -> None:
    assert cut_cues([Cue(1000, 5000, "甲")], [(0, 1100), (6000, 7000)]) == ()


def test_ranges_out_of_order_are_a_defect() -> None:
    with pytest.raises(ValueError, match="range 1000-2000 after 3000"):
        cut_moment(5, [(2000, 3000), (1000, 2000)])
