"""What replay delivery knows of lectures: short-lived answers, rendered playlists. Bounded."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy import Select, case, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import NotFoundError
from vod.accounts.roles import Visibility
from vod.assets.models import Asset
from vod.classes.models import LiveClass
from vod.db.engine import Database
from vod.lectures.models import Lecture
from vod.recordings.models import Recording

FACTS_KEPT_S: Final = 5.0  # A changed visibility reaches shared caches no later than this.
MAX_FACTS: Final = 2_000  # Objects watched at once; a fact is < 1 kB.
PLAYLISTS_KEPT_S: Final = 3_600.0  # Segments of a recording go one day; its playlist with them.
MAX_PLAYLISTS: Final = 64  # Rendered ones; the largest, of a 10 h class, is ~1.5 MB, 100 kB zipped.
GZIP_LEVEL: Final = 5

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """A small map that forgets: least recently used beyond ``max_count``, all after ``kept_s``."""

    def __init__(self, clock: Clock, *, max_count: int, kept_s: float) -> None:
        self._clock = clock
        self._max_count = max_count
        self._kept_s = kept_s
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        entry = self._values.get(key)
        if entry is None:
            return None
        at_s, value = entry
        if self._clock.monotonic_s() - at_s >= self._kept_s:
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: Value) -> Value:
        self._values[key] = (self._clock.monotonic_s(), value)
        self._values.move_to_end(key)
        while len(self._values) > self._max_count:
            self._values.popitem(last=False)
        return value

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class RenderedPlaylist:
    """Bytes of a playlist as they go out, plain and gzipped."""

    plain: bytes
    zipped: bytes


@dataclass(frozen=True, slots=True)
class LectureMedia:
    """What plays for a lecture now: an asset, else a recording."""

    is_public: bool
    asset_prefix: str | None
    """``assets/{asset_id}/{plan_hash}/``."""
    recording_version: int | None


class MediaLibrary:
    """Answers for the delivery handlers.

    Raises (all methods):
        NotFoundError: No such object, or nothing to play.
        DependencyError: The database is away and nothing is remembered.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._facts: Remembered[bool] = Remembered(clock, max_count=MAX_FACTS, kept_s=FACTS_KEPT_S)
        self._playlists: Remembered[RenderedPlaylist] = Remembered(
            clock, max_count=MAX_PLAYLISTS, kept_s=PLAYLISTS_KEPT_S
        )
        # Rendering hours of segments takes longer than the loop may be held up.
        self._renderer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="playlists")

    async def find_media(self, lecture_id: str) -> LectureMedia:
        """Find what plays for a lecture; always fresh, asked once per player."""
        async with self._database.read() as session:
            row = (
                await session.execute(
                    select(Lecture.visibility, Lecture.recording_version, Asset.id, Asset.plan_hash)
                    .select_from(Lecture)
                    .outerjoin(Asset, Asset.id == Lecture.asset_id)
                    .where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
                )
            ).one_or_none()
        if row is None or (row.id is None and row.recording_version is None):
            raise NotFoundError("there is nothing to play")
        prefix = None if row.id is None else f"assets/{row.id}/{row.plan_hash}/"
        return LectureMedia(row.visibility is Visibility.PUBLIC, prefix, row.recording_version)

    async def is_public_asset(self, lecture_id: str, asset_id: str, plan_hash: str) -> bool:
        """Check that the asset belongs to the lecture; tell whether shared caches may keep it.

        The right was checked for the lecture in the URL, so the asset must really be its own.
        """
        query = (
            select(Lecture.visibility)
            .join(Asset, Asset.lecture_id == Lecture.id)
            .where(
                Lecture.id == lecture_id,
                Lecture.deleted_at.is_(None),
                Asset.id == asset_id,
                Asset.plan_hash == plan_hash,
            )
        )
        return await self._remember(("asset", lecture_id, asset_id, plan_hash), query)

    async def is_public_broadcast(self, broadcast_id: str) -> bool:
        """Tell whether shared caches may keep the segments of a broadcast.

        They are the replay's as well: an editor's decision for the lecture holds for them.
        """
        is_restricted = Lecture.visibility == Visibility.MEMBERS
        query = (
            select(case((is_restricted, Lecture.visibility), else_=LiveClass.visibility))
            .select_from(LiveClass)
            .outerjoin(Lecture, Lecture.live_class_id == LiveClass.id)
            .where(LiveClass.broadcast_id == broadcast_id)
        )
        return await self._remember(("broadcast", broadcast_id), query)

    async def _remember(self, key: Hashable, query: Select[tuple[Visibility]]) -> bool:
        known = self._facts.get(key)
        if known is not None:
            return known
        async with self._database.read() as session:
            visibility = await session.scalar(query)
        if visibility is None:
            raise NotFoundError("no such media")
        return self._facts.put(key, visibility is Visibility.PUBLIC)

    async def load_recording(
        self, session: AsyncSession, lecture_id: str, version: int
    ) -> Recording:
        """Load a recording whose segments are still there."""
        recording: Recording | None = await session.scalar(
            select(Recording)
            .join(Lecture, Lecture.id == Recording.lecture_id)
            .where(
                Recording.lecture_id == lecture_id,
                Recording.version == version,
                Recording.live_deleted_at.is_(None),
                Lecture.deleted_at.is_(None),
            )
        )
        if recording is None:
            raise NotFoundError("no such recording")
        return recording

    async def find_index_json(self, lecture_id: str, version: int) -> str:
        """Return the index of a recording as it is stored."""
        async with self._database.read() as session:
            return (await self.load_recording(session, lecture_id, version)).index_json

    def get_playlist(self, key: Hashable) -> RenderedPlaylist | None:
        """Return a playlist that was rendered before; keys name immutable content."""
        return self._playlists.get(key)

    async def render(self, key: Hashable, build: Callable[[], str]) -> RenderedPlaylist:
        """Run ``build`` in the renderer's thread and remember the result under ``key``."""

        def work() -> RenderedPlaylist:
            plain = build().encode()
            return RenderedPlaylist(plain, gzip.compress(plain, GZIP_LEVEL, mtime=0))

        rendered = await asyncio.get_running_loop().run_in_executor(self._renderer, work)
        return self._playlists.put(key, rendered)

    def close(self) -> None:
        """Let the renderer's thread end."""
        self._renderer.shutdown(wait=False)
