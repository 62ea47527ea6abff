"""Who may do what in the library. One table. Pure."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vod.accounts.roles import Role, Viewer


class LibraryAction(enum.Enum):
    """What somebody may want to do."""

    CURATE = "curate"  # Lectures, series, forms, teachers, venues, papers, course lists.
    PUBLISH = "publish"  # Publish without review where there is none, withdraw.
    SET_REVIEW = "set_review"  # How many steps, and who passes them.
    SEE_REVIEW = "see_review"  # The queue and the history.
    SEE_CONTACTS = "see_contacts"  # Names and phones at venues.


_EDITORS = frozenset({Role.EDITOR, Role.ADMIN})
RIGHTS: dict[LibraryAction, frozenset[Role]] = {
    LibraryAction.CURATE: _EDITORS,
    LibraryAction.PUBLISH: _EDITORS,
    LibraryAction.SET_REVIEW: frozenset({Role.ADMIN}),
    LibraryAction.SEE_REVIEW: _EDITORS,
    LibraryAction.SEE_CONTACTS: frozenset(Role),
}


@dataclass(frozen=True, slots=True)
class ReviewStep:
    """One step; without ``reviewers`` any editor passes it."""

    name: str
    reviewers: tuple[str, ...] = ()


def may_in_library(viewer: Viewer, action: LibraryAction) -> bool:
    return viewer.role in RIGHTS[action]


def may_submit(viewer: Viewer, owner_ids: Collection[str | None]) -> bool:
    """Editors anything; instructors what they taught or sent. So for taking it back."""
    is_own = viewer.account_id is not None and viewer.account_id in owner_ids
    return may_in_library(viewer, LibraryAction.CURATE) or (
        is_own and viewer.role is Role.INSTRUCTOR
    )


def may_review(
    viewer: Viewer, step: ReviewStep, *, earlier_ids: Sequence[str | None], is_by_others: bool
) -> bool:
    """Editors whom the step names, or any; with ``is_by_others`` nobody who did an earlier deed.

    Args:
        earlier_ids: Who handed it in this time, and who passed the steps since.
    """
    if not may_in_library(viewer, LibraryAction.SEE_REVIEW):
        return False
    if is_by_others and viewer.account_id in earlier_ids:
        return False
    return not step.reviewers or viewer.account_id in step.reviewers
