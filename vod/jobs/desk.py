"""Jobs as the desk shows them: with units, reasons and log tails."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.classes.models import LiveClass
from vod.jobs import schemas
from vod.jobs.models import Job, Unit
from vod.jobs.policy import UnitState, compute_progress
from vod.lectures.models import Lecture

MAX_JOBS: Final = 20  # Newest first; older ones say nothing a person needs.


async def load_jobs(session: AsyncSession, lecture_id: str) -> schemas.JobList:
    """Load the newest jobs of a lecture with their units in the order of their plans."""
    jobs = (
        await session.scalars(
            select(Job)
            .where(Job.lecture_id == lecture_id)
            .order_by(Job.source_version.desc(), Job.generation.desc())
            .limit(MAX_JOBS)
        )
    ).all()
    rows = await session.execute(
        select(
            Unit.job_id, Unit.id, Unit.key, Unit.kind, Unit.state, Unit.attempt, Unit.worker,
            Unit.progress, Unit.speed, Unit.reason, Unit.log_tail, Unit.weight,
        )
        .where(Unit.job_id.in_([job.id for job in jobs]))
        .order_by(Unit.job_id, Unit.position)
    )  # fmt: skip
    units: defaultdict[str, list[schemas.Unit]] = defaultdict(list)
    done: defaultdict[str, float] = defaultdict(float)
    total: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        units[row.job_id].append(schemas.Unit.model_validate(row, from_attributes=True))
        done[row.job_id] += row.weight * (1 if row.state is UnitState.DONE else row.progress)
        total[row.job_id] += row.weight
    items = [
        schemas.Job(
            id=job.id,
            kind=job.kind,
            state=job.state,
            progress=compute_progress(done_weight=done[job.id], total_weight=total[job.id]),
            reason=job.reason,
            created_at=job.created_at,
            units=units[job.id],
        )
        for job in jobs
    ]
    return schemas.JobList(items=items, page=1, page_size=MAX_JOBS, total=len(items))


async def load_instructor_id(session: AsyncSession, lecture_id: str) -> str | None:
    """Find whose class a lecture was; ``None`` for nobody's.

    Raises:
        NotFoundError: No such lecture.
    """
    row = (
        await session.execute(
            select(Lecture.id, LiveClass.instructor_id)
            .outerjoin(LiveClass, LiveClass.id == Lecture.live_class_id)
            .where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("no such lecture")
    instructor_id: str | None = row.instructor_id
    return instructor_id
