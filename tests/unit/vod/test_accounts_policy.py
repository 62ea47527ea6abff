"""Who may do what, over every role; how fast anybody may guess."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vod.accounts.policy import (
    ACCOUNT_LIMIT,
    FIRST_BLOCK,
    PAIR_LIMIT,
    WINDOW,
    Failures,
    Limit,
    count_attempt,
    find_wait,
    may_manage_accounts,
)
from vod.accounts.roles import Role, Viewer, Visibility
from vod.accounts.throttle import build_keys
from vod.classes.policy import (
    may_choose_instructor,
    may_create_class,
    may_manage_class,
    may_see_class,
)
from vod.lectures.policy import Exposure, may_edit_lectures, may_see_jobs, may_see_lecture
from vod.series.policy import may_edit_series

R = Role
ME, SOMEBODY = "me", "somebody"
WHO: list[Role | None] = [None, *Role]

# One row per capability: who has it. "own" only for what one teaches oneself.
ANYWHERE: dict[str, set[Role | None]] = {
    "manage accounts": {R.ADMIN},
    "edit series": {R.EDITOR, R.ADMIN},
    "edit lectures": {R.EDITOR, R.ADMIN},
    "create classes": {R.INSTRUCTOR, R.EDITOR, R.ADMIN},
    "name an instructor": {R.EDITOR, R.ADMIN},
    "manage a class": {R.EDITOR, R.ADMIN},
    "manage an own class": {R.INSTRUCTOR, R.EDITOR, R.ADMIN},
    "manage a class without instructor": {R.EDITOR, R.ADMIN},
    "see jobs": {R.EDITOR, R.ADMIN},
    "see jobs of an own class": {R.INSTRUCTOR, R.EDITOR, R.ADMIN},
    "see public": set(WHO),
    "see members-only": set(Role),
}


def ask(capability: str, viewer: Viewer) -> set[bool]:
    public, members = Visibility.PUBLIC, Visibility.MEMBERS
    answers = {
        "manage accounts": {may_manage_accounts(viewer)},
        "edit series": {may_edit_series(viewer)},
        "edit lectures": {may_edit_lectures(viewer)},
        "create classes": {may_create_class(viewer)},
        "name an instructor": {may_choose_instructor(viewer)},
        "manage a class": {may_manage_class(viewer, SOMEBODY)},
        "manage an own class": {may_manage_class(viewer, ME)},
        "manage a class without instructor": {may_manage_class(viewer, None)},
        "see jobs": {may_see_jobs(viewer, SOMEBODY), may_see_jobs(viewer, None)},
        "see jobs of an own class": {may_see_jobs(viewer, ME)},
        "see public": {may_see_class(viewer, public), may_see_lecture(viewer, Exposure(public))},
        "see members-only": {
            may_see_class(viewer, members),
            may_see_lecture(viewer, Exposure(members)),
        },
    }
    return answers[capability]


@pytest.mark.parametrize(("capability", "role"), list(itertools.product(ANYWHERE, WHO)))
def test_the_whole_table_of_rights(capability: str, role: Role | None) -> None:
    viewer = Viewer(account_id=None if role is None else ME, role=role)
    assert ask(capability, viewer) == {role in ANYWHERE[capability]}


NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)


def test_somebody_who_tries_at_every_allowed_moment_gets_few_guesses_a_day() -> None:
    failures, now, guesses = None, NOW, 0
    while now < NOW + timedelta(days=1):
        now += find_wait(failures, now)
        failures = count_attempt(failures, now, limit=PAIR_LIMIT)
        guesses += 1
    assert guesses < 150


def test_a_stranger_never_keeps_an_owner_out_for_long() -> None:
    failures, now = None, NOW
    for _ in range(2_000):  # From ever new addresses, at every allowed moment.
        now += find_wait(failures, now)
        failures = count_attempt(failures, now, limit=ACCOUNT_LIMIT)
        assert find_wait(failures, now) <= FIRST_BLOCK


def test_a_few_mistakes_cost_nothing_and_are_forgotten() -> None:
    failures = None
    for _ in range(PAIR_LIMIT.failures_count - 1):
        failures = count_attempt(failures, NOW, limit=PAIR_LIMIT)
        assert find_wait(failures, NOW) == timedelta(0)
    later = count_attempt(failures, NOW + WINDOW, limit=PAIR_LIMIT)
    assert later.count == 1


@given(st.lists(st.integers(0, 5000), max_size=60), st.integers(1, 100), st.integers(1, 5000))
def test_a_block_is_never_longer_than_the_longest(
    gaps_s: list[int], count: int, longest_s: int
) -> None:
    limit = Limit(count, timedelta(seconds=longest_s))
    failures: Failures | None = None
    now = NOW
    for gap_s in gaps_s:
        now += timedelta(seconds=gap_s)
        failures = count_attempt(failures, now, limit=limit)
        assert timedelta(0) <= find_wait(failures, now) <= limit.longest_block
        assert (failures.blocked_until is not None) == (failures.count >= count)


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_login_and_address_make_three_short_keys(login: str, address: str) -> None:
    keys = build_keys(login, address)
    assert len(keys) == 3
    assert all(len(key) <= 80 for key in keys)


def test_addresses_of_one_ipv6_site_count_together() -> None:
    assert build_keys("a", "2001:db8::1") == build_keys("a", "2001:db8::ffff:2")
    assert build_keys("a", "2001:db8:0:1::1") != build_keys("a", "2001:db8::1")
    assert build_keys("a", "10.0.0.1") != build_keys("a", "10.0.0.2")
