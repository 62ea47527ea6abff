"""Who may change the material of a lecture: editors, and the instructor whose lecture it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotAllowedError, NotSignedInError
from vod.accounts.roles import Role, Viewer
from vod.classes.models import LiveClass
from vod.db.engine import Database
from vod.lectures.models import Lecture
from vod.lectures.policy import may_edit_lectures
from vod.lectures.service import load_lecture
from vod.uploads.models import Upload


def may_change_material(viewer: Viewer, owner_ids: Collection[str]) -> bool:
    """Tell whether captions, chapters, poster and cuts are in this person's hands. Pure."""
    is_own = viewer.account_id in owner_ids
    return may_edit_lectures(viewer) or (is_own and viewer.role is Role.INSTRUCTOR)


async def load_owner_ids(session: AsyncSession, lectures: Sequence[Lecture]) -> dict[str, set[str]]:
    """Find whose lectures these are, in one query: who taught the class, who sent the file."""
    owners: dict[str, set[str]] = {lecture.id: set() for lecture in lectures}
    rows = await session.execute(
        select(Lecture.id, LiveClass.instructor_id, Upload.account_id)
        .outerjoin(LiveClass, LiveClass.id == Lecture.live_class_id)
        .outerjoin(Upload, Upload.id == Lecture.upload_id)
        .where(Lecture.id.in_(owners))
    )
    for lecture_id, *ids in rows.tuples():
        owners[lecture_id].update(owner for owner in ids if owner is not None)
    return owners


async def load_for_change(session: AsyncSession, lecture_id: str, viewer: Viewer) -> Lecture:
    """Load a lecture whose material the viewer may change.

    Raises:
        NotSignedInError: Nobody is signed in.
        NotFoundError: No such lecture, or the viewer may not know of it.
        NotAllowedError: It is in other hands.
    """
    if viewer.account_id is None:
        raise NotSignedInError("sign in first")
    lecture = await load_lecture(session, lecture_id, viewer)
    owners = await load_owner_ids(session, [lecture])
    if not may_change_material(viewer, owners[lecture_id]):
        raise NotAllowedError("only editors and whoever taught it change this")
    return lecture


async def require_change(database: Database, lecture_id: str, viewer: Viewer) -> None:
    """Check the right before a large body is read; raises what ``load_for_change`` raises."""
    async with database.read() as session:
        await load_for_change(session, lecture_id, viewer)
