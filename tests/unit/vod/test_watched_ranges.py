"""Watched ranges: unions, never sums; against sets of seconds."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vod.watching.lists import build_progress
from vod.watching.ranges import MAX_RANGES, count_seconds, is_finished, merge_ranges
from vod.watching.schemas import EpisodeState

UNTIL_S = 300
RANGES = st.lists(st.tuples(st.integers(-20, 400), st.integers(-20, 400)), max_size=40)


def _seconds(ranges: list[tuple[int, int]]) -> set[int]:
    return {second for start, end in ranges for second in range(start, end)}


@given(RANGES, RANGES)
def test_merged_is_the_union_of_the_seconds(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    merged = merge_ranges(one, other, until_s=UNTIL_S)
    wanted = {second for second in _seconds(one + other) if 0 <= second < UNTIL_S}
    assert _seconds(list(merged)) == wanted
    assert count_seconds(merged) == len(wanted)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(merged))


@given(RANGES, RANGES)
def test_order_and_repetition_change_nothing(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    merged = merge_ranges(one, other, until_s=UNTIL_S)
    assert merge_ranges(merged, other, one, other, until_s=UNTIL_S) == merged


@given(st.lists(st.integers(0, 5_000), min_size=MAX_RANGES, max_size=400, unique=True))
def test_what_is_kept_is_bounded_and_was_watched(starts: list[int]) -> None:
    ranges = [(start * 3, start * 3 + 1 + start % 2) for start in starts]
    merged = merge_ranges(ranges, until_s=20_000)
    assert len(merged) <= MAX_RANGES
    assert _seconds(list(merged)) <= _seconds(ranges)
    assert list(merged) == sorted(merged)


def test_nine_tenths_are_enough_and_no_length_is_never() -> None:
    assert not is_finished(89, 100)
    assert is_finished(90, 100)
    assert not is_finished(0, 0)


def _episode(number: int, *, is_finished: bool, is_required: bool = True) -> EpisodeState:
    return EpisodeState(
        lecture_id=str(number), title="", is_required=is_required, position_s=0, watched_s=0,
        is_finished=is_finished,
    )  # fmt: skip


def test_a_series_goes_on_after_the_last_finished_episode_and_then_with_what_was_left_out() -> None:
    done = [False, True, False]
    progress = build_progress([_episode(i, is_finished=one) for i, one in enumerate(done)])
    assert progress.next is not None
    assert (progress.next.lecture_id, progress.finished_count) == ("2", 1)
    rest = build_progress([_episode(i, is_finished=i > 0, is_required=i > 1) for i in range(3)])
    assert rest.next is not None
    assert rest.next.lecture_id == "0"
    assert (rest.required_count, rest.required_finished_count) == (1, 1)
    assert build_progress([_episode(0, is_finished=True)]).next is None
