"""Rights: one table of role x action, and where a role holds. Pure.

A role of the whole city holds everywhere; a role in a sub-tree (:class:`Scope`) holds at its unit
and below. ``may`` is asked with the path of the unit that an object belongs to; objects of the
whole city have none, and only roles of the whole city reach them. A unit admin has no rights but
by scopes; an administrator is always of the whole city.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vod.accounts.roles import Role, Scope, Viewer

SCOPED_ROLES: Final = frozenset({Role.EDITOR, Role.UNIT_ADMIN})
WHOLE_CITY_ROLES: Final = frozenset({Role.MEMBER, Role.INSTRUCTOR, Role.EDITOR, Role.ADMIN})
ROOT_PATH: Final = "/"


class Action(enum.Enum):
    """What somebody may want to do to what belongs to a unit."""

    SEE_UNITS = "see_units"
    CHANGE_UNITS = "change_units"
    SEE_MEMBERS = "see_members"
    CHANGE_MEMBERS = "change_members"
    IMPORT_MEMBERS = "import_members"
    EXPORT_MEMBERS = "export_members"
    EDIT_LISTS = "edit_lists"
    GRANT_ROLES = "grant_roles"
    CURATE = "curate"
    SEE_REPORTS = "see_reports"
    HANDLE_ORDERS = "handle_orders"


RIGHTS: Final[dict[Role, frozenset[Action]]] = {
    Role.MEMBER: frozenset(),
    Role.INSTRUCTOR: frozenset(),
    # Editors choose whom something is for: they see the tree, but no person's data.
    Role.EDITOR: frozenset({Action.SEE_UNITS, Action.CURATE, Action.HANDLE_ORDERS}),
    Role.UNIT_ADMIN: frozenset(
        {
            Action.SEE_UNITS,
            Action.CHANGE_UNITS,
            Action.SEE_MEMBERS,
            Action.CHANGE_MEMBERS,
            Action.IMPORT_MEMBERS,
            Action.EXPORT_MEMBERS,
            Action.SEE_REPORTS,
            Action.HANDLE_ORDERS,
        }
    ),
    Role.ADMIN: frozenset(Action),
}


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody whose account is to be changed.

    Attributes:
        unit_path: ``None`` for whoever belongs to no unit.
    """

    unit_path: str | None
    role: Role
    scopes: tuple[Scope, ...] = ()


def may(viewer: Viewer, action: Action, unit_path: str | None) -> bool:
    """Tell whether ``viewer`` may do ``action`` to what belongs to the unit at ``unit_path``.

    Args:
        unit_path: ``/{id}/{id}/``; ``None`` for what belongs to the whole city.
    """
    return _covers(find_reach(viewer, action), unit_path)


def find_reach(viewer: Viewer, action: Action) -> tuple[str, ...]:
    """Find the paths at and below which ``viewer`` may do ``action``: for lists.

    Returns:
        ``("/",)`` for the whole city, empty for nowhere; no path lies below another.
    """
    if viewer.role in WHOLE_CITY_ROLES and action in RIGHTS[viewer.role]:
        return (ROOT_PATH,)
    paths = {scope.unit_path for scope in viewer.scopes if action in RIGHTS[scope.role]}
    return tuple(sorted(drop_inner(paths)))


def may_anywhere(viewer: Viewer, action: Action) -> bool:
    """Tell whether there is any unit where ``viewer`` may do ``action``."""
    return bool(find_reach(viewer, action))


def may_change_member(viewer: Viewer, target: Target) -> bool:
    """Tell whether ``viewer`` may change, disable or reset the account of ``target``.

    Nobody gains power by it: a unit admin changes neither editors nor administrators, nor
    whoever has a role in a unit that is not truly below the own one.
    """
    reach = find_reach(viewer, Action.CHANGE_MEMBERS)
    if ROOT_PATH in reach:
        return True
    is_plain = target.role in {Role.MEMBER, Role.INSTRUCTOR, Role.UNIT_ADMIN}
    are_below = all(
        any(is_below(scope.unit_path, path) for path in reach) for scope in target.scopes
    )
    return is_plain and are_below and _covers(reach, target.unit_path)


def is_below(path: str, other: str) -> bool:
    """Tell whether a unit lies truly below another."""
    return path != other and path.startswith(other)


def drop_inner(paths: Iterable[str]) -> set[str]:
    """Drop paths that lie below another of them."""
    wanted = set(paths)
    return {path for path in wanted if not any(is_below(path, other) for other in wanted)}


def _covers(reach: Iterable[str], unit_path: str | None) -> bool:
    """``"/"`` reaches all, also what has no unit; a sub-tree only what lies in it."""
    return any(
        path == ROOT_PATH or (unit_path is not None and unit_path.startswith(path))
        for path in reach
    )
