"""Who sees and changes what: every combination of the small words, against what is said in words.

The references below are sentences of the contracts, written down once more as plainly as can be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from vod.accounts.roles import MemberFacts, Role, Scope, Viewer, Visibility
from vod.channels.models import ChannelVisibility
from vod.channels.policy import may_edit_channels, may_watch_channel
from vod.classes.states import ClassState
from vod.lectures.policy import Exposure, may_see_lecture
from vod.lectures.publication import Publication
from vod.library.policy import (
    LibraryAction,
    ReviewStep,
    may_in_library,
    may_review,
    may_submit,
)
from vod.material.access import may_change_material
from vod.playback.objects import MediaTarget
from vod.playback.rights import _is_visible
from vod.uploads.policy import may_replace, may_see_all, may_upload

ME, SOMEBODY = "me", "somebody"
EDITORS = {Role.EDITOR, Role.ADMIN}
CITY, EAST, WEST = (f"0000000000000000000{digit}" for digit in "123")
EASTERN = MemberFacts(f"/{CITY}/{EAST}/", "retired", "secretary")
WESTERN = MemberFacts(f"/{CITY}/{WEST}/", "herdsmen", None)
# Rules, and the members whom each means.
RULES: list[tuple[dict[str, Any] | None, tuple[MemberFacts, ...]]] = [
    (None, (EASTERN, WESTERN, MemberFacts())),
    ({}, (EASTERN, WESTERN, MemberFacts())),
    ({"units": [CITY]}, (EASTERN, WESTERN)),
    ({"units": [EAST]}, (EASTERN,)),
    ({"categories": ["herdsmen", "retired"]}, (EASTERN, WESTERN)),
    ({"levels": ["secretary"]}, (EASTERN,)),
    ({"units": [WEST], "categories": ["retired"]}, ()),
    ({"units": [EAST], "categories": ["retired"], "levels": ["secretary"]}, (EASTERN,)),
    ({"units": ["0" * 20]}, ()),
]
SCOPES = ((), (Scope(Role.EDITOR, f"/{CITY}/"),), (Scope(Role.UNIT_ADMIN, f"/{CITY}/"),))


def iter_viewers() -> Iterator[Viewer]:
    """Nobody, and every role with every kind of member facts and roles in sub-trees."""
    yield Viewer()
    for role, facts, scopes in itertools.product(Role, (EASTERN, WESTERN, MemberFacts()), SCOPES):
        yield Viewer(account_id=ME, role=role, member=facts, scopes=scopes)


VIEWERS = list(iter_viewers())
OWNERS: list[frozenset[str | None]] = [
    frozenset(), frozenset({None}), frozenset({ME}), frozenset({SOMEBODY, None}),
    frozenset({SOMEBODY, ME}),
]  # fmt: skip


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("publication", Publication)
def test_a_lecture_is_seen_by_whom_it_is_for(
    visibility: Visibility, publication: Publication
) -> None:
    is_published = publication is Publication.PUBLISHED
    for (rule, meant), owners, viewer in itertools.product(RULES, OWNERS, VIEWERS):
        for_all = is_published and visibility is Visibility.PUBLIC and not rule
        for_members = is_published and viewer.is_signed_in and viewer.member in meant
        own = viewer.role is Role.INSTRUCTOR and ME in owners
        wanted = for_all or for_members or own or viewer.role in EDITORS
        exposure = Exposure(visibility, publication, rule, owners)
        assert may_see_lecture(viewer, exposure) is wanted, (rule, owners, viewer)
        assert exposure.is_open is for_all, "shared caches keep what everybody may see"
        if exposure.is_open:
            assert may_see_lecture(Viewer(), exposure)


@pytest.mark.parametrize("visibility", ChannelVisibility)
def test_a_channel_is_watched_by_whom_it_is_for(visibility: ChannelVisibility) -> None:
    for (rule, meant), viewer in itertools.product(RULES, VIEWERS):
        wanted = (
            visibility is ChannelVisibility.PUBLIC
            or viewer.role in EDITORS
            or (visibility is ChannelVisibility.MEMBERS and viewer.is_signed_in)
            or (visibility is ChannelVisibility.AUDIENCE and viewer.member in meant)
        )
        assert may_watch_channel(viewer, visibility, rule or {}) is wanted, (rule, viewer)
    for viewer in VIEWERS:
        assert may_edit_channels(viewer) is (viewer.role in EDITORS)
        unreadable = may_watch_channel(viewer, ChannelVisibility.AUDIENCE, {"who": "?"})
        assert unreadable is (viewer.role in EDITORS), "a rule nobody can read is for nobody"


@dataclass(frozen=True)
class Row:
    """What the gate's one query brings about a broadcast and its replay."""

    lecture_visibility: Visibility | None
    deleted_at: datetime | None
    class_visibility: Visibility
    class_state: ClassState
    publication: Publication = Publication.PUBLISHED
    audience: dict[str, Any] | None = None
    instructor_id: str | None = SOMEBODY
    uploader_id: str | None = None


