"""Rights: the whole product of role, action and place, against what it says in words."""

from __future__ import annotations

import itertools

import pytest

from vod.accounts.rights import (
    RIGHTS,
    SCOPED_ROLES,
    Action,
    Target,
    find_reach,
    may,
    may_change_member,
)
from vod.accounts.roles import ANONYMOUS, Role, Scope, Viewer

CITY, EAST, BRANCH, WEST = "/c/", "/c/e/", "/c/e/b/", "/c/w/"
PLACES = (None, CITY, EAST, BRANCH, WEST)
# What each role may do where it holds.
TABLE = {
    Role.MEMBER: set(),
    Role.INSTRUCTOR: set(),
    Role.EDITOR: {Action.SEE_UNITS, Action.CURATE, Action.HANDLE_ORDERS},
    Role.UNIT_ADMIN: set(Action) - {Action.EDIT_LISTS, Action.GRANT_ROLES, Action.CURATE},
    Role.ADMIN: set(Action),
}


def test_the_table_is_as_said() -> None:
    assert {role: set(actions) for role, actions in RIGHTS.items()} == TABLE


@pytest.mark.parametrize("role", [None, *Role])
def test_every_role_action_and_place(role: Role | None) -> None:
    scopes_tried: list[tuple[Scope, ...]] = [()]
    scopes_tried += [(Scope(kind, place),) for kind in SCOPED_ROLES for place in (CITY, EAST, WEST)]
    scopes_tried.append((Scope(Role.UNIT_ADMIN, EAST), Scope(Role.EDITOR, WEST)))
    for scopes, action, place in itertools.product(scopes_tried, Action, PLACES):
        viewer = Viewer(account_id="a" if role else None, role=role, scopes=scopes)
        by_role = role not in {None, Role.UNIT_ADMIN} and action in TABLE[role or Role.MEMBER]
        by_scope = place is not None and any(
            action in TABLE[scope.role] and place.startswith(scope.unit_path) for scope in scopes
        )
        assert may(viewer, action, place) is (by_role or by_scope), (scopes, action, place)
        reach = find_reach(viewer, action)
        if place is not None:
            assert may(viewer, action, place) is any(place.startswith(path) for path in reach)


def test_nobody_in_particular_may_nothing() -> None:
    assert not any(may(ANONYMOUS, action, place) for action in Action for place in PLACES)


def test_a_reach_holds_no_path_below_another() -> None:
    scopes = tuple(Scope(Role.UNIT_ADMIN, path) for path in (EAST, BRANCH, WEST))
    viewer = Viewer(account_id="a", role=Role.UNIT_ADMIN, scopes=scopes)
    assert find_reach(viewer, Action.SEE_MEMBERS) == (EAST, WEST)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("place", PLACES)
def test_a_unit_admin_changes_only_whoever_has_less(role: Role, place: str | None) -> None:
    admin = Viewer(account_id="a", role=Role.UNIT_ADMIN, scopes=(Scope(Role.UNIT_ADMIN, EAST),))
    is_below = place is not None and place.startswith(EAST)
    is_plain = role in {Role.MEMBER, Role.INSTRUCTOR, Role.UNIT_ADMIN}
    assert may_change_member(admin, Target(place, role)) is (is_below and is_plain)
    for scoped in (CITY, EAST, WEST, BRANCH):
        target = Target(place, role, (Scope(Role.UNIT_ADMIN, scoped),))
        wanted = is_below and is_plain and scoped == BRANCH
        assert may_change_member(admin, target) is wanted, scoped
    whole_city = Viewer(account_id="b", role=Role.ADMIN)
    assert may_change_member(whole_city, Target(place, role, (Scope(Role.EDITOR, CITY),)))
