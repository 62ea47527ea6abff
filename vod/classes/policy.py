"""Who may see, create and manage live classes. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from vod.accounts.roles import Role, Viewer, Visibility

TEACHING_ROLES: Final = frozenset({Role.INSTRUCTOR, Role.EDITOR, Role.ADMIN})
CURATING_ROLES: Final = frozenset({Role.EDITOR, Role.ADMIN})


def may_see_class(viewer: Viewer, visibility: Visibility) -> bool:
    """Public ones everybody; the others whoever is signed in. To the rest they do not exist."""
    return visibility is Visibility.PUBLIC or viewer.is_signed_in


def may_create_class(viewer: Viewer) -> bool:
    return viewer.role in TEACHING_ROLES


def may_choose_instructor(viewer: Viewer) -> bool:
    """Others than oneself."""
    return viewer.role in CURATING_ROLES


def may_manage_class(viewer: Viewer, instructor_id: str | None) -> bool:
    """Editors and administrators all of them, whoever teaches the own ones."""
    if viewer.role in CURATING_ROLES:
        return True
    is_own = viewer.is_signed_in and viewer.account_id == instructor_id
    return is_own and viewer.role in TEACHING_ROLES


def is_due_to_end(
    *,
    now: datetime,
    planned_end: datetime | None,
    last_media_at: datetime | None,
    idle_end: timedelta,
) -> bool:
    """Tell whether an interrupted class ends by itself.

    DESIGN §4.2: 30 min after both the planned end and the last media.
    """
    moments = [moment for moment in (planned_end, last_media_at) if moment is not None]
    return bool(moments) and now >= max(moments) + idle_end
