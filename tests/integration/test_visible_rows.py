"""Who sees a lecture, asked of one and asked of rows: the same, for every combination there is."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from kernel.ids import new_id
from tests.support.vod import Vod, database_url, databases, vod
from vod.accounts.roles import ANONYMOUS, MemberFacts, Role, Scope, Viewer, Visibility
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.lectures.models import Lecture, LectureState
from vod.lectures.policy import Exposure, may_see_lecture
from vod.lectures.publication import Publication
from vod.lectures.visible import build_open, build_visible, describe_exposure
from vod.uploads.models import Upload

__all__ = ["database_url", "databases", "vod"]  # Fixtures.

CITY, EAST, WEST = (f"0000000000000000000{digit}" for digit in "123")
# A rule that asks for nothing is stored as NULL (``vod.lectures.writing``).
RULES: list[dict[str, Any] | None] = [
    None, {"units": [EAST]}, {"units": [CITY], "categories": ["herdsmen"]},
    {"levels": ["secretary"]},
]  # fmt: skip
FACTS = (
    MemberFacts(f"/{CITY}/{EAST}/", "retired", "secretary"),
    MemberFacts(f"/{CITY}/{WEST}/", "herdsmen", None),
    MemberFacts(),
)
OWNERS = ("nobody", "teacher", "sender")


def build_lecture(vod: Vod, **values: Any) -> Lecture:
    return Lecture(
        id=new_id(), title="课", created_at=vod.clock.now(), state=LectureState.PLAYABLE, **values
    )


def build_class(vod: Vod, teacher_id: str) -> LiveClass:
    return LiveClass(
        id=new_id(), title="课", visibility=Visibility.PUBLIC, state=ClassState.ENDED,
        broadcast_id=new_id(), created_at=vod.clock.now(), instructor_id=teacher_id,
    )  # fmt: skip


def build_upload(vod: Vod, sender_id: str) -> Upload:
    now = vod.clock.now()
    return Upload(
        id=new_id(), account_id=sender_id, filename="a.mp4", metadata_text="", title="课",
        visibility=Visibility.PUBLIC, size_bytes=1, part_bytes=1, multipart="", created_at=now,
        expires_at=now + timedelta(days=1),
    )  # fmt: skip


def build_viewers(mine: str) -> list[Viewer]:
    scopes = (Scope(Role.EDITOR, f"/{CITY}/"),)
    return [
        ANONYMOUS,
        *(Viewer(mine, role, member=facts) for role, facts in itertools.product(Role, FACTS)),
        Viewer(mine, Role.MEMBER, member=FACTS[0], scopes=scopes),  # An editor of a sub-tree.
    ]


async def test_rows_are_seen_as_each_one_is(vod: Vod) -> None:
    mine = await vod.add_account("me", Role.INSTRUCTOR)
    other = await vod.add_account("other", Role.INSTRUCTOR)
    upload, foreign = build_upload(vod, mine), build_upload(vod, other)
    rows: list[tuple[Lecture, frozenset[str | None]]] = []
    async with vod.services.database.write() as session:
        session.add_all([upload, foreign])
        await session.flush()
        for visibility, publication, rule, owner in itertools.product(
            Visibility, Publication, RULES, OWNERS
        ):
            lecture = build_lecture(
                vod, visibility=visibility, publication=publication, audience=rule,
                upload_id=upload.id if owner == "sender" else foreign.id,
            )  # fmt: skip
            if owner == "teacher":
                live_class = build_class(vod, mine)
                session.add(live_class)
                await session.flush()
                lecture.live_class_id = live_class.id
            session.add(lecture)
            rows.append((lecture, frozenset({other} if owner == "nobody" else {mine, None})))
    async with vod.services.database.read() as session:
        stored = {row.id: row for row in await session.scalars(select(Lecture))}
        opened = set(await session.scalars(select(Lecture.id).where(build_open())))
        for viewer in build_viewers(mine):
            seen = set(await session.scalars(select(Lecture.id).where(build_visible(viewer))))
            wanted = {
                lecture.id
                for lecture, owners in rows
                if may_see_lecture(
                    viewer,
                    Exposure(
                        lecture.visibility, lecture.publication, stored[lecture.id].audience, owners
                    ),
                )
            }
            assert seen == wanted, viewer
    assert len(stored) == len(rows) == 2 * 5 * len(RULES) * len(OWNERS)
    # What shared caches may keep is what everybody may see, and nothing else.
    assert opened == {key for key, row in stored.items() if describe_exposure(row).is_open}
