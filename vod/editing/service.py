"""See, change and undo the cutting of a lecture. Owns its transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError
from vod.assets.models import Asset
from vod.audit.service import record
from vod.db.engine import Database
from vod.editing.models import Edit
from vod.editing.policy import EditState, Kept, describe_state, read_kept
from vod.editing.queries import (
    cancel_cutting,
    list_kept,
    load_asset,
    load_newest_edit,
    start_cutting,
)
from vod.jobs.models import Job
from vod.jobs.queries import lock_lecture
from vod.lectures.models import Lecture


@dataclass(frozen=True, slots=True)
class EditFacts:
    """An edit beside the uncut set it is of.

    Attributes:
        kept: Empty when nothing is cut out.
        base: The uncut set; ``None`` before there is one.
    """

    version: int
    kept: Kept
    state: EditState
    reason: str | None
    job_id: str | None
    base: Asset | None


async def load_edit(session: AsyncSession, lecture: Lecture) -> EditFacts:
    """Load the edit in force of a lecture."""
    edit = await load_newest_edit(session, lecture.id)
    base = await load_asset(session, lecture.base_asset_id or lecture.asset_id)
    if edit is None:
        return EditFacts(0, (), "none", None, None, base)
    job = await session.get(Job, edit.job_id) if edit.job_id is not None else None
    state = describe_state(has_cut=bool(edit.kept), job=job.state if job else None)
    if state == "failed" and lecture.source_version > edit.source_version:
        state = "queued"  # A longer recording is on its way and will be cut, too.
    return EditFacts(
        version=edit.version,
        kept=tuple((start, end) for start, end in edit.kept),
        state=state,
        reason=edit.reason or (job.reason if job is not None and state == "failed" else None),
        job_id=edit.job_id,
        base=base,
    )


class EditService:
    """The editor's verbs.

    Raises (all methods):
        NotFoundError: No such lecture.
        ConflictError: 409; another version is in force by now, or nothing is there to be cut.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self,
        lecture_id: str,
        ranges: list[tuple[float, float]],
        *,
        version: int,
        actor_id: str | None,
        now: datetime,
    ) -> None:
        """Keep ``ranges`` (seconds of uncut time) only; keeping all of it undoes the edit.

        Raises:
            InputError: 422; the ranges do not hold.
        """
        async with self._database.write() as session:
            lecture = await lock_lecture(session, lecture_id)
            edit = await load_newest_edit(session, lecture_id)
            _require_version(edit, version)
            base = await _require_base(session, lecture)
            if base.source_version != lecture.source_version:
                raise ConflictError(
                    "the lecture is being made from a newer source",
                    title_zh="课程正在换用新的内容,完成后才能剪辑",
                )
            kept = read_kept(ranges, duration_ticks=base.duration_ticks)
            if not kept:
                await _restore(session, lecture, edit, base, actor_id=actor_id, now=now)
                return
            follower = Edit(
                lecture_id=lecture_id,
                version=version + 1,
                kept=list_kept(kept),
                source_version=base.source_version,
                created_by=actor_id,
                created_at=now,
            )
            session.add(follower)
            await session.flush()
            await start_cutting(session, follower, base, now=now)
            record(
                session,
                now=now,
                actor_id=actor_id,
                action="lecture.edited",
                object_type="lecture",
                object_id=lecture_id,
                version=follower.version,
                kept=follower.kept,
            )

    async def restore(self, lecture_id: str, *, actor_id: str | None, now: datetime) -> None:
        """Bring the uncut lecture back, at once."""
        async with self._database.write() as session:
            lecture = await lock_lecture(session, lecture_id)
            edit = await load_newest_edit(session, lecture_id)
            base = await _require_base(session, lecture)
            await _restore(session, lecture, edit, base, actor_id=actor_id, now=now)


async def _restore(
    session: AsyncSession,
    lecture: Lecture,
    edit: Edit | None,
    base: Asset,
    *,
    actor_id: str | None,
    now: datetime,
) -> None:
    if edit is None or not edit.kept:
        return
    await cancel_cutting(session, lecture.id, reason="已恢复原样", now=now)
    session.add(
        Edit(
            lecture_id=lecture.id,
            version=edit.version + 1,
            kept=[],
            source_version=base.source_version,
            created_by=actor_id,
            created_at=now,
        )
    )
    if lecture.asset_id != base.id:
        lecture.asset_id = base.id
        lecture.duration_ticks = base.duration_ticks
        lecture.published_at = now
    lecture.base_asset_id = None
    record(
        session,
        now=now,
        actor_id=actor_id,
        action="lecture.edit_undone",
        object_type="lecture",
        object_id=lecture.id,
        version=edit.version + 1,
    )


def _require_version(edit: Edit | None, version: int) -> None:
    present = edit.version if edit is not None else 0
    if present != version:
        raise ConflictError(
            f"version {present} is in force, not {version}",
            title_zh="别人刚改过剪辑,请刷新后再试",
        )


async def _require_base(session: AsyncSession, lecture: Lecture) -> Asset:
    base = await load_asset(session, lecture.base_asset_id or lecture.asset_id)
    if base is None or base.is_partial:
        raise ConflictError(
            "the lecture has no finished renditions yet",
            title_zh="课程还在转码,完成后才能剪辑",
        )
    return base
