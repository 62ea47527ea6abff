"""Have a machine write captions: a job of one unit over the sound of the uncut lecture."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.config import Settings
from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.timing import to_seconds
from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.audit.service import record
from vod.db.engine import Database
from vod.jobs.models import Job, Unit
from vod.jobs.planning import TRANSCRIBE
from vod.jobs.policy import JobState, UnitState
from vod.jobs.queries import lock_lecture, queue_ready_units
from vod.lectures.models import Lecture
from vod.lectures.service import load_lecture
from vod.material.timeline import find_folder

AUDIO_FILE: Final = "audio.mp4"  # Of every asset; the download is the same sound in another box.


def require_model(settings: Settings) -> None:
    """Refuse when nothing could do the work.

    Raises:
        ConflictError: No model is set up.
    """
    if settings.captions_model is None:
        raise ConflictError(
            "HALL_CAPTIONS_MODEL is not set",
            title_zh="还没有配置语音识别模型,暂时不能自动生成字幕;请管理员设置 HALL_CAPTIONS_MODEL",
        )


async def start_transcription(
    database: Database, settings: Settings, *, lecture_id: str, viewer: Viewer, now: datetime
) -> str:
    """Start the job; return its id. The caller has checked the right.

    Raises:
        NotFoundError: No such lecture.
        ConflictError: No model, no finished sound yet, or it is being done already.
    """
    require_model(settings)
    async with database.write() as session:
        await load_lecture(session, lecture_id, viewer)
        lecture = await lock_lecture(session, lecture_id)
        spec = await _build_spec(session, lecture, settings)
        job = await _create_job(session, lecture, spec, now=now)
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="captions.requested",
            object_type="lecture",
            object_id=lecture_id,
            language=settings.captions_language,
        )
        return job.id


async def _build_spec(
    session: AsyncSession, lecture: Lecture, settings: Settings
) -> dict[str, Any]:
    """Name the sound of the uncut lecture: captions are kept in its time."""
    asset_id = lecture.base_asset_id or lecture.asset_id
    asset = None if asset_id is None else await session.get(Asset, asset_id)
    if asset is None or asset.is_partial or asset.source_version != lecture.source_version:
        raise ConflictError(
            "there is no finished sound yet", title_zh="课程还在处理,请等转码完成后再生成字幕"
        )
    return {
        "key": find_folder(asset) + AUDIO_FILE,
        "duration_s": to_seconds(asset.duration_ticks),
        "language": settings.captions_language,
    }


async def _create_job(
    session: AsyncSession, lecture: Lecture, spec: dict[str, Any], *, now: datetime
) -> Job:
    of_lecture = select(func.max(Job.generation)).where(
        Job.lecture_id == lecture.id, Job.source_version == lecture.source_version
    )
    running = select(Job.id).where(
        Job.lecture_id == lecture.id,
        Job.kind == TRANSCRIBE,
        Job.state.in_([JobState.QUEUED, JobState.RUNNING]),
    )
    if await session.scalar(running.limit(1)) is not None:
        raise ConflictError("it is being done already", title_zh="正在自动生成字幕,请稍候")
    last = await session.scalar(of_lecture)
    job = Job(
        id=new_id(),
        lecture_id=lecture.id,
        kind=TRANSCRIBE,
        source_version=lecture.source_version,
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
            key=TRANSCRIBE,
            kind=TRANSCRIBE,
            queue="long",
            position=0,
            state=UnitState.WAITING,
            spec=spec,
            after=[],
            renditions=[],
            weight=1.0,
            created_at=now,
        )
    )
    await session.flush()
    await queue_ready_units(session, job.id, now=now)
    return job
