"""Publishing: the one pointer flip that makes a finished set of renditions the replay."""

from __future__ import annotations

import math
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError
from kernel.layout import asset_prefix
from kernel.messages import AssetReport
from kernel.timing import TICKS_PER_S
from vod.assets.models import Asset
from vod.jobs.models import Job, RenditionRow
from vod.jobs.policy import JobState
from vod.jobs.queries import change, set_renditions
from vod.lectures.models import Lecture, LectureState

MAX_DURATION_S = 7 * 24 * 3600  # Longer than any class; keeps a broken report out of the table.


async def publish_asset(
    session: AsyncSession, job: Job, report: AssetReport, *, now: datetime
) -> None:
    """Insert the asset and point the lecture to it; the caller holds the job's lock.

    Raises:
        InputError: 422; the report is about another prefix, or has no renditions or length.
        ConflictError: The lecture meanwhile plays a newer recording.
    """
    plan_hash = job.plan_hash or ""
    expected = asset_prefix(job.asset_id, plan_hash=plan_hash)
    if report.prefix != expected:
        raise InputError(f"the asset belongs under {expected!r}", field="result.prefix", status=422)
    if not report.renditions:
        raise InputError("an asset has renditions", field="result.renditions", status=422)
    if not (math.isfinite(report.duration_s) and 0 < report.duration_s <= MAX_DURATION_S):
        raise InputError("an asset has a length", field="result.duration_s", status=422)
    session.add(
        Asset(
            id=job.asset_id,
            lecture_id=job.lecture_id,
            job_id=job.id,
            source_version=job.source_version,
            plan_hash=plan_hash,
            duration_ticks=round(report.duration_s * TICKS_PER_S),
            poster=report.poster,
            storyboard=report.storyboard,
            report=report.model_dump(mode="json"),
            published_at=now,
        )
    )
    await session.flush()
    flipped = await change(
        session,
        update(Lecture)
        .where(Lecture.id == job.lecture_id, Lecture.source_version == job.source_version)
        .values(asset_id=job.asset_id, state=LectureState.READY, published_at=now),
    )
    if flipped != 1:
        raise ConflictError("the lecture plays a newer recording")
    await _show_renditions(session, job, report)


async def _show_renditions(session: AsyncSession, job: Job, report: AssetReport) -> None:
    for made in report.renditions:
        await change(
            session,
            update(RenditionRow)
            .where(RenditionRow.job_id == job.id, RenditionRow.name == made.name)
            .values(
                width_px=made.width_px,
                height_px=made.height_px,
                codec=made.codec,
                bitrate_bps=made.bitrate_bps,
            ),
        )
    await set_renditions(
        session, job.id, JobState.DONE, only_from=(JobState.QUEUED, JobState.RUNNING)
    )
