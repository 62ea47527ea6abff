"""Uncut time and the time of what plays: chapters, cues, addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import Cue
from vod.assets.models import Asset
from vod.material.timeline import Timeline, map_chapters, read_timeline

TICKS = 90  # Per millisecond.


def make_timeline(*kept: tuple[int, int], duration_ms: int | None = None) -> Timeline:
    length = sum(end - start for start, end in kept) if duration_ms is None else duration_ms
    return Timeline("a", length * TICKS, kept or None)


def test_uncut_chapters_run_to_the_next_one_and_to_the_end() -> None:
    timeline = make_timeline(duration_ms=10_000)
    assert map_chapters([(0, "一"), (4_000, "二")], timeline) == [
        (0, 4_000, "一"),
        (4_000, 10_000, "二"),
    ]


def test_a_chapter_beyond_the_end_is_not_there() -> None:
    timeline = make_timeline(duration_ms=10_000)
    assert map_chapters([(0, "一"), (10_000, "二")], timeline) == [(0, 10_000, "一")]


def test_a_chapter_whose_beginning_was_cut_begins_with_what_is_left() -> None:
    timeline = make_timeline((0, 2_000), (6_000, 10_000))
    assert map_chapters([(0, "一"), (5_000, "二")], timeline) == [
        (0, 2_000, "一"),
        (2_000, 6_000, "二"),
    ]


def test_a_chapter_that_was_cut_out_is_gone() -> None:
    timeline = make_timeline((0, 2_000), (8_000, 10_000))
    chapters = [(0, "一"), (3_000, "二"), (7_500, "三")]
    assert [title for *_, title in map_chapters(chapters, timeline)] == ["一", "三"]


def test_a_moment_left_of_a_long_chapter_is_not_worth_a_jump() -> None:
    timeline = make_timeline((0, 5_500), (9_000, 12_000))
    chapters = [(0, "一"), (5_000, "二"), (9_000, "三")]
    assert [title for *_, title in map_chapters(chapters, timeline)] == ["一", "三"]


ranges = st.lists(st.integers(0, 60_000), min_size=2, max_size=12, unique=True).map(
    lambda marks: [
        (a, b) for a, b in zip(sorted(marks)[::2], sorted(marks)[1::2], strict=False) if b > a
    ]
)
starts = st.lists(st.integers(0, 59_000), max_size=10, unique=True)


@given(kept=ranges.filter(bool), begins=starts)
def test_mapped_chapters_are_ordered_and_inside(
    kept: list[tuple[int, int]], begins: list[int]
) -> None:
    timeline = make_timeline(*kept)
    chapters = [(start, f"第 {start}") for start in sorted(begins)]
    mapped = map_chapters(chapters, timeline)
    times = [time for start, end, _ in mapped for time in (start, end)]
    assert times == sorted(times)
    assert all(0 <= time <= timeline.duration_ms for time in times)
    assert all(start < end for start, end, _ in mapped)
    # Whatever is still inside begins where its first kept moment plays.
    for start, _, title in mapped:
        uncut = int(title.removeprefix("第 "))
        offset = 0
        for first, last in kept:
            if last > uncut:
                assert start == offset + max(uncut, first) - first
                break
            offset += last - first


def test_the_report_of_a_cut_asset_says_what_it_shows() -> None:
    kept = [{"start_ticks": 0, "end_ticks": 90_000}, {"start_ticks": 90_045, "end_ticks": 270_000}]
    asset = Asset(id="a", duration_ticks=269_955, report={"kept": kept})
    timeline = read_timeline(asset)
    # Half a millisecond was cut out: rounding must not make the ranges overlap.
    assert timeline.kept == ((0, 1_000), (1_001, 3_000))
    assert timeline.map_cues([Cue(1_500, 2_000, "x")]) == (Cue(1_499, 1_999, "x"),)


@pytest.mark.parametrize("ticks", [0, 1, 44])
def test_nothing_is_shorter_than_a_millisecond(ticks: int) -> None:
    assert Timeline("a", ticks).duration_ms == 1
