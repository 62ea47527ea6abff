"""Publishing: the one pointer flip that makes a finished set of renditions the replay.

A job may publish twice: first what is ready early (``is_partial``), then the whole set, in the same
row of ``assets``. Rungs of a second codec may be added to the whole set later, with an index of
their own; the pointer stays where it is. Reports may come twice or in another order. What plays in
the end is the same for every order: of all that was reported the highest by (source version, whole
before partial, generation).
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from kernel.errors import ConflictError, InputError
from kernel.layout import asset_prefix
from kernel.messages import INDEX_NAME, AssetReport
from kernel.timing import TICKS_PER_S
from vod.assets.models import Asset
from vod.db.upsert import insert_if_absent
from vod.editing.flips import arrange_flip
from vod.jobs.models import Job, RenditionRow
from vod.jobs.planning import EDIT_LECTURE
from vod.jobs.policy import JobState
from vod.jobs.queries import change, set_renditions
from vod.lectures.models import Lecture, LectureState
from vod.webhooks.emit import emit_lecture
from vod.webhooks.kinds import EventKind

MAX_DURATION_S: Final = 7 * 24 * 3600  # Longer than any class; keeps a broken report out.


async def publish_asset(
    session: AsyncSession, job: Job, report: AssetReport, *, now: datetime
) -> None:
    """Keep the asset and point the lecture to it; the caller holds the locks of lecture and job.

    A part that comes after the whole set, and the same report again, change nothing.

    Raises:
        InputError: 422; the report is about another prefix, or has no renditions or length.
        ConflictError: The lecture is meanwhile made from something newer, or plays a newer set.
    """
    check_report(job, report)
    if report.index != INDEX_NAME:
        await _extend_asset(session, job, report)
        return
    if not await _keep_asset(session, job, report, now=now):
        return
    await _show_renditions(session, job, report)
    if not await _flip(session, job, report, now=now) and not report.is_partial:
        raise ConflictError("the lecture plays something newer")


def check_report(job: Job, report: AssetReport) -> None:
    """Refuse what could not be played. Pure; raises ``InputError``."""
    expected = asset_prefix(
        job.asset_id, plan_hash=job.plan_hash or "", is_partial=report.is_partial
    )
    if report.prefix != expected:
        raise InputError(f"the asset belongs under {expected!r}", field="result.prefix", status=422)
    if not report.renditions:
        raise InputError("an asset has renditions", field="result.renditions", status=422)
    if not (math.isfinite(report.duration_s) and 0 < report.duration_s <= MAX_DURATION_S):
        raise InputError("an asset has a length", field="result.duration_s", status=422)


async def _keep_asset(
    session: AsyncSession, job: Job, report: AssetReport, *, now: datetime
) -> bool:
    """Insert the asset, or let the whole set take the place of the part; tell whether it is new."""
    values: dict[str, Any] = {
        "lecture_id": job.lecture_id,
        "job_id": job.id,
        "source_version": job.source_version,
        "plan_hash": job.plan_hash or "",
        "duration_ticks": round(report.duration_s * TICKS_PER_S),
        "poster": report.poster,
        "storyboard": report.storyboard,
        "is_partial": report.is_partial,
        "report": report.model_dump(mode="json"),
        "published_at": now,
    }
    if await insert_if_absent(session, Asset, {"id": job.asset_id, **values}, conflict="id"):
        return True
    if report.is_partial:
        return False
    whole = update(Asset).where(Asset.id == job.asset_id, Asset.is_partial.is_(True))
    return await change(session, whole.values(**values)) == 1


async def _extend_asset(session: AsyncSession, job: Job, report: AssetReport) -> None:
    """Let a whole set name more renditions; what plays it is asked for its index anew."""
    known = update(Asset).where(Asset.id == job.asset_id, Asset.is_partial.is_(False))
    if await change(session, known.values(report=report.model_dump(mode="json"))) == 1:
        await _show_renditions(session, job, report)


async def _flip(session: AsyncSession, job: Job, report: AssetReport, *, now: datetime) -> bool:
    """Let the lecture play the asset, unless it is made from or plays something better."""
    if job.kind != EDIT_LECTURE and await session.scalar(select(_find_better(job, report))):
        return False
    lecture, asset = await _load_pair(session, job)
    if lecture is None or lecture.source_version != job.source_version:
        return False
    pointers = await arrange_flip(session, job, asset, lecture, now=now)
    if pointers is None:
        return False
    values: dict[str, Any] = {**pointers}
    is_ready = "asset_id" in pointers and not report.is_partial
    if is_ready and lecture.state is not LectureState.READY:
        emit_lecture(session, EventKind.REPLAY_READY, lecture, now=now)
    if "asset_id" in pointers:
        values["state"] = LectureState.PLAYABLE if report.is_partial else LectureState.READY
        values["published_at"] = now
    if report.kept is None:
        values["duration_ticks"] = asset.duration_ticks
    statement = update(Lecture).where(
        Lecture.id == job.lecture_id, Lecture.source_version == job.source_version
    )
    return await change(session, statement.values(**values)) == 1


async def _load_pair(session: AsyncSession, job: Job) -> tuple[Lecture | None, Asset]:
    """Load the lecture, locked, and the asset as they are in the database by now."""
    fresh: dict[str, Any] = {"populate_existing": True}
    lecture = await session.scalar(
        select(Lecture)
        .where(Lecture.id == job.lecture_id)
        .with_for_update()
        .execution_options(**fresh)
    )
    asset = await session.scalar(
        select(Asset).where(Asset.id == job.asset_id).execution_options(**fresh)
    )
    assert asset is not None  # noqa: S101 - it was just kept in this transaction
    return lecture, asset


def _find_better(job: Job, report: AssetReport) -> ColumnElement[bool]:
    """The uncut set that the lecture has now outranks this one."""
    asset, other = aliased(Asset), aliased(Job)
    is_newer = other.generation > job.generation
    # Among sets of one source a whole one beats a part, then the later request wins.
    outranks = (
        or_(asset.is_partial.is_(False), is_newer)
        if report.is_partial
        else and_(asset.is_partial.is_(False), is_newer)
    )
    return exists().where(
        Lecture.id == job.lecture_id,
        # A cut set is made later than what it is a cut of: that one counts.
        asset.id == func.coalesce(Lecture.base_asset_id, Lecture.asset_id),
        asset.id != job.asset_id,
        other.id == asset.job_id,
        or_(
            asset.source_version > job.source_version,
            and_(asset.source_version == job.source_version, outranks),
        ),
    )


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
        session,
        job.id,
        JobState.DONE,
        only_from=(JobState.QUEUED, JobState.RUNNING),
        names=[made.name for made in report.renditions],
    )
