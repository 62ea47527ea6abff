"""Contests: the ranking for itself, and who may know what when."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vod.accounts.roles import ANONYMOUS, Role, Viewer
from vod.library.contests.policy import (
    ContestStanding,
    ContestState,
    find_standing,
    may_know,
    may_see_desk,
)
from vod.library.contests.ranking import (
    Candidate,
    Criterion,
    Method,
    Sheet,
    compute_mark,
    rank_films,
    round_score,
)

CRITERIA = (Criterion("c1", "主题", 50), Criterion("c2", "艺术", 30), Criterion("c3", "制作", 20))
PLAIN = (Criterion("c1", "总分", 1),)
FILMS = tuple(
    Candidate(name, position, "纪录片" if position % 2 else "微视频")
    for position, name in enumerate("abcd")
)


def sheets_of(film_id: str, *totals: int) -> list[Sheet]:
    return [Sheet(film_id, {"c1": total}) for total in totals]


def test_a_mark_is_weighed_by_the_criteria_exactly() -> None:
    mark = compute_mark(Sheet("a", {"c1": 90, "c2": 80, "c3": 71}), CRITERIA)
    assert mark == Fraction(90 * 50 + 80 * 30 + 71 * 20, 100)
    assert compute_mark(Sheet("a", {"c1": 1, "c2": 0}), (Criterion("c1", "", 1),
        Criterion("c2", "", 2))) == Fraction(1, 3)  # fmt: skip


def test_scores_are_rounded_half_up_only_when_shown() -> None:
    assert round_score(Fraction(2, 3)) == Decimal("0.67")
    assert round_score(Fraction(90_005, 1000)) == Decimal("90.01")
    assert round_score(Fraction(100)) == Decimal("100.00")


def test_trimming_drops_one_highest_and_one_lowest_from_three_marks_on() -> None:
    sheets = [*sheets_of("a", 10, 80, 82, 100), *sheets_of("b", 60, 90), *sheets_of("c", 0, 70, 99)]
    trimmed = rank_films(FILMS[:3], sheets, PLAIN, method=Method.TRIMMED)
    assert [(one.film_id, one.score) for one in trimmed] == [
        ("a", Decimal(81)), ("b", Decimal(75)), ("c", Decimal(70)),
    ]  # fmt: skip
    plain = rank_films(FILMS[:3], sheets, PLAIN, method=Method.MEAN)
    assert [(one.film_id, one.score) for one in plain] == [
        ("b", Decimal(75)), ("a", Decimal(68)), ("c", Decimal("56.33")),
    ]  # fmt: skip


def test_equal_scores_are_decided_by_the_heaviest_criterion_then_share_a_place() -> None:
    even = (Criterion("c1", "主题", 60), Criterion("c2", "艺术", 40))
    sheets = [
        Sheet("a", {"c1": 80, "c2": 90}),  # 84
        Sheet("b", {"c1": 90, "c2": 75}),  # 84, stronger in what weighs more
        Sheet("c", {"c1": 80, "c2": 90}),  # 84, in nothing different from a
        Sheet("d", {"c1": 80, "c2": 89}),
    ]
    ranked = rank_films(FILMS, sheets, even, method=Method.MEAN)
    assert [(one.film_id, one.place) for one in ranked] == [
        ("b", 1), ("a", 2), ("c", 2), ("d", 4),
    ]  # fmt: skip
    assert {one.film_id: one.category_place for one in ranked} == {"a": 1, "c": 1, "b": 1, "d": 2}


def test_after_trimming_the_mean_of_all_marks_decides() -> None:
    sheets = [*sheets_of("a", 70, 80, 90), *sheets_of("b", 74, 80, 90)]
    ranked = rank_films(FILMS[:2], sheets, PLAIN, method=Method.TRIMMED)
    assert [(one.film_id, one.place, one.score) for one in ranked] == [
        ("b", 1, Decimal(80)), ("a", 2, Decimal(80)),
    ]  # fmt: skip


def test_what_nobody_scored_has_no_place_and_comes_last() -> None:
    ranked = rank_films(FILMS, sheets_of("c", 0), PLAIN, method=Method.MEAN)
    assert [(one.film_id, one.place, one.score) for one in ranked] == [
        ("c", 1, Decimal(0)), ("a", None, None), ("b", None, None), ("d", None, None),
    ]  # fmt: skip
    assert rank_films((), (), PLAIN, method=Method.TRIMMED) == []


points = st.fixed_dictionaries({one.key: st.integers(0, 100) for one in CRITERIA})
many = st.lists(st.builds(Sheet, st.sampled_from("abcd"), points), max_size=16)


@given(many, st.sampled_from(Method), st.randoms(use_true_random=False))
def test_the_same_points_in_any_order_give_the_same_ranking(
    sheets: list[Sheet], method: Method, random: object
) -> None:
    before = rank_films(FILMS, sheets, CRITERIA, method=method)
    films, again = list(FILMS), list(sheets)
    random.shuffle(films)  # type: ignore[attr-defined]  # A random.Random of hypothesis.
    random.shuffle(again)  # type: ignore[attr-defined]
    assert rank_films(films, again, CRITERIA, method=method) == before
    places = [one.place for one in before if one.place is not None]
    assert places == sorted(places)
    scores = [one.score for one in before if one.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert {one.film_id for one in before} == {one.film_id for one in FILMS}


def test_where_a_contest_stands_by_its_dates() -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    day = timedelta(days=1)
    for state, starts, ends, wanted in (
        (ContestState.DRAFT, now - day, now + day, ContestStanding.DRAFT),
        (ContestState.OPEN, now + day, now + 2 * day, ContestStanding.UPCOMING),
        (ContestState.OPEN, now, now + day, ContestStanding.JUDGING),
        (ContestState.OPEN, now - day, now, ContestStanding.ENDED),
        (ContestState.CLOSED, now + day, now + 2 * day, ContestStanding.CLOSED),
    ):
        assert find_standing(state, starts, ends, now=now) is wanted


@pytest.mark.parametrize("role", [None, *Role])
def test_who_knows_of_a_contest_and_who_sees_its_desk(role: Role | None) -> None:
    viewer = ANONYMOUS if role is None else Viewer(account_id="a", role=role)
    is_editor = role in {Role.EDITOR, Role.ADMIN}
    for state, is_judge in itertools.product(ContestState, (False, True)):
        assert may_know(viewer, state) is (is_editor or state is not ContestState.DRAFT)
        wanted = is_editor and not (is_judge and state is ContestState.OPEN)
        assert may_see_desk(viewer, state, is_judge=is_judge) is wanted
