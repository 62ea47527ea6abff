"""Order, list and drop clips. A clip is a job of one unit, like automatic captions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.captions import Cue, cut_cues
from kernel.errors import ConflictError, InputError, NotFoundError
from kernel.ids import new_id
from kernel.layout import clip_prefix
from kernel.messages import ClipReport
from kernel.timing import to_seconds
from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.audit.service import record
from vod.captions.service import load_track, unpack_cues
from vod.clips.models import Clip
from vod.clips.policy import MAX_CLIPS, MAX_OPEN_CLIPS, choose_rung, read_limit, read_range
from vod.clips.schemas import NewClip
from vod.db.engine import Database
from vod.jobs.models import Job, Unit
from vod.jobs.planning import MAKE_CLIP
from vod.jobs.policy import JobState, UnitState
from vod.jobs.queries import cancel_units, lock_job, lock_lecture, queue_ready_units
from vod.lectures.models import Lecture
from vod.material.access import load_for_change
from vod.material.timeline import find_folder, to_ms

MAX_CUES: Final = 2_000  # Three a second for ten minutes.
OPEN: Final = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """A clip, its job's state and reason, its progress."""

    clip: Clip
    state: JobState
    reason: str | None
    progress: float


async def list_clips(database: Database, lecture_id: str, viewer: Viewer) -> list[ClipFacts]:
    """List the clips of a lecture, the newest first; raises what ``load_for_change`` raises."""
    async with database.read() as session:
        await load_for_change(session, lecture_id, viewer)
        return await _load_facts(session, Clip.lecture_id == lecture_id)


async def find_clip(
    database: Database, lecture_id: str, clip_id: str, viewer: Viewer
) -> tuple[Lecture, Clip]:
    """Load a clip with its lecture.

    Raises:
        NotFoundError: No such clip; and what ``load_for_change`` raises.
    """
    async with database.read() as session:
        lecture = await load_for_change(session, lecture_id, viewer)
        return lecture, await _load_clip(session, lecture_id, clip_id)


async def start_clip(
    database: Database, wanted: NewClip, *, lecture_id: str, viewer: Viewer, now: datetime
) -> ClipFacts:
    """Start the job of a clip.

    Raises:
        ConflictError: 409; nothing finished to cut from, no picture, or too many clips.
        InputError: 422; the range, the limit or the captions do not hold.
        NotFoundError: No such lecture or captions; and what ``load_for_change`` raises.
    """
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        lecture = await lock_lecture(session, lecture_id)
        asset = await _find_base(session, lecture)
        await _check_amount(session, lecture_id)
        start, end = read_range(wanted.start_s, wanted.end_s, duration_ticks=asset.duration_ticks)
        limit_bytes = read_limit(wanted.limit_mb, length_ticks=end - start)
        language, cues = await _find_cues(session, wanted, lecture_id, to_ms(start), to_ms(end))
        clip = Clip(
            id=new_id(),
            lecture_id=lecture_id,
            start_ticks=start,
            end_ticks=end,
            shape=wanted.shape,
            crop_percent=wanted.crop_percent,
            language=language,
            limit_bytes=limit_bytes,
            created_by=viewer.account_id,
            created_at=now,
        )
        spec = _build_spec(clip, asset, cues, title=lecture.title)
        clip.job_id = await _create_job(session, lecture, spec, now=now)
        session.add(clip)
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="clip.requested",
            object_type="lecture",
            object_id=lecture_id,
            clip_id=clip.id,
            start_s=to_seconds(start),
            end_s=to_seconds(end),
            shape=wanted.shape.value,
        )
        await session.flush()
        (facts,) = await _load_facts(session, Clip.id == clip.id)
        return facts


async def drop_clip(
    database: Database, *, lecture_id: str, clip_id: str, viewer: Viewer, now: datetime
) -> None:
    """Delete a clip; what is still being made of it stops. Its file goes with the next sweep.

    Raises:
        NotFoundError: No such clip; and what ``load_for_change`` raises.
    """
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        await lock_lecture(session, lecture_id)
        clip = await _load_clip(session, lecture_id, clip_id)
        job = await lock_job(session, clip.job_id)
        if job.state not in {JobState.DONE, JobState.CANCELLED}:
            await cancel_units(session, job.id, reason="短片已删除", now=now)
        clip.deleted_at = now
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="clip.deleted",
            object_type="lecture",
            object_id=lecture_id,
            clip_id=clip_id,
        )


async def keep_result(session: AsyncSession, job: Job, unit: Unit, report: ClipReport) -> None:
    """Note the finished file of a clip's job; the caller holds the job's lock.

    Raises:
        InputError: 422; the file is not where this attempt was told to put it, or too large.
        ConflictError: The clip is gone.
    """
    clip = await session.scalar(select(Clip).where(Clip.job_id == job.id))
    if clip is None or clip.deleted_at is not None:
        raise ConflictError("the clip was deleted")
    expected = f"{clip_prefix(clip.lecture_id, clip.id)}{unit.fence}.mp4"
    if report.key != expected:
        raise InputError(f"the clip belongs at {expected!r}", field="result.key", status=422)
    if report.size_bytes > clip.limit_bytes:
        raise InputError("the clip is too large", field="result.size_bytes", status=422)
    clip.key, clip.size_bytes = report.key, report.size_bytes
    clip.width_px, clip.height_px = report.width_px, report.height_px


