"""What is made of lectures: files, renditions, jobs, material. A fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.assets.models import Asset
from vod.captions.refs import TrackRef, load_refs
from vod.editing.models import Edit
from vod.editing.policy import describe_state
from vod.jobs.models import Job, RenditionRow, Unit
from vod.jobs.planning import MAKE_CLIP
from vod.jobs.policy import UnitState, compute_progress
from vod.lectures import schemas
from vod.lectures.models import Lecture
from vod.library.parts import CatalogueParts, load_parts
from vod.material.access import load_owner_ids
from vod.material.models import Material
from vod.posters.service import load_own_names
from vod.series.entries import load_memberships
from vod.series.schemas import SeriesMembership
from vod.uploads.models import Upload

MAX_JOBS: Final = 5  # Shown per lecture, newest first; the desk has the whole list.


@dataclass(slots=True)
class LectureExtras:
    """Beside the row: the published asset and what it is made from, jobs, captions and so on.

    Attributes:
        renditions: Of the set that plays; before there is one, of the newest plan.
        owner_ids: Who taught it or sent its file.
    """

    asset: Asset | None = None
    renditions: list[schemas.Rendition] = field(default_factory=list)
    jobs: list[schemas.JobSummary] = field(default_factory=list)
    tracks: list[TrackRef] = field(default_factory=list)
    material: Material | None = None
    own_posters: list[str] = field(default_factory=list)
    upload: Upload | None = None
    edit: schemas.EditSummary | None = None
    owner_ids: set[str] = field(default_factory=set)
    series: list[SeriesMembership] = field(default_factory=list)
    catalogue: CatalogueParts = field(default_factory=CatalogueParts)


async def load_extras(
    session: AsyncSession, lectures: Sequence[Lecture]
) -> defaultdict[str, LectureExtras]:
    """Load the extras of all ``lectures`` in sixteen queries, by lecture id."""
    extras: defaultdict[str, LectureExtras] = defaultdict(LectureExtras)
    ids = [lecture.id for lecture in lectures]
    if not ids:
        return extras
    jobs = list(
        await session.scalars(
            select(Job)
            .where(Job.lecture_id.in_(ids), Job.kind != MAKE_CLIP)
            .order_by(Job.source_version.desc(), Job.generation.desc())
        )
    )
    progress = await load_progress(session, [job.id for job in jobs])
    for job in jobs:
        shown = extras[job.lecture_id].jobs
        if len(shown) < MAX_JOBS:
            shown.append(render_job(job, progress.get(job.id, 0.0)))
    await _add_assets(session, extras, lectures)
    await _add_renditions(session, extras, jobs)
    await _add_material(session, extras, lectures)
    await _add_edits(session, extras, ids)
    for lecture_id, series in (await load_memberships(session, ids)).items():
        extras[lecture_id].series = series
    for lecture_id, parts in (await load_parts(session, lectures)).items():
        extras[lecture_id].catalogue = parts
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
    for job in jobs:
        found = extras[job.lecture_id]
        if found.asset is not None and found.asset.job_id in by_job:
            found.renditions = by_job[found.asset.job_id]
        elif not found.renditions:  # Newest first: the newest job that has a plan.
            found.renditions = by_job[job.id]


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


async def _add_material(
    session: AsyncSession,
    extras: defaultdict[str, LectureExtras],
    lectures: Sequence[Lecture],
) -> None:
    ids = [lecture.id for lecture in lectures]
    for lecture_id, tracks in (await load_refs(session, ids)).items():
        extras[lecture_id].tracks = tracks
    for material in await session.scalars(select(Material).where(Material.lecture_id.in_(ids))):
        extras[material.lecture_id].material = material
    for lecture_id, names in (await load_own_names(session, ids)).items():
        extras[lecture_id].own_posters = names
    for lecture_id, owners in (await load_owner_ids(session, lectures)).items():
        extras[lecture_id].owner_ids = owners
    by_upload = {lecture.upload_id: lecture.id for lecture in lectures if lecture.upload_id}
    for upload in await session.scalars(select(Upload).where(Upload.id.in_(by_upload))):
        extras[by_upload[upload.id]].upload = upload


async def _add_edits(
    session: AsyncSession, extras: defaultdict[str, LectureExtras], ids: Collection[str]
) -> None:
    newest = (
        select(Edit.lecture_id, func.max(Edit.version).label("version"))
        .where(Edit.lecture_id.in_(ids))
        .group_by(Edit.lecture_id)
        .subquery()
    )
    is_newest = (Edit.lecture_id == newest.c.lecture_id) & (Edit.version == newest.c.version)
    rows = await session.execute(
        select(Edit, Job.state).join(newest, is_newest).outerjoin(Job, Job.id == Edit.job_id)
    )
    for edit, state in rows.tuples():
        extras[edit.lecture_id].edit = schemas.EditSummary(
            state=describe_state(has_cut=bool(edit.kept), job=state), version=edit.version
        )
