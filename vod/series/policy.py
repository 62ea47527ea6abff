"""Who may curate series. Pure."""

from __future__ import annotations

from vod.accounts.roles import Role, Viewer


def may_edit_series(viewer: Viewer) -> bool:
    """Editors and administrators; reading is for everybody."""
    return viewer.role in {Role.EDITOR, Role.ADMIN}
