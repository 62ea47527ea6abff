"""The life of a class, over the whole product of states and triggers."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from kernel.errors import ConflictError
from vod.classes.policy import is_due_to_end
from vod.classes.states import TRANSITIONS, ClassState, Trigger, advance

S, T = ClassState, Trigger
# Written a second time on purpose: a change of the table must be meant.
EXPECTED = {
    (S.SCHEDULED, T.MEDIA_STARTED): S.LIVE,
    (S.SCHEDULED, T.END): S.ENDED,
    (S.LIVE, T.MEDIA_STARTED): S.LIVE,
    (S.LIVE, T.MEDIA_LOST): S.INTERRUPTED,
    (S.LIVE, T.END): S.ENDED,
    (S.INTERRUPTED, T.MEDIA_STARTED): S.LIVE,
    (S.INTERRUPTED, T.MEDIA_LOST): S.INTERRUPTED,
    (S.INTERRUPTED, T.END): S.ENDED,
    (S.ENDED, T.END): S.ENDED,
    (S.ENDED, T.REOPEN): S.INTERRUPTED,
    (S.ENDED, T.REOPEN_UNUSED): S.SCHEDULED,
}


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(ClassState, Trigger)))
def test_every_pair_goes_where_it_should_or_is_refused(state: ClassState, trigger: Trigger) -> None:
    if (state, trigger) in EXPECTED:
        assert advance(state, trigger) is EXPECTED[state, trigger]
    else:
        with pytest.raises(ConflictError, match=state.value):
            advance(state, trigger)


def test_a_class_can_always_be_ended_and_every_state_is_reached() -> None:
    for state in ClassState:
        assert advance(state, Trigger.END) is ClassState.ENDED
    assert set(TRANSITIONS.values()) == set(ClassState)


NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
IDLE = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("planned_min", "media_min", "is_due"),
    [
        (None, None, False),
        (None, -30, True),
        (None, -29, False),
        (-30, None, True),
        (-30, -30, True),
        (-29, -60, False),
        (-60, -29, False),
        (60, -300, False),
    ],
)
def test_the_automatic_end_waits_for_both(
    planned_min: int | None,
    media_min: int | None,
    *,
    is_due: bool,
) -> None:
    def at(minutes: int | None) -> datetime | None:
        return None if minutes is None else NOW + timedelta(minutes=minutes)

    assert (
        is_due_to_end(
            now=NOW, planned_end=at(planned_min), last_media_at=at(media_min), idle_end=IDLE
        )
        is is_due
    )
