"""Statements on edits and their jobs. They never commit; the caller holds the lecture's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.layout import asset_prefix
from vod.assets.models import Asset
from vod.editing.models import Edit
from vod.jobs.models import Job, Unit
from vod.jobs.plan import PLAN_KEY
from vod.jobs.planning import EDIT_LECTURE
from vod.jobs.policy import JobState, UnitState
from vod.jobs.queries import cancel_units, queue_ready_units

_OPEN: Final = (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)


async def load_newest_edit(session: AsyncSession, lecture_id: str) -> Edit | None:
    """Load the edit in force."""
    edit: Edit | None = await session.scalar(
        select(Edit).where(Edit.lecture_id == lecture_id).order_by(Edit.version.desc()).limit(1)
    )
    return edit


async def start_cutting(session: AsyncSession, edit: Edit, base: Asset, *, now: datetime) -> Job:
    """Make the job that cuts ``base`` as ``edit`` says; it replaces whatever cut it before."""
    await cancel_cutting(session, edit.lecture_id, reason="已由新的剪辑代替", now=now)
    last = await session.scalar(
        select(func.max(Job.generation)).where(
            Job.lecture_id == edit.lecture_id, Job.source_version == base.source_version
        )
    )
    job = Job(
        id=new_id(),
        lecture_id=edit.lecture_id,
        kind=EDIT_LECTURE,
        source_version=base.source_version,
        generation=0 if last is None else last + 1,
        state=JobState.QUEUED,
        asset_id=new_id(),
        created_at=now,
    )
    session.add(job)
    await session.flush()
    prefix = asset_prefix(base.id, plan_hash=base.plan_hash)
    session.add(
        Unit(
            job_id=job.id,
            key=PLAN_KEY,
            kind="plan_edit",
            queue="short",
            position=0,
            state=UnitState.WAITING,
            spec={"base_asset_id": base.id, "prefix": prefix, "kept": edit.kept},
            after=[],
            renditions=[],
            weight=0.0,
            created_at=now,
        )
    )
    edit.job_id = job.id
    await session.flush()
    await queue_ready_units(session, job.id, now=now)
    return job


async def cancel_cutting(
    session: AsyncSession, lecture_id: str, *, reason: str, now: datetime
) -> None:
    """Cancel what is still being cut; the uncut set's own jobs go on."""
    jobs = await session.scalars(
        select(Job)
        .where(Job.lecture_id == lecture_id, Job.kind == EDIT_LECTURE, Job.state.in_(_OPEN))
        .with_for_update()
    )
    for job in jobs.all():
        await cancel_units(session, job.id, reason=reason, now=now)


async def find_base_of(session: AsyncSession, job: Job) -> str:
    """Return the id of the asset that an edit's job cuts.

    Raises:
        ConflictError: Its planning unit is gone.
    """
    spec = await session.scalar(
        select(Unit.spec).where(Unit.job_id == job.id, Unit.key == PLAN_KEY)
    )
    if spec is None:
        raise ConflictError("the job has lost its plan")
    return str(spec["base_asset_id"])


async def load_asset(session: AsyncSession, asset_id: str | None) -> Asset | None:
    """Load an asset by its id."""
    if asset_id is None:
        return None
    asset: Asset | None = await session.get(Asset, asset_id)
    return asset


def list_kept(kept: Sequence[Sequence[int]]) -> list[list[int]]:
    """Render ranges as the column keeps them."""
    return [[int(start), int(end)] for start, end in kept]
