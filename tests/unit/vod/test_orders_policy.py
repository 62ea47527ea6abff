"""The loop of an order: every state, deed and part against what it says in words."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from kernel.errors import ConflictError, InputError
from vod.accounts.roles import ANONYMOUS, MemberFacts, Role, Scope, Viewer
from vod.orders.models import Deed, Delivery, OrderKind, OrderState
from vod.orders.policy import (
    LATE,
    OPEN,
    Belonging,
    Part,
    build_demand_key,
    check_delivery,
    find_due,
    find_next,
    find_parts,
    is_anybodys,
    list_moves,
    name_rating,
    require_text,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
S = OrderState
WAY = {
    S.ORDERED: {"assign": S.ASSIGNED, "decline": S.DECLINED, "withdraw": S.WITHDRAWN},
    S.ASSIGNED: {
        "assign": S.ASSIGNED, "accept": S.ACCEPTED, "return": S.ORDERED, "decline": S.DECLINED,
        "withdraw": S.WITHDRAWN,
    },
    S.ACCEPTED: {"assign": S.ASSIGNED, "return": S.ORDERED, "complete": S.DONE},
    S.DONE: {"rate": S.RATED, "reopen": S.ORDERED},
    S.RATED: {}, S.DECLINED: {}, S.WITHDRAWN: {},
}  # fmt: skip
DONE_BY = {
    Part.ORDERER: {"rate", "reopen", "withdraw"},
    Part.MATE: set(),
    Part.ASSIGNEE: {"accept", "return", "complete"},
    Part.DESK: {"assign", "accept", "return", "decline", "complete"},
}


@pytest.mark.parametrize("state", S)
def test_every_deed_leads_where_it_is_said_or_nowhere(state: OrderState) -> None:
    for deed in Deed:
        if deed.value in WAY[state]:
            assert find_next(state, deed) is WAY[state][deed.value]
        else:
            with pytest.raises(ConflictError):
                find_next(state, deed)


@pytest.mark.parametrize("part", Part)
def test_everybody_does_what_is_theirs_and_nothing_else(part: Part) -> None:
    for state, deed in itertools.product(S, Deed):
        wanted = deed.value in DONE_BY[part] and deed.value in WAY[state]
        assert (deed in list_moves(state, {part})) is wanted
        assert is_anybodys(deed, {part}) is (deed.value in DONE_BY[part])
    assert list_moves(S.ASSIGNED, {Part.ORDERER, Part.ASSIGNEE}) == [
        Deed.ACCEPT, Deed.RETURN, Deed.WITHDRAW,
    ]  # fmt: skip


def test_who_somebody_is_to_an_order() -> None:
    order = Belonging(created_by="a", assignee_id="b", unit_path="/c/e/", is_for_unit=True)
    city = Belonging(created_by="a", assignee_id=None, unit_path=None, is_for_unit=False)
    mate = Viewer("m", Role.MEMBER, member=MemberFacts(unit_path="/c/e/"))
    below = Viewer("m", Role.MEMBER, member=MemberFacts(unit_path="/c/e/f/"))
    banner = Viewer("d", Role.UNIT_ADMIN, scopes=(Scope(Role.UNIT_ADMIN, "/c/"),))
    assert find_parts(Viewer("a", Role.MEMBER), order) == {Part.ORDERER}
    assert find_parts(Viewer("b", Role.INSTRUCTOR), order) == {Part.ASSIGNEE}
    assert find_parts(Viewer("e", Role.EDITOR), order) == {Part.DESK}
    assert find_parts(banner, order) == {Part.DESK}
    assert find_parts(banner, city) == set(), "what has no unit is the city's"
    assert find_parts(mate, order) == {Part.MATE}
    assert find_parts(below, order) == set()
    assert find_parts(ANONYMOUS, Belonging(None, None, None, is_for_unit=True)) == set()


def test_an_order_is_open_for_as_long_as_the_clock_runs() -> None:
    for state in S:
        assert (find_due(state, now=NOW) is not None) is (state in OPEN)
    planned = NOW + timedelta(days=90)
    assert find_due(S.ACCEPTED, now=NOW, planned_at=planned) == planned + LATE
    past = NOW - timedelta(days=9)
    assert find_due(S.ACCEPTED, now=NOW, planned_at=past) == NOW + LATE


def test_one_and_two_points_open_it_again() -> None:
    assert [name_rating(score) for score in range(1, 6)] == [Deed.REOPEN] * 2 + [Deed.RATE] * 3


def test_nothing_is_closed_without_words() -> None:
    for deed in Deed:
        if deed in {Deed.DECLINE, Deed.RETURN, Deed.COMPLETE, Deed.REOPEN}:
            with pytest.raises(InputError):
                require_text(deed, " \n")
        else:
            require_text(deed, "")
        require_text(deed, "好")


def test_a_delivery_says_what_and_when() -> None:
    for delivery, delivered_id, held_on, field in (
        (None, None, None, "delivery"),
        (Delivery.LIVE, None, None, "delivered_id"),
        (Delivery.REPLAY, None, None, "delivered_id"),
        (Delivery.ON_SITE, "v", None, "held_on"),
    ):
        with pytest.raises(InputError) as raised:
            check_delivery(delivery, delivered_id, held_on=held_on)
        assert raised.value.field == field
    check_delivery(Delivery.ON_SITE, None, held_on=date(2026, 7, 1))
    check_delivery(Delivery.LIVE, "x", held_on=None)
    check_delivery(Delivery.ANY, None, held_on=None)


def test_equal_wishes_are_one() -> None:
    keys = {
        build_demand_key(OrderKind.WISH, None, title)
        for title in ("宪法 宣讲", "宪法宣讲!", "《宪法宣讲》", "宪法\u3000宣讲")
    }
    assert keys == {"wish:宪法宣讲"}
    assert build_demand_key(OrderKind.WISH, None, "!!") == "wish:!!"
    assert build_demand_key(OrderKind.SERIES, "s1", "x") == "series:s1"
    assert len(build_demand_key(OrderKind.WISH, None, "长" * 200)) == 128
