"""Make a job, and turn the report of its planning unit into units and renditions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, NotFoundError
from kernel.ids import new_id
from kernel.messages import PlanReport
from vod.jobs.models import Job, RenditionRow, Unit
from vod.jobs.plan import PLAN_KEY, check_plan
from vod.jobs.policy import JobState, UnitState
from vod.jobs.queries import cancel_units, lock_lecture, queue_ready_units
from vod.recordings.models import Recording

TRANSCODE_RECORDING: Final = "transcode_recording"
_OPEN: Final = (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)


async def plan_recording(
    session: AsyncSession, *, lecture_id: str, recording_version: int, now: datetime
) -> Job:
    """Note that a recording is stored and start its job; idempotent per (lecture, version).

    Called inside the transaction that accepts ``RecordingStored``. Jobs of older versions are
    cancelled; an older version than the newest job's starts nothing new.

    Raises:
        NotFoundError: The lecture or that version of its recording is unknown.
    """
    await lock_lecture(session, lecture_id)
    recording = await _load_recording(session, lecture_id, recording_version)
    if recording.stored_at is None:
        recording.stored_at = now
    newest: Job | None = await session.scalar(
        select(Job)
        .where(Job.lecture_id == lecture_id, Job.recording_version >= recording_version)
        .order_by(Job.recording_version.desc(), Job.generation.desc())
        .limit(1)
    )
    if newest is not None:
        return newest
    return await _create_job(session, recording, generation=0, now=now)


async def start_again(session: AsyncSession, *, lecture_id: str, now: datetime) -> Job:
    """Make the renditions of the newest recording once more; what runs for it is cancelled.

    Raises:
        NotFoundError: No such lecture, or it has no recording.
        ConflictError: The recording is not stored yet, or its segments were deleted.
    """
    await lock_lecture(session, lecture_id)
    recording = await _load_recording(session, lecture_id, None)
    if recording.stored_at is None:
        raise ConflictError("the recording is still being stored; it will be transcoded then")
    if recording.live_deleted_at is not None:
        raise ConflictError("the recorded segments were deleted after the renditions were made")
    last = await session.scalar(
        select(func.max(Job.generation)).where(
            Job.lecture_id == lecture_id, Job.recording_version == recording.version
        )
    )
    generation = 0 if last is None else last + 1
    return await _create_job(session, recording, generation=generation, now=now)


async def cancel_jobs(
    session: AsyncSession, lecture_id: str, *, reason: str, now: datetime
) -> None:
    """Cancel whatever is not done for a lecture; workers hear of it at their next heartbeat."""
    open_jobs = await session.scalars(
        select(Job).where(Job.lecture_id == lecture_id, Job.state.in_(_OPEN)).with_for_update()
    )
    for job in open_jobs.all():
        await cancel_units(session, job.id, reason=reason, now=now)


async def _load_recording(session: AsyncSession, lecture_id: str, version: int | None) -> Recording:
    statement = select(Recording).where(Recording.lecture_id == lecture_id)
    if version is not None:
        statement = statement.where(Recording.version == version)
    recording: Recording | None = await session.scalar(
        statement.order_by(Recording.version.desc()).limit(1)
    )
    if recording is None:
        which = "" if version is None else f" of version {version}"
        raise NotFoundError(f"lecture {lecture_id!r} has no recording{which}")
    return recording


async def _create_job(
    session: AsyncSession, recording: Recording, *, generation: int, now: datetime
) -> Job:
    await cancel_jobs(session, recording.lecture_id, reason="已由新的转码任务代替", now=now)
    job = Job(
        id=new_id(),
        lecture_id=recording.lecture_id,
        kind=TRANSCODE_RECORDING,
        recording_version=recording.version,
        generation=generation,
        state=JobState.QUEUED,
        asset_id=new_id(),
        created_at=now,
    )
    session.add(job)
    await session.flush()
    session.add(
        Unit(
            job_id=job.id,
            key=PLAN_KEY,
            kind="plan_recording",
            queue="live",
            position=0,
            state=UnitState.WAITING,
            spec={"index": json.loads(recording.index_json)},
            after=[],
            renditions=[],
            weight=0.0,
            created_at=now,
        )
    )
    await session.flush()
    await queue_ready_units(session, job.id, now=now)
    return job


async def insert_plan(
    session: AsyncSession, job: Job, report: PlanReport, *, now: datetime
) -> None:
    """Insert the units and renditions of a checked report; all units wait at first.

    Raises:
        InputError: The plan could not be carried out.
    """
    check_plan(report)
    job.plan_hash = report.plan_hash
    session.add_all(
        RenditionRow(
            job_id=job.id,
            name=rendition.name,
            position=position,
            kind=rendition.kind,
            width_px=rendition.width_px,
            height_px=rendition.height_px,
            codec=rendition.codec,
            bitrate_bps=rendition.bitrate_bps,
            reason=rendition.reason,
        )
        for position, rendition in enumerate(report.renditions)
    )
    session.add_all(
        Unit(
            id=new_id(),
            job_id=job.id,
            key=unit.key,
            kind=unit.kind,
            queue=unit.queue,
            position=position,
            state=UnitState.WAITING,
            spec=unit.spec,
            after=sorted(set(unit.after)),
            renditions=list(unit.renditions),
            weight=unit.weight,
            created_at=now,
        )
        for position, unit in enumerate(report.units, start=1)
    )
    await session.flush()
