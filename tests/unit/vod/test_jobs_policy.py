"""States, back-off and progress of units over their whole domain."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import ConflictError
from vod.jobs import policy
from vod.jobs.policy import JobState, UnitEvent, UnitState, advance, derive_job_state

ALLOWED = {
    ("waiting", "READY"): "queued",
    ("waiting", "CANCELLED"): "cancelled",
    ("queued", "CLAIMED"): "running",
    ("queued", "HELD"): "waiting",
    ("running", "HELD"): "waiting",
    ("queued", "CANCELLED"): "cancelled",
    ("running", "COMPLETED"): "done",
    ("running", "POSTPONED"): "queued",
    ("running", "RELEASED"): "queued",
    ("running", "GAVE_UP"): "failed",
    ("running", "CANCELLED"): "cancelled",
    ("failed", "RETRIED"): "queued",
    ("failed", "CANCELLED"): "cancelled",
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(UnitState, UnitEvent)))
def test_every_state_answers_every_event_as_drawn(state: UnitState, event: UnitEvent) -> None:
    expected = ALLOWED.get((state.value, event.name))
    if expected is None:
        with pytest.raises(ConflictError):
            advance(state, event)
    else:
        assert advance(state, event) == expected


@pytest.mark.parametrize("event", list(UnitEvent))
def test_sources_are_the_states_that_accept_the_event(event: UnitEvent) -> None:
    for state in UnitState:
        assert (state in policy.find_sources(event)) == ((state, event) in policy.TRANSITIONS)


def test_done_and_cancelled_are_final() -> None:
    assert not {s for s, _ in policy.TRANSITIONS} & {UnitState.DONE, UnitState.CANCELLED}


def test_backoff_grows_threefold_and_five_attempts_are_made() -> None:
    assert [policy.compute_backoff_s(n) for n in (1, 2, 3, 4)] == [5, 15, 45, 135]
    assert [policy.is_retry_allowed(n) for n in range(1, 6)] == [True] * 4 + [False]


def test_what_was_killed_twice_for_its_memory_is_not_tried_a_third_time() -> None:
    assert policy.is_retry_allowed(1, cause="memory", same_cause_count=1)
    assert not policy.is_retry_allowed(2, cause="memory", same_cause_count=2)
    assert policy.is_retry_allowed(2, cause="disk", same_cause_count=2)


def test_lost_messages_are_sent_again_after_a_minute_then_more_rarely() -> None:
    waits = [policy.compute_resend_s(n) for n in range(1, 40)]
    assert waits[0] == 60
    assert waits == sorted(waits)
    assert waits[-1] == policy.RESEND_MAX_S


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["queued"], JobState.QUEUED),
        (["waiting", "queued"], JobState.QUEUED),
        (["running"], JobState.RUNNING),
        (["done", "queued"], JobState.RUNNING),
        (["done", "done"], JobState.DONE),
        (["done", "running", "failed"], JobState.FAILED),
        (["done", "cancelled"], JobState.CANCELLED),
        (["failed", "cancelled"], JobState.CANCELLED),
    ],
)
def test_job_state_follows_from_the_units(states: list[str], expected: JobState) -> None:
    assert derive_job_state({UnitState(s): states.count(s) for s in states}) is expected


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_progress_stays_between_zero_and_one(done: float, total: float) -> None:
    assert 0 <= policy.compute_progress(done_weight=done, total_weight=total) <= 1


def test_progress_of_a_job_that_only_plans_is_zero() -> None:
    assert policy.compute_progress(done_weight=0, total_weight=0) == 0
