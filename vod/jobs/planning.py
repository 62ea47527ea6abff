"""Make a job, and turn the report of its planning unit into units and renditions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, NotFoundError
from kernel.ids import new_id
from kernel.layout import upload_key
from kernel.messages import PlanReport, Queue, UnitKind
from vod.jobs.models import Job, RenditionRow, Unit
from vod.jobs.plan import PLAN_KEY, check_plan
from vod.jobs.policy import JobState, UnitState
from vod.jobs.queries import cancel_units, lock_lecture, queue_ready_units
from vod.lectures.models import Lecture
from vod.recordings.models import Recording
from vod.uploads.models import Upload

EDIT_LECTURE: Final = "edit_lecture"
MAKE_CLIP: Final = "make_clip"
TRANSCRIBE: Final = "transcribe"
TRANSCODE_RECORDING: Final = "transcode_recording"
TRANSCODE_UPLOAD: Final = "transcode_upload"
PLANNING: Final = frozenset({"plan_recording", "plan_upload", "plan_edit"})
"""Kinds of units whose result is a ``PlanReport``."""
_EXTRAS: Final = frozenset({EDIT_LECTURE, MAKE_CLIP, TRANSCRIBE})
"""Kinds of jobs that work on a published set; a newer set of the same source takes nothing away."""
_OPEN: Final = (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class FirstUnit:
    """What a job begins with: the unit that plans the others."""

    job_kind: str
    unit_kind: UnitKind
    queue: Queue
    spec: dict[str, Any]


async def plan_recording(
    session: AsyncSession, *, lecture_id: str, recording_version: int, now: datetime
) -> Job | None:
    """Note that a recording is stored and start its job; idempotent per (lecture, version).

    Called inside the transaction that accepts ``RecordingStored``. Jobs of older versions are
    cancelled; an older version than the newest job's starts nothing new.

    Returns:
        The newest job; ``None`` when the lecture is made from an uploaded file instead.

    Raises:
        NotFoundError: The lecture or that version of its recording is unknown.
    """
    lecture = await lock_lecture(session, lecture_id)
    recording = await _load_recording(session, lecture_id, recording_version)
    if recording.stored_at is None:
        recording.stored_at = now
    if lecture.upload_id is not None:
        return None
    is_current = recording_version == lecture.recording_version
    source_version = lecture.source_version if is_current else recording_version
    newest: Job | None = await session.scalar(
        select(Job)
        .where(Job.lecture_id == lecture_id, Job.source_version >= source_version)
        .order_by(Job.source_version.desc(), Job.generation.desc())
        .limit(1)
    )
    if newest is not None:
        return newest
    return await _create_job(
        session, _build_recording_plan(recording), lecture_id, source_version, now=now
    )


async def plan_upload(
    session: AsyncSession, lecture: Lecture, upload: Upload, *, now: datetime
) -> Job:
    """Start the job of an uploaded file; the lecture's ``source_version`` already counts it.

    What runs for an older file or recording of the lecture is cancelled. The caller holds the
    lecture's lock, or has just made it.
    """
    return await _create_job(
        session, _build_upload_plan(upload), lecture.id, lecture.source_version, now=now
    )


async def start_again(session: AsyncSession, *, lecture_id: str, now: datetime) -> Job:
    """Make the renditions of the file or newest recording once more; what runs is cancelled.

    Raises:
        NotFoundError: No such lecture, or it has no recording.
        ConflictError: The source is not stored yet, or was deleted.
    """
    lecture = await lock_lecture(session, lecture_id)
    return await _create_job(
        session, await _plan_source(session, lecture), lecture_id, lecture.source_version, now=now
    )


async def _plan_source(session: AsyncSession, lecture: Lecture) -> FirstUnit:
    """Find what the lecture is made from now, readable."""
    if lecture.upload_id is not None:
        upload = await session.get(Upload, lecture.upload_id)
        if upload is None or upload.bytes_deleted_at is not None:
            raise ConflictError(
                "the uploaded file was deleted after the renditions were made",
                title_zh="原始文件已经删除,无法重新转码;请上传文件来替换",
            )
        return _build_upload_plan(upload)
    recording = await _load_recording(session, lecture.id, None)
    if recording.stored_at is None:
        raise ConflictError("the recording is still being stored; it will be transcoded then")
    if recording.live_deleted_at is not None:
        raise ConflictError("the recorded segments were deleted after the renditions were made")
    return _build_recording_plan(recording)


async def cancel_jobs(
    session: AsyncSession,
    lecture_id: str,
    *,
    reason: str,
    now: datetime,
    keep_extras_of: int | None = None,
) -> None:
    """Cancel whatever is not done for a lecture; workers hear of it at their next heartbeat.

    ``keep_extras_of``: what cuts or transcribes sets of this source version goes on.
    """
    query = select(Job).where(Job.lecture_id == lecture_id, Job.state.in_(_OPEN))
    if keep_extras_of is not None:
        is_other = or_(Job.kind.not_in(_EXTRAS), Job.source_version != keep_extras_of)
        query = query.where(is_other)
    open_jobs = await session.scalars(query.with_for_update())
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


def _build_recording_plan(recording: Recording) -> FirstUnit:
    spec = {"index": json.loads(recording.index_json)}
    return FirstUnit(TRANSCODE_RECORDING, unit_kind="plan_recording", queue="live", spec=spec)


def _build_upload_plan(upload: Upload) -> FirstUnit:
    source = {
        "key": upload_key(upload.id),
        "size_bytes": upload.size_bytes,
        "filename": upload.filename,
    }
    spec = {"upload": source}
    return FirstUnit(TRANSCODE_UPLOAD, unit_kind="plan_upload", queue="short", spec=spec)


async def _create_job(
    session: AsyncSession, first: FirstUnit, lecture_id: str, source_version: int, *, now: datetime
) -> Job:
    # An edit in force is carried out again on what this job makes; until then its cut may finish.
    # What is said does not change with the renditions either.
    await cancel_jobs(
        session,
        lecture_id,
        reason="已由新的转码任务代替",
        now=now,
        keep_extras_of=source_version,
    )
    last = await session.scalar(
        select(func.max(Job.generation)).where(
            Job.lecture_id == lecture_id, Job.source_version == source_version
        )
    )
    job = Job(
        id=new_id(),
        lecture_id=lecture_id,
        kind=first.job_kind,
        source_version=source_version,
        generation=0 if last is None else last + 1,
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
            kind=first.unit_kind,
            queue=first.queue,
            position=0,
            state=UnitState.WAITING,
            spec=first.spec,
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
