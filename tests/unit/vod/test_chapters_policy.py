"""What chapters may be, and which slide changes are suggested."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InputError
from vod.chapters.policy import (
    MAX_CHAPTERS,
    MAX_SUGGESTIONS,
    MIN_SUGGESTION_GAP_MS,
    check_chapters,
    choose_suggestions,
    clean_embedded,
    pack_chapters,
    read_chapters,
)


def test_saved_chapters_are_ordered_and_cleaned() -> None:
    assert check_chapters([(3.0004, " 二\n章 "), (0, "一")]) == ((0, "一"), (3_000, "二 章"))


@pytest.mark.parametrize(
    ("chapters", "sentence"),
    [
        ([(0, " ")], "第 1 章没有标题"),
        ([(0, "一"), (float("nan"), "二")], "第 2 章的时间不对"),
        ([(-1, "一")], "第 1 章的时间不对"),
        ([(1, "一"), (1.0001, "二")], "时间相同"),
        ([(n, "x") for n in range(MAX_CHAPTERS + 1)], "章节太多"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    chapters: list[tuple[float, str]], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        check_chapters(chapters)
    assert sentence in refused.value.title
    assert (refused.value.http_status, refused.value.field) == (422, "chapters")


any_chapters = st.lists(st.tuples(st.floats(), st.text(max_size=300)), max_size=30)


@given(chapters=any_chapters)
def test_a_files_chapters_are_never_refused_and_always_in_order(
    chapters: list[tuple[float, str]],
) -> None:
    kept = clean_embedded(chapters)
    assert [start for start, _ in kept] == sorted({start for start, _ in kept})
    assert all(title for _, title in kept)
    assert read_chapters(pack_chapters(kept)) == kept


@given(
    slides=st.lists(st.tuples(st.floats(0, 40_000), st.floats(0, 1)), max_size=300),
    starts=st.lists(st.integers(0, 36_000_000), max_size=5),
)
def test_suggestions_keep_their_distance(
    slides: list[tuple[float, float]], starts: list[int]
) -> None:
    chapters = [(start, "x") for start in starts]
    chosen = choose_suggestions(slides, chapters=chapters, duration_ms=36_000_000)
    assert len(chosen) <= MAX_SUGGESTIONS
    assert list(chosen) == sorted(chosen)
    for index, (start, _) in enumerate(chosen):
        others = [other for other, _ in chosen[:index]] + starts
        assert all(abs(start - other) >= MIN_SUGGESTION_GAP_MS for other in others)


def test_the_surest_of_two_near_changes_is_suggested() -> None:
    chosen = choose_suggestions([(100, 0.5), (110, 0.9)], chapters=[], duration_ms=600_000)
    assert chosen == ((110_000, 0.9),)
