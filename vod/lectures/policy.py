"""Who may see and manage lectures. Pure; ``vod.lectures.visible`` asks the same of rows."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from vod.accounts.roles import Role, Viewer, Visibility
from vod.audience.rule import AudienceRule, fits
from vod.lectures.publication import Publication


@dataclass(frozen=True, slots=True)
class Exposure:
    """What decides who sees a lecture.

    Attributes:
        audience: An audience rule as it is stored; ``None`` is everybody.
        owner_ids: Who taught it or sent its file.
    """

    visibility: Visibility
    publication: Publication = Publication.PUBLISHED
    audience: dict[str, Any] | None = None
    owner_ids: AbstractSet[str | None] = frozenset()

    @property
    def is_open(self) -> bool:
        """Everybody may see it, so shared caches may keep it."""
        is_public = self.visibility is Visibility.PUBLIC
        return is_public and self.publication is Publication.PUBLISHED and not self.audience


def may_see_lecture(viewer: Viewer, exposure: Exposure) -> bool:
    """Open ones everybody; other published ones those they are meant for.

    Editors see all, instructors their own drafts as well. To the rest they do not exist.
    """
    if may_edit_lectures(viewer) or exposure.is_open:
        return True
    if not viewer.is_signed_in:
        return False
    if viewer.role is Role.INSTRUCTOR and viewer.account_id in exposure.owner_ids:
        return True
    rule = AudienceRule.model_validate(exposure.audience or {})
    return exposure.publication is Publication.PUBLISHED and fits(rule, viewer.member)


def may_edit_lectures(viewer: Viewer) -> bool:
    """Editors and administrators change, delete and transcode."""
    return viewer.role in {Role.EDITOR, Role.ADMIN}


def may_see_jobs(viewer: Viewer, instructor_id: str | None) -> bool:
    """Whoever may edit, and the instructor whose class it was."""
    is_own = viewer.is_signed_in and viewer.account_id == instructor_id
    return may_edit_lectures(viewer) or (is_own and viewer.role is Role.INSTRUCTOR)
