"""Who may upload, and what for. Pure."""

from __future__ import annotations

from vod.accounts.roles import Role, Viewer


def may_upload(viewer: Viewer) -> bool:
    """Whoever teaches or edits."""
    return viewer.role in {Role.INSTRUCTOR, Role.EDITOR, Role.ADMIN}


def may_see_all(viewer: Viewer) -> bool:
    """Others see their own uploads only."""
    return viewer.role is Role.ADMIN


def may_replace(viewer: Viewer, *, instructor_id: str | None, uploader_id: str | None) -> bool:
    """Editors any lecture's file; instructors of their own classes and uploads."""
    if viewer.role in {Role.EDITOR, Role.ADMIN}:
        return True
    is_own = viewer.account_id is not None and viewer.account_id in {instructor_id, uploader_id}
    return viewer.role is Role.INSTRUCTOR and is_own
