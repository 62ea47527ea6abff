"""Delete live segments once a verified asset has taken their place. DESIGN §4.5.

Never before the asset is published and whole, never while a job may still read them, never when
the asset has less than the recorded picture. The journal stays.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from kernel.errors import (
    BlobMissingError,
    ConflictError,
    MediaError,
)
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.layout import broadcast_prefix, journal_key
from kernel.messages import AssetReport
from kernel.recording import RecordingIndex
from kernel.timing import TICKS_PER_S
from vod.assets.models import Asset
from vod.assets.sweep import FINISH_FOR, Sweep
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.db.engine import Database
from vod.jobs.models import Job
from vod.jobs.policy import JobState
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.recordings.models import Recording

BATCH_COUNT: Final = 20  # Recordings in memory at once; an index of 10 h is ~1 MB.
MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
TOLERANCE_TICKS: Final = TICKS_PER_S  # An asset may differ from its recording by a frame or two.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording old enough, with the asset that is to replace it."""

    broadcast_id: str
    lecture_id: str
    recording_id: str
    index_json: str
    asset_id: str
    published_at: datetime
    plan_hash: str
    report: AssetReport


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a candidate; ``kept_because`` is empty when its segments may go."""

    candidate: Candidate
    kept_because: str


def find_missing_quality(index: RecordingIndex, report: AssetReport) -> str:
    """Say why the asset is no substitute for the recording; empty when it is one. Pure."""
    if not any(made.kind == "audio" for made in report.renditions):
        return "the asset has no audio"
    recorded = [(e.height_px or 0, e.width_px or 0) for e in index.epochs if e.video_codec]
    if not recorded:
        return ""
    best = max(
        ((m.height_px or 0, m.width_px or 0) for m in report.renditions if m.kind == "video"),
        default=(0, 0),
    )
    if best == (0, 0) or best < max(recorded):
        return f"the recording is {max(recorded)[0]} lines high, the asset {best[0]}"
    return ""


class Retention(Sweep):
    """Looks for segments that are no longer needed, and deletes them.

    ``keep`` is how long they stay after their asset was published.
    """

    name = "retention"

    async def judge(self) -> list[Verdict]:
        """Dry run: say what a sweep would delete and what it would keep, and why."""
        return [verdict async for verdict in self._iter_verdicts()]

    async def _iter_verdicts(self) -> AsyncIterator[Verdict]:
        """Judge every candidate, page by page: those that stay do not hide the others."""
        after: tuple[datetime, str] | None = None
        while candidates := await self._find_candidates(after):
            for candidate in candidates:
                yield await self._judge_one(candidate)
            after = candidates[-1].published_at, candidates[-1].asset_id

    async def _judge_one(self, candidate: Candidate) -> Verdict:
        index = await asyncio.to_thread(RecordingIndex.model_validate_json, candidate.index_json)
        try:
            reason = find_missing_quality(index, candidate.report)
            reason = reason or await self._find_damage(candidate.report, index)
        except BlobMissingError as error:
            reason = str(error)
        except (ValueError, MediaError, AttributeError) as error:
            reason = f"the asset cannot be read: {error}"
        return Verdict(candidate, reason)

    async def sweep_once(self) -> int:
        """Delete what may go; return how many recordings lost their segments."""
        deleted = 0
        for broadcast_id in await self._find_unfinished():
            await self._delete_segments(broadcast_id)
        async for verdict in self._iter_verdicts():
            candidate = verdict.candidate
            if verdict.kept_because:
                log.info(
                    "segments_kept",
                    broadcast_id=candidate.broadcast_id,
                    reason=verdict.kept_because,
                )
            elif await self._mark(candidate):
                await self._delete_segments(candidate.broadcast_id)
                deleted += 1
        return deleted

    async def _find_candidates(self, after: tuple[datetime, str] | None) -> list[Candidate]:
        before = self._clock.now() - self._keep
        query = (
            select(Recording, Asset, LiveClass.broadcast_id)
            .join(Lecture, Lecture.id == Recording.lecture_id)
            .join(LiveClass, LiveClass.id == Lecture.live_class_id)
            .join(Asset, Asset.id == _uncut_asset_id())
            .where(
                Recording.version == Lecture.recording_version,
                Recording.version == Asset.source_version,
                Asset.is_partial.is_(False),
                Lecture.upload_id.is_(None),  # Else the asset is not of the recording.
                Recording.stored_at.is_not(None),
                Recording.live_deleted_at.is_(None),
                Lecture.deleted_at.is_(None),  # Those are cleaned up as a whole.
                LiveClass.state == ClassState.ENDED,
                Asset.published_at <= before,
                ~_has_open_job(),
            )
            .order_by(Asset.published_at, Asset.id)
            .limit(BATCH_COUNT)
        )
        if after is not None:
            moment, asset_id = after
            query = query.where(
                or_(
                    Asset.published_at > moment,
                    and_(Asset.published_at == moment, Asset.id > asset_id),
                )
            )
        async with self._database.read() as session:
            rows = (await session.execute(query)).all()
        return [
            Candidate(
                broadcast_id=broadcast_id,
                lecture_id=recording.lecture_id,
                recording_id=recording.id,
                index_json=recording.index_json,
                asset_id=asset.id,
                published_at=asset.published_at,
                plan_hash=asset.plan_hash,
                report=AssetReport.model_validate(asset.report),
            )
            for recording, asset, broadcast_id in rows
        ]

    async def _find_damage(self, report: AssetReport, index: RecordingIndex) -> str:
        """Verify that the asset in the blob store is what was reported; say what is wrong."""
        if abs(round(report.duration_s * TICKS_PER_S) - index.duration_ticks) > TOLERANCE_TICKS:
            return "the asset is not as long as the recording"
        manifest = json.loads(await self._read(report.prefix + "manifest.json"))
        if AssetReport.model_validate(manifest.get("report")) != report:
            return "the manifest says something else than the database"
        parse_multivariant_playlist(await self._read(report.prefix + "index.m3u8"))
        for made in report.renditions:
            info = await self._blobs.head(f"{report.prefix}{made.name}.mp4")
            if info.size_bytes != made.size_bytes:
                return f"{made.name}.mp4 has {info.size_bytes} bytes, not {made.size_bytes}"
            playlist = parse_media_playlist(await self._read(f"{report.prefix}{made.name}.m3u8"))
            ticks = sum(segment.duration_ticks for segment in playlist.segments)
            if abs(ticks - index.duration_ticks) > TOLERANCE_TICKS:
                return f"{made.name}.m3u8 is not as long as the recording"
        return ""

    async def _read(self, key: str) -> str:
        return (await self._blobs.get_bytes(key, limit_bytes=MAX_TEXT_BYTES)).decode()

    async def _mark(self, candidate: Candidate) -> bool:
        """Note the deletion before it begins, if nothing has changed since it was judged."""
        now = self._clock.now()
        async with self._database.write() as session:
            live_class = await session.scalar(
                select(LiveClass)
                .where(LiveClass.broadcast_id == candidate.broadcast_id)
                .with_for_update()
            )
            if live_class is None or live_class.state is not ClassState.ENDED:
                return False  # It was reopened: its segments are live again.
            lecture = await session.scalar(
                select(Lecture).where(Lecture.id == candidate.lecture_id).with_for_update()
            )
            if lecture is None or (lecture.base_asset_id or lecture.asset_id) != candidate.asset_id:
                return False
            still = update(Recording).where(
                Recording.id == candidate.recording_id,
                Recording.live_deleted_at.is_(None),
                Recording.version == lecture.recording_version,
                ~_has_open_job(),
            )
            if await change(session, still.values(live_deleted_at=now)) != 1:
                return False
            older = update(Recording).where(
                Recording.broadcast_id == candidate.broadcast_id,
                Recording.live_deleted_at.is_(None),
            )
            await change(session, older.values(live_deleted_at=now))
            return True

    async def _find_unfinished(self) -> list[str]:
        since = self._clock.now() - FINISH_FOR
        async with self._database.read() as session:
            rows = await session.scalars(
                select(Recording.broadcast_id)
                .where(Recording.live_deleted_at > since)
                .distinct()
                .limit(BATCH_COUNT)
            )
            return list(rows)

    async def _delete_segments(self, broadcast_id: str) -> None:
        """Tell streamer, then delete everything but the journal. Idempotent."""
        prefix, kept = broadcast_prefix(broadcast_id), journal_key(broadcast_id)
        keys = [info.key async for info in self._blobs.list_keys(prefix) if info.key != kept]
        if not keys:
            return
        await self._tell_streamer(broadcast_id)
        for key in keys:
            await self._blobs.delete(key)
        log.info("segments_deleted", broadcast_id=broadcast_id, count=len(keys))


def _uncut_asset_id() -> ColumnElement[str | None]:
    """What plays may be a cut: the recording lives on in the set that it was cut from."""
    return func.coalesce(Lecture.base_asset_id, Lecture.asset_id)


def _has_open_job() -> ColumnElement[bool]:
    return exists().where(
        Job.lecture_id == Recording.lecture_id,
        or_(Job.state == JobState.QUEUED, Job.state == JobState.RUNNING),
    )


async def require_segments(database: Database, broadcast_id: str) -> None:
    """Refuse to go on with a broadcast whose segments were deleted.

    Raises:
        ConflictError: They were; its journal alone is no recording any more.
    """
    deleted = select(Recording.id).where(
        Recording.broadcast_id == broadcast_id, Recording.live_deleted_at.is_not(None)
    )
    async with database.read() as session:
        if await session.scalar(deleted.limit(1)) is not None:
            raise ConflictError(
                "the live segments were deleted after the renditions were made",
                title_zh="这堂课已归档,无法继续直播",
            )
