"""Lectures made from uploaded files, as far as vod sees them: plans and reports without media."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from kernel.ids import new_id
from kernel.layout import asset_prefix
from kernel.messages import (
    AssetReport,
    FailureCause,
    KeptRange,
    PlanReport,
    RenditionReport,
    SourceReport,
    UnitCompleted,
    UnitFailed,
    UnitPlan,
)
from tests.integration.vod_jobs_support import Hall, make_plan
from vod.accounts.models import Account
from vod.accounts.roles import Role, Visibility
from vod.jobs.models import Job, Unit
from vod.jobs.planning import plan_upload
from vod.jobs.policy import UnitState
from vod.lectures.models import Lecture, LectureState
from vod.uploads.models import Upload, UploadState

FILENAME = "第三讲.mp4"
NOTES = ("画面是竖着拍的,已经转正",)


def make_source(duration_s: float = 6.0) -> SourceReport:
    return SourceReport(
        kind="video", container="mp4", duration_s=duration_s, width_px=640, height_px=360,
        frame_rate="25", video_codec="h264", audio_codec="aac", notes=NOTES,
    )  # fmt: skip


def make_upload_plan(*, has_first: bool = False, **values: Any) -> PlanReport:
    """The standard plan of two ranges, with what a file brought.

    Args:
        has_first: The picture is published before the sound is ready.
    """
    plan = make_plan()
    if has_first:
        first = UnitPlan(
            key="publish-first", kind="publish_asset", queue="short", spec={},
            after=("video-0", "video-1"),
        )  # fmt: skip
        plan = plan.model_copy(update={"units": (*plan.units[:-1], first, plan.units[-1])})
    return plan.model_copy(update={"source": make_source(), **values})


def make_report(
    asset_id: str,
    plan_hash: str,
    *,
    is_partial: bool = False,
    kept: tuple[tuple[int, int], ...] | None = None,
    duration_s: float = 6.0,
    candidates: tuple[str, ...] = ("poster-1000.jpg", "poster-4000.jpg"),
) -> AssetReport:
    """What ``publish_asset`` reports; a part has no pictures yet."""
    renditions = [
        RenditionReport(
            name="360p", kind="video", width_px=640, height_px=360, codec="avc1.64001e",
            bitrate_bps=580_000, size_bytes=2000,
        )
    ]  # fmt: skip
    audio = RenditionReport(
        name="audio", kind="audio", codec="mp4a.40.2", bitrate_bps=64_000, size_bytes=500
    )
    files: dict[str, tuple[str, ...]] = {
        "poster": candidates[:1],
        "poster_candidates": candidates,
        "storyboard": ("storyboard.vtt", "storyboard-1.jpg", "storyboard-2.jpg"),
        "slides": ("slides.json",),
        "waveform": ("waveform.json",),
        "audio_download": ("audio.m4a",),
    }
    return AssetReport.model_validate(
        {
            "prefix": asset_prefix(asset_id, plan_hash=plan_hash, is_partial=is_partial),
            "duration_s": duration_s,
            "renditions": renditions if is_partial else [*renditions, audio],
            "poster": None if is_partial else candidates[0],
            "storyboard": None if is_partial else "storyboard.vtt",
            "files": {} if is_partial else files,
            "is_partial": is_partial,
            "kept": None
            if kept is None
            else [KeptRange(start_ticks=start, end_ticks=end) for start, end in kept],
        }
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """Makes lectures from files and carries their jobs out."""

    hall: Hall

    async def add_account(self, role: Role = Role.INSTRUCTOR) -> str:
        account = Account(
            id=new_id(), login=new_id(), display_name="李四", role=role,
            password_hash="-", created_at=self.hall.clock.now(),
        )  # fmt: skip
        async with self.hall.database.write() as session:
            session.add(account)
        return account.id

    async def upload(self, account_id: str, *, lecture_id: str | None = None) -> tuple[str, str]:
        """A file came, perhaps in place of another: (lecture id, job id)."""
        now = self.hall.clock.now()
        upload = Upload(
            id=new_id(), account_id=account_id, filename=FILENAME, metadata_text="", title="第三讲",
            visibility=Visibility.PUBLIC, size_bytes=1000, part_bytes=1000, received_bytes=1000,
            multipart="-", state=UploadState.DONE, created_at=now, expires_at=now,
        )  # fmt: skip
        async with self.hall.database.write() as session:
            lecture = await session.get(Lecture, lecture_id) if lecture_id else None
            if lecture is None:
                lecture = Lecture(
                    id=new_id(), title="第三讲", visibility=Visibility.PUBLIC, source_version=0,
                    state=LectureState.PROCESSING, created_at=now, recorded_at=now,
                )  # fmt: skip
                session.add(lecture)
                await session.flush()
            if lecture_id is not None:
                upload.is_replacement = True
                upload.replaced_upload_id = lecture.upload_id
            session.add(upload)
            await session.flush()
            lecture.upload_id, upload.lecture_id = upload.id, lecture.id
            lecture.source_version += 1
            await session.flush()
            job = await plan_upload(session, lecture, upload, now=now)
            return lecture.id, job.id

    async def plan(self, job_id: str, **values: Any) -> None:
        await self.hall.plan(job_id, make_upload_plan(**values))

    async def publish_first(self, job_id: str) -> AssetReport:
        """Publish what is ready early."""
        for key in ("video-0", "video-1"):
            await self.hall.finish(job_id, key)
        job = await self.hall.find_job(job_id)
        report = make_report(job.asset_id, job.plan_hash or "", is_partial=True)
        await self.hall.finish(job_id, "publish-first", report.model_dump(mode="json"))
        return report

    async def fail(
        self, job_id: str, key: str, reason: str, *, cause: FailureCause = "other"
    ) -> None:
        """Let a unit fail for good."""
        claimed = await self.hall.claim(job_id, key)
        await self.hall.jobs.fail(
            claimed.unit_id,
            UnitFailed(fence=claimed.fence, reason=reason, is_permanent=True, cause=cause),
        )

    async def publish(self, job_id: str, **values: Any) -> AssetReport:
        """Carry out the rest of a planned job."""
        async with self.hall.database.read() as session:
            is_open = Unit.state != UnitState.DONE
            keys = set(
                await session.scalars(select(Unit.key).where(Unit.job_id == job_id, is_open))
            )
        for key in sorted(keys - {"plan", "publish"}):
            await self.hall.finish(job_id, key)
        job = await self.hall.find_job(job_id)
        report = make_report(job.asset_id, job.plan_hash or "", **values)
        await self.hall.finish(job_id, "publish", report.model_dump(mode="json"))
        return report

    async def make_ready(self, account_id: str, **plan: Any) -> tuple[str, AssetReport]:
        """A lecture from a file with its whole set: (lecture id, what was published)."""
        lecture_id, job_id = await self.upload(account_id)
        await self.plan(job_id, **plan)
        return lecture_id, await self.publish(job_id)

    async def transcode_again(self, lecture_id: str) -> str:
        """A person asks for new renditions; the new job's id."""
        self.hall.clock.advance(1)
        return await self.hall.jobs.transcode_again(lecture_id)

    async def complete_raw(self, job_id: str, key: str, result: dict[str, Any]) -> None:
        """Complete a unit with any result."""
        claimed = await self.hall.claim(job_id, key)
        await self.hall.jobs.complete(
            claimed.unit_id, UnitCompleted(fence=claimed.fence, result=result)
        )

    async def find_lecture(self, lecture_id: str) -> Lecture:
        async with self.hall.database.read() as session:
            lecture = await session.get(Lecture, lecture_id)
            assert lecture is not None
            return lecture

    async def find_job_ids(self, lecture_id: str) -> list[str]:
        async with self.hall.database.read() as session:
            query = select(Job.id).where(Job.lecture_id == lecture_id).order_by(Job.id)
            return list(await session.scalars(query))