@pytest.mark.parametrize("state", ClassState)
def test_segments_of_a_class_follow_its_replay_once_it_has_ended(state: ClassState) -> None:
    times = (None, datetime(2026, 7, 1, tzinfo=UTC))
    for lecture, deleted, live, publication, (rule, _), viewer in itertools.product(
        (None, *Visibility), times, Visibility, Publication, RULES, VIEWERS
    ):
        row = Row(lecture, deleted, live, state, publication, rule)
        seen_live = live is Visibility.PUBLIC or viewer.is_signed_in
        seen_replay = (
            lecture is not None
            and deleted is None
            and may_see_lecture(viewer, Exposure(lecture, publication, rule, frozenset({SOMEBODY})))
        )
        is_over = lecture is not None and state is ClassState.ENDED
        wanted = seen_replay or (seen_live and not is_over)
        assert _is_visible(row, viewer, MediaTarget("live", "b", None)) is wanted, row
        if lecture is not None:
            assert _is_visible(row, viewer, MediaTarget("media", "l", None)) is seen_replay, row


def test_every_role_and_every_owner_in_the_library_and_with_uploads() -> None:
    mine: list[str | None] = [None, ME, SOMEBODY]
    for viewer in VIEWERS:
        is_editor, role = viewer.role in EDITORS, viewer.role
        assert may_upload(viewer) is (is_editor or role is Role.INSTRUCTOR)
        assert may_see_all(viewer) is (role is Role.ADMIN)
        assert {action for action in LibraryAction if may_in_library(viewer, action)} == (
            set(LibraryAction) if role is Role.ADMIN
            else set(LibraryAction) - {LibraryAction.SET_REVIEW} if is_editor
            else {LibraryAction.SEE_CONTACTS} if role is not None
            else set()
        )  # fmt: skip
        for teacher, sender in itertools.product(mine, mine):
            own = role is Role.INSTRUCTOR and ME in (teacher, sender)
            assert may_replace(viewer, instructor_id=teacher, uploader_id=sender) is (
                is_editor or own
            )
            assert may_submit(viewer, (teacher, sender)) is (is_editor or own)
            assert may_change_material(viewer, {o for o in (teacher, sender) if o}) is (
                is_editor or own
            )
        for reviewers, earlier, by_others in itertools.product(
            ((), (ME,), (SOMEBODY,), (ME, SOMEBODY)), ((), (ME,), (None, SOMEBODY)), (True, False)
        ):
            wanted = (
                is_editor
                and (not reviewers or ME in reviewers)
                and not (by_others and ME in earlier)
            )
            step = ReviewStep("初审", reviewers)
            assert may_review(
                viewer, step, earlier_ids=earlier, is_by_others=by_others
            ) is wanted  # fmt: skip