async def _load_facts(session: AsyncSession, condition: Any) -> list[ClipFacts]:
    rows = await session.execute(
        select(Clip, Job.state, Job.reason, Unit.progress)
        .join(Job, Job.id == Clip.job_id)
        .join(Unit, Unit.job_id == Job.id)
        .where(condition, Clip.deleted_at.is_(None))
        .order_by(Clip.id.desc())
    )
    return [ClipFacts(*row) for row in rows.tuples()]


async def _load_clip(session: AsyncSession, lecture_id: str, clip_id: str) -> Clip:
    clip: Clip | None = await session.scalar(
        select(Clip).where(
            Clip.id == clip_id, Clip.lecture_id == lecture_id, Clip.deleted_at.is_(None)
        )
    )
    if clip is None:
        raise NotFoundError("no such clip")
    return clip


async def _find_base(session: AsyncSession, lecture: Lecture) -> Asset:
    """Find the uncut set: the editors' pages play it, captions are in its time."""
    asset_id = lecture.base_asset_id or lecture.asset_id
    asset = None if asset_id is None else await session.get(Asset, asset_id)
    if asset is None or asset.is_partial or asset.source_version != lecture.source_version:
        raise ConflictError(
            "there is no finished set yet", title_zh="课程还在处理,请等转码完成后再制作短片"
        )
    return asset


async def _check_amount(session: AsyncSession, lecture_id: str) -> None:
    rows = await session.execute(
        select(Job.state, func.count())
        .join(Clip, Clip.job_id == Job.id)
        .where(Clip.lecture_id == lecture_id, Clip.deleted_at.is_(None))
        .group_by(Job.state)
    )
    counts = dict(rows.tuples().all())
    if sum(counts.get(state, 0) for state in OPEN) >= MAX_OPEN_CLIPS:
        raise ConflictError(
            f"{MAX_OPEN_CLIPS} clips are being made",
            title_zh=f"这门课已有 {MAX_OPEN_CLIPS} 个短片正在制作,请等一等",
        )
    if sum(counts.values()) >= MAX_CLIPS:
        raise ConflictError(
            f"there are {MAX_CLIPS} clips",
            title_zh=f"这门课已有 {MAX_CLIPS} 个短片,请先删除不用的",
        )


async def _find_cues(
    session: AsyncSession, wanted: NewClip, lecture_id: str, start_ms: int, end_ms: int
) -> tuple[str | None, tuple[Cue, ...]]:
    if wanted.captions_id is None:
        return None, ()
    track = await load_track(session, lecture_id, wanted.captions_id)
    cues = cut_cues(unpack_cues(track.cues), [(start_ms, end_ms)])
    if not cues:
        raise InputError(
            "no captions in this range",
            field="captions_id",
            status=422,
            title_zh="这一段没有字幕,请换一段或选择不加字幕",
        )
    return track.language, cues[:MAX_CUES]


def _build_spec(clip: Clip, asset: Asset, cues: tuple[Cue, ...], *, title: str) -> dict[str, Any]:
    """Build what ``transcode.clips.spec.MakeClipSpec`` reads."""
    renditions = asset.report["renditions"]
    rung = choose_rung(renditions, clip.shape)
    return {
        "prefix": find_folder(asset),
        "target": clip_prefix(clip.lecture_id, clip.id),
        "source": {name: rung[name] for name in ("name", "width_px", "height_px")},
        "has_sound": any(item["kind"] == "audio" for item in renditions),
        "start_ticks": clip.start_ticks,
        "end_ticks": clip.end_ticks,
        "shape": clip.shape.value,
        "crop_x": clip.crop_percent / 100,
        "cues": [
            {"start_ms": cue.start_ms, "end_ms": cue.end_ms, "text": cue.text} for cue in cues
        ],
        "limit_bytes": clip.limit_bytes,
        "title": title,
    }


async def _create_job(
    session: AsyncSession, lecture: Lecture, spec: dict[str, Any], *, now: datetime
) -> str:
    last = await session.scalar(
        select(func.max(Job.generation)).where(
            Job.lecture_id == lecture.id, Job.source_version == lecture.source_version
        )
    )
    job = Job(
        id=new_id(),
        lecture_id=lecture.id,
        kind=MAKE_CLIP,
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
            key="make-clip",
            kind=MAKE_CLIP,
            queue="short",
            position=0,
            state=UnitState.WAITING,
            spec=spec,
            after=[],
            renditions=[],
            weight=to_seconds(spec["end_ticks"] - spec["start_ticks"]) + 1,
            created_at=now,
        )
    )
    await session.flush()
    await queue_ready_units(session, job.id, now=now)
    return job.id
