"""Remove what nobody can see any more: media of deleted lectures, replaced files and renditions.

Everything waits for a grace period first. Only what the database knows is removed, so a bucket
that is newer than a restored database loses nothing. Each removal is noted before it begins and
repeated for ``FINISH_FOR``, so one that was cut off is finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import aliased

from kernel.layout import asset_prefix, broadcast_prefix, upload_key
from vod.assets.leftovers import select_first_sets, select_spent_uploads
from vod.assets.models import Asset
from vod.assets.sweep import FINISH_FOR, Sweep
from vod.channels.air_rows import is_on_air
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.jobs.models import Job, Unit
from vod.jobs.policy import JobState, UnitState
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.recordings.models import Recording
from vod.uploads.models import Upload

BATCH_COUNT: Final = 100  # Jobs and broadcasts per sweep; what is left comes with the next one.
STAGING_GRACE: Final = timedelta(days=1)  # A worker removes its own staging within seconds.
STAGING: Final = "staging/"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Blobs under one prefix and why they may go; ``owner_id`` is of a job or a broadcast."""

    owner_id: str
    prefix: str
    why: str


class Cleanup(Sweep):
    """Looks for leftovers and deletes them."""

    name = "cleanup"

    def __init__(self, *tools: Any, keep: timedelta, keeps_originals: bool = True) -> None:
        """``keeps_originals``: uploaded files stay although their lecture is published."""
        super().__init__(*tools, keep=keep)
        self._keeps_originals = keeps_originals

    async def find_leftovers(self) -> list[Leftover]:
        """Dry run: say what a sweep would delete, and why."""
        return [
            *await self._find_broadcasts(),
            *await self._find_assets(),
            *await self._find_first_sets(),
            *await self._find_uploads(),
            *await self._find_staging(),
        ]

    async def sweep_once(self) -> int:
        """Delete what may go; return how many blobs went."""
        count = 0
        for leftover in await self._find_broadcasts():
            if await self._mark_broadcast(leftover.owner_id):
                await self._tell_streamer(leftover.owner_id)
                count += await self._delete(leftover)
        for leftover in await self._find_assets():
            if await self._mark_job(leftover.owner_id):
                count += await self._delete(leftover)
        for leftover in await self._find_uploads():
            if await self._mark_upload(leftover.owner_id):
                count += await self._delete(leftover)
        for leftover in [*await self._find_first_sets(), *await self._find_staging()]:
            count += await self._delete(leftover)
        return count

    async def _find_broadcasts(self) -> list[Leftover]:
        """Recorded media, journal included, of lectures that were deleted long enough ago."""
        before = self._clock.now() - self._keep
        query = (
            select(Recording.broadcast_id)
            .join(Lecture, Lecture.id == Recording.lecture_id)
            .join(LiveClass, LiveClass.id == Lecture.live_class_id)
            .where(
                Lecture.deleted_at <= before,
                LiveClass.state == ClassState.ENDED,
                or_(Recording.live_deleted_at.is_(None), Lecture.deleted_at > before - FINISH_FOR),
            )
            .distinct()
            .limit(BATCH_COUNT)
        )
        async with self._database.read() as session:
            ids = (await session.scalars(query)).all()
        return [Leftover(i, broadcast_prefix(i), "its lecture was deleted") for i in ids]

    async def _mark_broadcast(self, broadcast_id: str) -> bool:
        """Note the deletion; from then on the class cannot be reopened."""
        async with self._database.write() as session:
            live_class = await session.scalar(
                select(LiveClass).where(LiveClass.broadcast_id == broadcast_id).with_for_update()
            )
            if live_class is None or live_class.state is not ClassState.ENDED:
                return False
            await change(
                session,
                update(Recording)
                .where(Recording.broadcast_id == broadcast_id, Recording.live_deleted_at.is_(None))
                .values(live_deleted_at=self._clock.now()),
            )
            return True

    def _is_leftover(self) -> ColumnElement[bool]:
        """A job whose files nobody plays: abandoned, replaced, or of a deleted lecture."""
        before = self._clock.now() - self._keep
        is_deleted = Lecture.deleted_at <= before
        is_other = and_(
            or_(Lecture.asset_id.is_(None), Lecture.asset_id != Job.asset_id),
            # What plays is perhaps a cut of it.
            or_(Lecture.base_asset_id.is_(None), Lecture.base_asset_id != Job.asset_id),
        )
        was_played = exists().where(Asset.id == Job.asset_id)  # Perhaps only its first rungs.
        is_given_up = and_(Job.state.in_([JobState.FAILED, JobState.CANCELLED]), ~was_played)
        # While nothing new is published, players that are open still read the old ones.
        is_replaced = and_(Lecture.asset_id.is_not(None), Lecture.published_at <= before)
        return and_(
            ~is_on_air(Job.asset_id, self._clock.now()),
            Job.finished_at <= before,
            Job.state.in_([JobState.DONE, JobState.FAILED, JobState.CANCELLED]),
            or_(is_deleted, and_(is_other, or_(is_given_up, is_replaced))),
        )

    async def _find_assets(self) -> list[Leftover]:
        """Assets never published, published and replaced, or of deleted lectures."""
        is_open = or_(
            Job.files_deleted_at.is_(None), Job.files_deleted_at > self._clock.now() - FINISH_FOR
        )
        query = (
            select(Job.id, Job.asset_id, Job.state)
            .join(Lecture, Lecture.id == Job.lecture_id)
            .where(self._is_leftover(), is_open)
            .order_by(Job.finished_at)
            .limit(BATCH_COUNT)
        )
        async with self._database.read() as session:
            rows = (await session.execute(query)).all()
        return [
            Leftover(row.id, f"assets/{row.asset_id}/", f"its job is {row.state} and not played")
            for row in rows
        ]

    async def _mark_job(self, job_id: str) -> bool:
        """Note the deletion if the job is still nobody's; from then on it cannot be retried."""
        async with self._database.write() as session:
            job = await session.scalar(
                select(Job)
                .join(Lecture, Lecture.id == Job.lecture_id)
                .where(Job.id == job_id, self._is_leftover())
                .with_for_update(of=Job)
            )
            if job is None:
                return False
            job.files_deleted_at = job.files_deleted_at or self._clock.now()
            return True

    async def _find_first_sets(self) -> list[Leftover]:
        """What was published first, once the whole set has been there for a while."""
        before = self._clock.now() - self._keep
        query = select_first_sets(before=before, finish_for=FINISH_FOR).limit(BATCH_COUNT)
        async with self._database.read() as session:
            rows = (await session.execute(query)).all()
        found = [
            Leftover(
                row.id,
                asset_prefix(row.asset_id, plan_hash=row.plan_hash or "", is_partial=True),
                "the whole set replaced it",
            )
            for row in rows
        ]
        return [leftover for leftover in found if await self._has_blobs(leftover)]

    async def _has_blobs(self, leftover: Leftover) -> bool:
        async for _ in self._blobs.list_keys(leftover.prefix):
            return True
        return False

    def _select_uploads(self) -> Select[tuple[str]]:
        return select_spent_uploads(
            now=self._clock.now(),
            keep=self._keep,
            keeps_originals=self._keeps_originals,
            finish_for=FINISH_FOR,
        )

    async def _find_uploads(self) -> list[Leftover]:
        """Uploaded files that no lecture is made from any more."""
        async with self._database.read() as session:
            ids = (await session.scalars(self._select_uploads().limit(BATCH_COUNT))).all()
        return [Leftover(i, upload_key(i), "no lecture is made from it any more") for i in ids]

    async def _mark_upload(self, upload_id: str) -> bool:
        """Note the deletion if the file is still nobody's; from then on nothing is made of it."""
        async with self._database.write() as session:
            lecture_id = await session.scalar(
                select(Upload.lecture_id).where(Upload.id == upload_id)
            )
            await session.execute(
                select(Lecture.id).where(Lecture.id == lecture_id).with_for_update()
            )
            still = await session.scalar(self._select_uploads().where(Upload.id == upload_id))
            if still is None:
                return False
            statement = update(Upload).where(
                Upload.id == upload_id, Upload.bytes_deleted_at.is_(None)
            )
            await change(session, statement.values(bytes_deleted_at=self._clock.now()))
            return True

    async def _find_staging(self) -> list[Leftover]:
        """Staged files of units whose job is published or given up."""
        tokens: dict[str, set[str]] = {}
        async for info in self._blobs.list_keys(STAGING):
            token = info.key.split("/")[1]
            tokens.setdefault(token.rpartition("-")[0], set()).add(token)
        before = self._clock.now() - STAGING_GRACE
        failed = aliased(Unit)
        has_failed = exists().where(failed.job_id == Job.id, failed.state == UnitState.FAILED)
        is_over = or_(
            # What was to be added to the set and failed can be retried, from what is staged.
            and_(Job.state == JobState.DONE, Job.finished_at <= before, ~has_failed),
            Job.files_deleted_at.is_not(None),
        )
        found: list[str] = []
        async with self._database.read() as session:
            for start in range(0, len(ids := sorted(tokens)), BATCH_COUNT):
                query = select(Unit.id).join(Job, Job.id == Unit.job_id)
                batch = ids[start : start + BATCH_COUNT]
                found += (await session.scalars(query.where(Unit.id.in_(batch), is_over))).all()
        return [
            Leftover(unit_id, f"{STAGING}{token}/", "its job is over")
            for unit_id in found
            for token in sorted(tokens[unit_id])
        ]

    async def _delete(self, leftover: Leftover) -> int:
        keys = [info.key async for info in self._blobs.list_keys(leftover.prefix)]
        for key in keys:
            await self._blobs.delete(key)
        if keys:
            log.info("leftover_deleted", prefix=leftover.prefix, why=leftover.why, count=len(keys))
        return len(keys)
