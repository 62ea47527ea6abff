"""Who may see and manage lectures. Pure."""

from __future__ import annotations

from vod.accounts.roles import Role, Viewer, Visibility


def may_see_lecture(viewer: Viewer, visibility: Visibility) -> bool:
    """Public ones everybody; the others whoever is signed in. To the rest they do not exist."""
    return visibility is Visibility.PUBLIC or viewer.is_signed_in


def may_edit_lectures(viewer: Viewer) -> bool:
    """Editors and administrators change, delete and transcode."""
    return viewer.role in {Role.EDITOR, Role.ADMIN}


def may_see_jobs(viewer: Viewer, instructor_id: str | None) -> bool:
    """Whoever may edit, and the instructor whose class it was."""
    is_own = viewer.is_signed_in and viewer.account_id == instructor_id
    return may_edit_lectures(viewer) or (is_own and viewer.role is Role.INSTRUCTOR)
