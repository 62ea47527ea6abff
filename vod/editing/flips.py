"""Which assets a lecture points to when a set is finished. In the transaction that publishes it.

Edits never destroy: ``base_asset_id`` is the uncut set while ``asset_id`` plays a cut of it. A new
uncut set under an edit in force becomes the base at once and plays only after it was cut; until
then the old cut plays.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError
from vod.assets.models import Asset
from vod.editing.models import Edit
from vod.editing.policy import Flip, choose_flip, extend_kept
from vod.editing.queries import (
    cancel_cutting,
    find_base_of,
    list_kept,
    load_asset,
    load_newest_edit,
    start_cutting,
)
from vod.jobs.models import Job
from vod.jobs.planning import EDIT_LECTURE
from vod.lectures.models import Lecture

DROPPED_ZH = "课程换了新文件,原来的剪辑已取消"


async def arrange_flip(
    session: AsyncSession, job: Job, asset: Asset, lecture: Lecture, *, now: datetime
) -> dict[str, Any] | None:
    """Tell which pointers of ``lecture`` the finished ``asset`` changes; ``None`` for none.

    The caller holds the lecture's lock, has flushed ``asset`` and writes the columns. Starts the
    cut that follows, when there is one.

    Raises:
        ConflictError: The edit that the set was made for is no longer in force.
    """
    edit = await load_newest_edit(session, lecture.id)
    if job.kind == EDIT_LECTURE:
        return await _flip_cut(session, job, lecture, edit)
    is_same = edit is not None and edit.source_version == asset.source_version
    flip = choose_flip(
        has_edit=edit is not None and bool(edit.kept),
        is_same_source=is_same,
        is_recording=job.kind == "transcode_recording" and lecture.upload_id is None,
        is_partial=asset.is_partial,
    )
    if flip is Flip.SKIP:
        return None
    if flip is Flip.PLAY or edit is None:
        return {"asset_id": asset.id, "base_asset_id": None}
    if flip is Flip.DROP_EDIT:
        await cancel_cutting(session, lecture.id, reason=DROPPED_ZH, now=now)
        session.add(_follow(edit, kept=[], asset=asset, reason=DROPPED_ZH, now=now))
        return {"asset_id": asset.id, "base_asset_id": None}
    if not is_same:
        edit = await _extend(session, edit, asset, lecture, now=now)
    await start_cutting(session, edit, asset, now=now)
    return {"base_asset_id": asset.id}


async def _flip_cut(
    session: AsyncSession, job: Job, lecture: Lecture, edit: Edit | None
) -> dict[str, Any]:
    base_id = await find_base_of(session, job)
    if edit is None or edit.job_id != job.id or not edit.kept:
        raise ConflictError("the edit was changed meanwhile")
    if base_id not in {lecture.base_asset_id, lecture.asset_id}:
        raise ConflictError("the uncut lecture was made again meanwhile")
    return {"asset_id": job.asset_id, "base_asset_id": base_id}


async def _extend(
    session: AsyncSession, edit: Edit, asset: Asset, lecture: Lecture, *, now: datetime
) -> Edit:
    """Carry an edit over to a longer recording of the same class."""
    old = await load_asset(session, lecture.base_asset_id or lecture.asset_id)
    old_ticks = old.duration_ticks if old is not None else edit.kept[-1][1]
    kept = extend_kept(edit.kept, old_ticks=old_ticks, new_ticks=asset.duration_ticks)
    follower = _follow(edit, kept=list_kept(kept), asset=asset, reason=None, now=now)
    session.add(follower)
    await session.flush()
    return follower


def _follow(
    edit: Edit, *, kept: list[list[int]], asset: Asset, reason: str | None, now: datetime
) -> Edit:
    return Edit(
        lecture_id=edit.lecture_id,
        version=edit.version + 1,
        kept=kept,
        source_version=asset.source_version,
        job_id=None,
        reason=reason,
        created_by=None,
        created_at=now,
    )
