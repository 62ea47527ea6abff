"""What the planning unit found out about an uploaded file. Called within its transaction."""

from __future__ import annotations

from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from vod.jobs.models import Job
from vod.jobs.planning import TRANSCODE_UPLOAD
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadState

PLAN_UPLOAD: Final = "plan_upload"


async def note_refused(session: AsyncSession, job: Job, *, reason: str) -> None:
    """The file is no media that we take: say so, and go back to the file before, if any.

    A lecture that plays something keeps playing it, and is made again from what it was made of
    before. Its ``source_version`` is not taken back.
    """
    upload = await _load_upload(session, job)
    if upload is None:
        return
    upload.state, upload.reason = UploadState.REFUSED, reason
    if not upload.is_replacement:
        return
    statement = update(Lecture).where(
        Lecture.id == job.lecture_id,
        Lecture.upload_id == upload.id,
        (Lecture.asset_id.is_not(None)) | (Lecture.recording_version.is_not(None)),
    )
    await change(session, statement.values(upload_id=upload.replaced_upload_id))


async def note_accepted(session: AsyncSession, job: Job) -> None:
    """The file is media; a second try may find that where the first one did not."""
    upload = await _load_upload(session, job)
    if upload is not None and upload.state is UploadState.REFUSED:
        upload.state, upload.reason = UploadState.DONE, None


async def _load_upload(session: AsyncSession, job: Job) -> Upload | None:
    if job.kind != TRANSCODE_UPLOAD:
        return None
    lecture = await session.get(Lecture, job.lecture_id)
    is_current = lecture is not None and lecture.source_version == job.source_version
    if lecture is None or lecture.upload_id is None or not is_current:
        return None
    return await session.get(Upload, lecture.upload_id)
