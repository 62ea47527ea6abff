"""What is made of lectures: published files, renditions, jobs. A fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.assets.models import Asset
from vod.jobs.models import Job, RenditionRow, Unit
from vod.jobs.policy import UnitState, compute_progress
from vod.lectures import schemas
from vod.lectures.models import Lecture

MAX_JOBS: Final = 5  # Shown per lecture, newest first; the desk has the whole list.


@dataclass(slots=True)
class LectureExtras:
    """Beside the row: the published asset, the newest planned renditions, the newest jobs."""

    asset: Asset | None = None
    renditions: list[schemas.Rendition] = field(default_factory=list)
    jobs: list[schemas.JobSummary] = field(default_factory=list)


async def load_extras(
    session: AsyncSession, lectures: Sequence[Lecture]
) -> defaultdict[str, LectureExtras]:
    """Load the extras of all ``lectures`` in five queries, by lecture id."""
    extras: defaultdict[str, LectureExtras] = defaultdict(LectureExtras)
    ids = [lecture.id for lecture in lectures]
    if not ids:
        return extras
    jobs = list(
        await session.scalars(
            select(Job)
            .where(Job.lecture_id.in_(ids))
            .order_by(Job.source_version.desc(), Job.generation.desc())
        )
    )
    progress = await load_progress(session, [job.id for job in jobs])
    for job in jobs:
        shown = extras[job.lecture_id].jobs
        if len(shown) < MAX_JOBS:
            shown.append(render_job(job, progress.get(job.id, 0.0)))
    await _add_renditions(session, extras, jobs)
    await _add_assets(session, extras, lectures)
    return extras


async def load_progress(session: AsyncSession, job_ids: Sequence[str]) -> dict[str, float]:
    """Compute how much of each job is done, 0 to 1, in one query."""
    share = case((Unit.state == UnitState.DONE, 1.0), else_=Unit.progress)
    rows = await session.execute(
        select(Unit.job_id, func.sum(Unit.weight * share), func.sum(Unit.weight))
        .where(Unit.job_id.in_(job_ids))
        .group_by(Unit.job_id)
    )
    return {
        job_id: compute_progress(done_weight=done, total_weight=total)
        for job_id, done, total in rows.tuples()
    }


def render_job(job: Job, progress: float) -> schemas.JobSummary:
    return schemas.JobSummary(
        id=job.id, kind=job.kind, state=job.state.value, progress=progress, reason=job.reason
    )


async def _add_renditions(
    session: AsyncSession, extras: defaultdict[str, LectureExtras], jobs: Sequence[Job]
) -> None:
    by_job: defaultdict[str, list[schemas.Rendition]] = defaultdict(list)
    rows = await session.scalars(
        select(RenditionRow)
        .where(RenditionRow.job_id.in_([job.id for job in jobs]))
        .order_by(RenditionRow.position)
    )
    for row in rows:
        by_job[row.job_id].append(_render_rendition(row))
    for job in jobs:  # Newest first: the newest job that has a plan is the one to show.
        if not extras[job.lecture_id].renditions:
            extras[job.lecture_id].renditions = by_job[job.id]


def _render_rendition(row: RenditionRow) -> schemas.Rendition:
    return schemas.Rendition(
        name=row.name,
        kind="audio" if row.kind == "audio" else "video",
        width=row.width_px,
        height=row.height_px,
        codec=row.codec,
        bitrate_bps=row.bitrate_bps,
        state=row.state.value,
        reason=row.reason,
    )


async def _add_assets(
    session: AsyncSession,
    extras: defaultdict[str, LectureExtras],
    lectures: Sequence[Lecture],
) -> None:
    by_id = {lecture.asset_id: lecture.id for lecture in lectures if lecture.asset_id}
    for asset in await session.scalars(select(Asset).where(Asset.id.in_(by_id))):
        extras[by_id[asset.id]].asset = asset
