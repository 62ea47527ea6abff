"""Who owns what lies in the store: each judge asks the database about one batch of groups.

A judge answers with the sentence why nobody owns a group; groups that somebody owns are left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from vod.assets.models import Asset
from vod.assets.sweep import FINISH_FOR
from vod.clips.models import Clip
from vod.jobs.models import Job, Unit
from vod.jobs.policy import JobState, UnitState
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadState

SPARED: Final = timedelta(hours=24)  # Whatever is younger may belong to something that just begins.


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and how long replaced things are kept for players that are open."""

    now: datetime
    keep: timedelta


Judge = Callable[[AsyncSession, Sequence[str], Moment], Awaitable[dict[str, str]]]


async def judge_staging(
    session: AsyncSession, prefixes: Sequence[str], moment: Moment
) -> dict[str, str]:
    """``staging/{unit_id}-{fence}/``: needed while the attempt runs, then its result."""
    owners: dict[str, tuple[str, str]] = {}
    for prefix in prefixes:
        unit_id, _, fence = prefix.split("/")[1].rpartition("-")
        owners[prefix] = unit_id, fence
    failed = aliased(Unit)
    has_failed = exists().where(failed.job_id == Job.id, failed.state == UnitState.FAILED)
    rows = await session.execute(
        select(Unit.id, Unit.state, Unit.fence, Job.state.label("job_state"), Job.finished_at,
               Job.files_deleted_at, has_failed.label("has_failed"))
        .join(Job, Job.id == Unit.job_id)
        .where(Unit.id.in_({unit_id for unit_id, _ in owners.values()}))
    )  # fmt: skip
    units = {row.id: row for row in rows}
    verdicts: dict[str, str] = {}
    for prefix, (unit_id, fence) in owners.items():
        row = units.get(unit_id)
        is_last = row is not None and fence == str(row.fence)
        if row is None:
            verdicts[prefix] = "没有对应的转码任务"
        elif not is_last or row.state not in {UnitState.RUNNING, UnitState.DONE}:
            verdicts[prefix] = "中断的转码留下的"
        elif row.files_deleted_at is not None or (
            row.job_state is JobState.DONE
            and not row.has_failed  # What was to be added can be retried, from what is staged.
            and row.finished_at is not None
            and row.finished_at <= moment.now - SPARED
        ):
            verdicts[prefix] = "转码任务已经结束"
    return verdicts


async def judge_assets(
    session: AsyncSession, prefixes: Sequence[str], moment: Moment
) -> dict[str, str]:
    """``assets/{asset_id}/{plan_hash}[-first]/``: of a job that still has its files."""
    ids = {prefix.split("/")[1] for prefix in prefixes}
    rows = await session.execute(
        select(Job.asset_id, Job.files_deleted_at, Asset.is_partial, Asset.published_at)
        .outerjoin(Asset, Asset.id == Job.asset_id)
        .where(Job.asset_id.in_(ids))
    )
    jobs = {row.asset_id: row for row in rows}
    verdicts: dict[str, str] = {}
    settled = moment.now - FINISH_FOR
    for prefix in prefixes:
        row = jobs.get(prefix.split("/")[1])
        if row is None:
            verdicts[prefix] = "没有对应的转码任务"
        elif row.files_deleted_at is not None and row.files_deleted_at <= settled:
            verdicts[prefix] = "转码任务的文件已经清理"
        elif (
            prefix.endswith("-first/")
            and row.is_partial is False
            and row.published_at <= settled - moment.keep
        ):
            verdicts[prefix] = "已由完整版本代替"
    return verdicts


async def judge_uploads(
    session: AsyncSession, prefixes: Sequence[str], moment: Moment
) -> dict[str, str]:
    """``uploads/{upload_id}``: of an upload whose bytes were not given up."""
    ids = {prefix.split("/")[1] for prefix in prefixes}
    rows = await session.execute(
        select(Upload.id, Upload.bytes_deleted_at).where(Upload.id.in_(ids))
    )
    uploads = dict(rows.tuples().all())
    verdicts: dict[str, str] = {}
    for prefix in prefixes:
        upload_id = prefix.split("/")[1]
        if upload_id not in uploads:
            verdicts[prefix] = "没有对应的上传记录"
        elif (deleted_at := uploads[upload_id]) and deleted_at <= moment.now - FINISH_FOR:
            verdicts[prefix] = "上传的文件已经作废"
    return verdicts


async def judge_posters(
    session: AsyncSession, prefixes: Sequence[str], _moment: Moment
) -> dict[str, str]:
    """``posters/{lecture_id}/``: of a lecture."""
    ids = {prefix.split("/")[1] for prefix in prefixes}
    known = set(await session.scalars(select(Lecture.id).where(Lecture.id.in_(ids))))
    return {p: "没有对应的课程" for p in prefixes if p.split("/")[1] not in known}


async def judge_clips(
    session: AsyncSession, prefixes: Sequence[str], _moment: Moment
) -> dict[str, str]:
    """``clips/{lecture_id}/{clip_id}/``: of a clip that the sweep has not forgotten."""
    ids = {prefix.split("/")[2] for prefix in prefixes}
    known = set(await session.scalars(select(Clip.id).where(Clip.id.in_(ids))))
    return {p: "没有对应的短片" for p in prefixes if p.split("/")[2] not in known}


async def judge_multiparts(
    session: AsyncSession, prefixes: Sequence[str], _moment: Moment
) -> dict[str, str]:
    """Unfinished objects: only an upload that is being received may take longer than a day."""
    ids = {key.split("/")[1] for key in prefixes if key.startswith("uploads/")}
    receiving = set(
        await session.scalars(
            select(Upload.id).where(
                Upload.id.in_(ids), Upload.state.in_([UploadState.RECEIVING, UploadState.DONE])
            )
        )
    )
    return {
        key: "没有传完的分段文件"
        for key in prefixes
        if not (key.startswith("uploads/") and key.split("/")[1] in receiving)
    }


JUDGES: Final[Mapping[str, Judge]] = {
    "staging/": judge_staging,
    "assets/": judge_assets,
    "uploads/": judge_uploads,
    "posters/": judge_posters,
    "clips/": judge_clips,
}
"""What is looked at. ``live/`` is not: a class can be brought back from its journal alone."""
