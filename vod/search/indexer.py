"""Keep the index current: what triggers noted is read again, built in a thread, and written.

One indexer works at a time, however many vods there are: it holds a lease, and every write checks
that it still does. Notes are taken away with the write that answers them, and rows are read after
the notes that name them, so that a change which comes meanwhile is answered by the next round.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import DependencyError
from vod.db.engine import Database, log_dependency
from vod.search.documents import Source
from vod.search.lease import Lease
from vod.search.models import SearchChange, SearchDocument, SearchKind, SearchSpeech, SearchState
from vod.search.port import SearchIndex
from vod.search.sources import list_dependents, list_everything, load_sources
from vod.search.tokens import VERSION
from vod.search.writing import (
    Change,
    Known,
    load_known,
    note,
    plan_change_blocking,
    write_change,
)

BATCH: Final = 40  # Notes at a time: some hundred ms of work between two looks at the lease.
POLL_S: Final = 1.0  # A change is found within two of these.
KINDS: Final = frozenset(kind.value for kind in SearchKind)
NAMED_BY_OTHERS: Final = frozenset({SearchKind.SERIES, SearchKind.INSTRUCTOR})
PARTS: Final = frozenset({"account", "form"})  # Are not found; their names are part of others.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some notes, and what they name by kind."""

    note_ids: Sequence[int]
    ids: dict[SearchKind, set[str]] = field(default_factory=lambda: defaultdict(set))
    parts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True)
class Work:
    """One thing as its rows say and as the index has it."""

    kind: SearchKind
    object_id: str
    source: Source | None
    known: Known | None


class Indexer:
    """Construct -> ``run()`` until cancelled, or ``catch_up()`` once."""

    def __init__(self, database: Database, index: SearchIndex, clock: Clock) -> None:
        self._database, self._index = database, index
        self._lease = Lease(clock)

    async def run(self) -> None:
        """Look for notes until cancelled."""
        while True:
            try:
                await self.catch_up()
            except DependencyError as error:
                log.warning("search_indexing_postponed", reason=str(error))
            await asyncio.sleep(POLL_S)

    async def catch_up(self) -> int:
        """Index all that changed, unless another process does; how many things were looked at.

        Raises:
            LeaseLostError: Somebody else took over in the middle.
            DependencyError: The database is away.
        """
        if await self.is_settled():
            return 0
        async with self._database.write() as session:
            if not await self._lease.take(session):
                return 0
        count = 0
        try:
            await self._ensure_version()
            while (batch := await self._read_batch()).note_ids:
                await self._index_batch(batch)
                count += len(batch.note_ids)
        finally:
            # What ended it goes on, a cancellation above all; the lease runs out by itself.
            with log_dependency("search_lease_stays"):
                async with self._database.write() as session:
                    await self._lease.give_back(session)
        log.info("search_indexed", notes=count)
        return count

    async def is_settled(self) -> bool:
        """Tell whether nothing is left to do."""
        async with self._database.read() as session:
            version = await session.scalar(select(SearchState.tokens_version))
            waiting = await session.scalar(select(SearchChange.id).limit(1))
        return waiting is None and version == VERSION

    async def _ensure_version(self) -> None:
        """Empty the index and note everything when its tokens are of another version."""
        async with self._database.write() as session:
            await self._lease.hold(session)
            if await session.scalar(select(SearchState.tokens_version)) == VERSION:
                return
            await self._index.clear(session)
            for table in (SearchSpeech, SearchDocument, SearchChange):
                await session.execute(delete(table))
            for kind, ids in (await list_everything(session)).items():
                await note(session, kind, ids)
            await session.execute(update(SearchState).values(tokens_version=VERSION))

    async def _read_batch(self) -> Batch:
        async with self._database.read() as session:
            rows = await session.execute(
                select(SearchChange.id, SearchChange.kind, SearchChange.object_id)
                .order_by(SearchChange.id)
                .limit(BATCH)
            )
            notes = list(rows.tuples())
        batch = Batch([note_id for note_id, _, _ in notes])
        for _, kind, object_id in notes:
            if kind in KINDS:
                batch.ids[SearchKind(kind)].add(object_id)
            elif kind in PARTS:
                batch.parts[kind].add(object_id)
        return batch

    async def _index_batch(self, batch: Batch) -> None:
        works = await self._load(batch)
        changes = await asyncio.to_thread(_plan_blocking, works)
        async with self._database.write() as session:
            await self._lease.hold(session)
            for change in changes:
                await write_change(session, self._index, change)
            await _note_dependents(session, changes, batch)
            await session.execute(delete(SearchChange).where(SearchChange.id.in_(batch.note_ids)))

    async def _load(self, batch: Batch) -> list[Work]:
        works: list[Work] = []
        keeps = self._index.keeps_tokens
        async with self._database.read() as session:
            for kind, ids in batch.ids.items():
                sources = await load_sources(session, kind, ids)
                known = await load_known(session, kind, ids, with_tokens=keeps)
                works.extend(Work(kind, key, sources.get(key), known.get(key)) for key in ids)
        return sorted(works, key=lambda work: work.object_id)


def _plan_blocking(works: Sequence[Work]) -> list[Change]:
    """Plan what differs. Runs on: a worker thread."""
    planned = (
        plan_change_blocking(work.kind, work.object_id, source=work.source, known=work.known)
        for work in works
    )
    return [change for change in planned if change is not None]


async def _note_dependents(session: AsyncSession, changes: Sequence[Change], batch: Batch) -> None:
    """Have read again what names something that is called otherwise now, or is gone."""
    renamed = defaultdict(set, batch.parts)
    for change in changes:
        if change.kind in NAMED_BY_OTHERS and change.is_renamed:
            renamed[change.kind.value].add(change.object_id)
    for kind, ids in (await list_dependents(session, renamed)).items():
        await note(session, kind, sorted(ids))


async def request_rebuild(session: AsyncSession) -> None:
    """Have everything made anew by whoever indexes next; until then less and less is missing."""
    await session.execute(update(SearchState).values(tokens_version=0))
