"""Blobs that nobody owns: find them, remember what was found, delete exactly that.

Nothing younger than a day is touched, and nothing is deleted without asking the database again.
Both ways stop at a deadline and say so; asking again goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import delete

from kernel.blobs.port import BlobStore, Multipart
from kernel.clock import Clock
from kernel.errors import ConflictError
from vod.db.engine import Database
from vod.jobs.statements import change
from vod.storage.groups import Group, iter_groups
from vod.storage.judges import JUDGES, SPARED, Judge, Moment, judge_multiparts
from vod.storage.models import OrphanListing

BATCH_COUNT: Final = 100  # Groups per question to the database.
MAX_ORPHANS: Final = 1_000  # In one listing; the next one brings the rest.
LISTING_KEPT: Final = timedelta(hours=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Orphan:
    """Objects under one prefix that nobody owns.

    Attributes:
        why: One Chinese sentence.
        multipart_id: Of an object that was never completed; ``prefix`` is its key then.
    """

    prefix: str
    objects_count: int
    size_bytes: int
    why: str
    multipart_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a dry run found; ``is_complete`` is false when there was more than it could look at."""

    orphans: tuple[Orphan, ...]
    is_complete: bool
    token: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """What deleting did; ``kept_count`` prefixes have an owner or young objects by now."""

    prefixes_count: int
    objects_count: int
    size_bytes: int
    kept_count: int
    is_complete: bool


class Orphans:
    """Over one database and one blob store."""

    def __init__(
        self, database: Database, blobs: BlobStore, clock: Clock, *, keep: timedelta
    ) -> None:
        """``keep``: how long replaced things stay for players that are open."""
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._keep = keep

    async def find(self, *, at_most_s: float) -> Found:
        """Dry run: look for orphans, remember what was found under the token.

        Raises:
            DependencyError: The store or the database failed.
        """
        deadline_s = self._clock.monotonic_s() + at_most_s
        orphans: list[Orphan] = []
        is_complete = True
        async for batch in self._iter_orphans():
            orphans += batch
            if len(orphans) >= MAX_ORPHANS or self._clock.monotonic_s() > deadline_s:
                is_complete = False
                break
        orphans = orphans[:MAX_ORPHANS]
        return Found(tuple(orphans), is_complete, await self._remember(orphans))

    async def delete(self, token: str, *, at_most_s: float) -> Deleted:
        """Delete what the dry run listed, as far as it is still nobody's.

        Raises:
            ConflictError: No such dry run, or it is older than an hour.
        """
        deadline_s = self._clock.monotonic_s() + at_most_s
        prefixes = objects = size_bytes = kept = 0
        is_complete = True
        for orphan in await self._recall(token):
            if self._clock.monotonic_s() > deadline_s:
                is_complete = False
                break
            gone = await self._delete_one(orphan)
            if gone is None:
                kept += 1
            elif gone.objects_count:
                prefixes += 1
                objects += gone.objects_count
                size_bytes += gone.size_bytes
        return Deleted(prefixes, objects, size_bytes, kept, is_complete)

    async def _iter_orphans(self) -> AsyncIterator[list[Orphan]]:
        for root, judge in JUDGES.items():
            batch: list[Group] = []
            async for group in iter_groups(self._blobs, root):
                if self._is_old(group):
                    batch.append(group)
                if len(batch) == BATCH_COUNT:
                    yield await self._judge(batch, judge)
                    batch = []
            yield await self._judge(batch, judge)
        unfinished: list[tuple[str, str]] = []
        async for info in self._blobs.list_multiparts(""):
            if info.started_at <= self._clock.now() - SPARED:
                unfinished.append((info.key, info.id))
            if len(unfinished) == BATCH_COUNT:
                yield await self._judge_multiparts(unfinished)
                unfinished = []
        yield await self._judge_multiparts(unfinished)

    def _is_old(self, group: Group) -> bool:
        before = self._clock.now() - SPARED
        return group.newest_at is not None and group.newest_at <= before

    async def _ask(self, judge: Judge, prefixes: list[str]) -> dict[str, str]:
        moment = Moment(self._clock.now(), self._keep)
        async with self._database.read() as session:
            return await judge(session, prefixes, moment)

    async def _judge(self, groups: list[Group], judge: Judge) -> list[Orphan]:
        if not groups:
            return []
        verdicts = await self._ask(judge, [group.prefix for group in groups])
        return [
            Orphan(group.prefix, group.objects_count, group.size_bytes, verdicts[group.prefix])
            for group in groups
            if group.prefix in verdicts
        ]

    async def _judge_multiparts(self, unfinished: list[tuple[str, str]]) -> list[Orphan]:
        if not unfinished:
            return []
        verdicts = await self._ask(judge_multiparts, [key for key, _ in unfinished])
        return [
            Orphan(key, 1, 0, verdicts[key], multipart_id=multipart_id)
            for key, multipart_id in unfinished
            if key in verdicts
        ]

    async def _delete_one(self, orphan: Orphan) -> Orphan | None:
        """Delete it, unless it has an owner by now (``None``); say how much went."""
        if orphan.multipart_id is not None:
            if orphan.prefix not in await self._ask(judge_multiparts, [orphan.prefix]):
                return None
            await self._blobs.abort_multipart(
                Multipart(orphan.prefix, orphan.multipart_id, part_bytes=0)
            )
            return orphan
        root = orphan.prefix.split("/", 1)[0] + "/"
        keys: list[str] = []
        count = size_bytes = 0
        if orphan.prefix not in await self._ask(JUDGES[root], [orphan.prefix]):
            return None
        async for info in self._blobs.list_keys(orphan.prefix):
            if info.modified_at is None or info.modified_at > self._clock.now() - SPARED:
                return None
            keys.append(info.key)
            count, size_bytes = count + 1, size_bytes + info.size_bytes
        for key in keys:
            await self._blobs.delete(key)
        log.info("orphan_deleted", prefix=orphan.prefix, why=orphan.why, count=count)
        return Orphan(orphan.prefix, count, size_bytes, orphan.why)

    async def _remember(self, orphans: list[Orphan]) -> str:
        now = self._clock.now()
        row = OrphanListing(prefixes=[asdict(orphan) for orphan in orphans], created_at=now)
        async with self._database.write() as session:
            old = delete(OrphanListing).where(OrphanListing.created_at <= now - LISTING_KEPT)
            await change(session, old)
            session.add(row)
            await session.flush()
            return row.id

    async def _recall(self, token: str) -> list[Orphan]:
        async with self._database.read() as session:
            row = await session.get(OrphanListing, token)
        if row is None or row.created_at <= self._clock.now() - LISTING_KEPT:
            raise ConflictError(
                "no such dry run, or it is too old", title_zh="清单已过期,请重新检查"
            )
        members: list[dict[str, Any]] = row.prefixes
        return [Orphan(**member) for member in members]
