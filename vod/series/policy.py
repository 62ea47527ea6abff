"""Who may curate series. Pure."""

from __future__ import annotations

from vod.accounts.roles import Role, Viewer


def may_edit_series(viewer: Viewer) -> bool:
    """Editors and administrators; reading is for everybody."""
    return viewer.role in {Role.EDITOR, Role.ADMIN}


def may_see_series(viewer: Viewer, *, is_published: bool) -> bool:
    """Published ones everybody: the lectures in it decide for themselves."""
    return is_published or may_edit_series(viewer)
