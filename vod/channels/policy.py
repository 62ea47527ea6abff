"""Who may watch and who may change channels. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from vod.accounts.roles import Role, Viewer
from vod.audience.rule import AudienceRule, fits
from vod.channels.models import ChannelVisibility


def may_edit_channels(viewer: Viewer) -> bool:
    """Editors and administrators of the city."""
    return viewer.role in {Role.EDITOR, Role.ADMIN}


def may_watch_channel(
    viewer: Viewer, visibility: ChannelVisibility, audience: dict[str, Any]
) -> bool:
    """Public ones everybody; members' ones whoever is signed in; else whom the rule fits.

    It is the right to all that the channel airs while it airs it, whoever may see the lecture
    itself. Who curates channels sees them all.
    """
    if visibility is ChannelVisibility.PUBLIC or may_edit_channels(viewer):
        return True
    if not viewer.is_signed_in:
        return False
    if visibility is ChannelVisibility.MEMBERS:
        return True
    try:
        rule = AudienceRule.model_validate(audience)
    except ValidationError:
        return False  # A rule that nobody can read is for nobody.
    return fits(rule, viewer.member)
