"""What the planning unit found out about an uploaded file. Called within its transaction."""

from __future__ import annotations

from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from vod.jobs.models import Job
from vod.jobs.planning import TRANSCODE_UPLOAD
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.material.models import Material
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
    await _keep_imports(session, job)
    statement = update(Lecture).where(
        Lecture.id == job.lecture_id,
        Lecture.upload_id == upload.id,
        (Lecture.asset_id.is_not(None)) | (Lecture.recording_version.is_not(None)),
    )
    await change(session, statement.values(upload_id=upload.replaced_upload_id))


async def _keep_imports(session: AsyncSession, job: Job) -> None:
    """The file before has brought its captions and chapters; what people made of them holds.

    The lecture's ``source_version`` now counts that file a second time. If it was not imported yet,
    it still will be.
    """
    await change(
        session,
        update(Material)
        .where(
            Material.lecture_id == job.lecture_id,
            Material.imported_version == job.source_version - 1,
        )
        .values(imported_version=job.source_version),
    )


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
