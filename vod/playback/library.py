"""What replay delivery knows of lectures: short-lived answers, rendered playlists. Bounded."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import NotFoundError
from kernel.messages import INDEX_NAME
from vod.accounts.roles import Visibility
from vod.assets.models import Asset
from vod.captions.models import CaptionTrack
from vod.captions.refs import load_refs
from vod.classes.models import LiveClass
from vod.db.engine import Database
from vod.lectures.models import Lecture
from vod.lectures.visible import build_open, describe_exposure
from vod.material.models import Material
from vod.material.timeline import (
    RECORDING_PLACE,
    Timeline,
    find_folder,
    find_timeline,
    read_timeline,
)
from vod.playback.subtitles import SubtitleTrack
from vod.posters.models import OwnPoster
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
class RenderedText:
    """Bytes of a playlist or WebVTT file as they go out, plain and gzipped."""

    plain: bytes
    zipped: bytes


@dataclass(frozen=True, slots=True)
class LectureMedia:
    """What plays for a lecture now: an asset, else a recording.

    Attributes:
        asset_prefix: ``assets/{asset_id}/{plan_hash}/``.
        index: Name of the multivariant playlist there.
        extras: The asset's files by role.
        timeline: Its place in caption addresses and what it shows of the uncut lecture.
    """

    is_public: bool
    title: str
    asset_prefix: str | None
    recording_version: int | None
    extras: Mapping[str, Sequence[str]]
    timeline: Timeline
    tracks: tuple[SubtitleTrack, ...] = ()
    index: str = INDEX_NAME


class MediaLibrary:
    """Answers for the delivery handlers.

    Raises (all methods):
        NotFoundError: No such object, or nothing to play.
        DependencyError: The database is away and nothing is remembered.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._facts: Remembered[bool] = Remembered(clock, max_count=MAX_FACTS, kept_s=FACTS_KEPT_S)
        self._playlists: Remembered[RenderedText] = Remembered(
            clock, max_count=MAX_PLAYLISTS, kept_s=PLAYLISTS_KEPT_S
        )
        # Rendering hours of segments takes longer than the loop may be held up.
        self._renderer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="playlists")

    async def find_media(self, lecture_id: str) -> LectureMedia:
        """Find what plays for a lecture, with its captions; always fresh, asked once per player."""
        query = (
            select(Lecture, Asset)
            .outerjoin(Asset, Asset.id == Lecture.asset_id)
            .where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
        )
        async with self._database.read() as session:
            row = (await session.execute(query)).one_or_none()
            lecture: Lecture | None = row[0] if row else None
            asset: Asset | None = row[1] if row else None
            if lecture is None or (asset is None and lecture.recording_version is None):
                raise NotFoundError("there is nothing to play")
            tracks = (await load_refs(session, [lecture_id]))[lecture_id]
        return LectureMedia(
            is_public=describe_exposure(lecture).is_open,
            title=lecture.title,
            asset_prefix=None if asset is None else find_folder(asset),
            recording_version=lecture.recording_version,
            extras={} if asset is None else asset.report.get("files", {}),
            timeline=find_timeline(lecture, asset),
            tracks=tuple(SubtitleTrack(t.id, t.version, t.language, t.label) for t in tracks),
            index=INDEX_NAME if asset is None else asset.report.get("index", INDEX_NAME),
        )

    async def find_track_version(self, lecture_id: str, caption_id: str) -> tuple[bool, int]:
        """Find a caption track: whether shared caches may keep it, and its version."""
        query = (
            select(build_open(), CaptionTrack.version)
            .join(CaptionTrack, CaptionTrack.lecture_id == Lecture.id)
            .where(
                Lecture.id == lecture_id,
                Lecture.deleted_at.is_(None),
                CaptionTrack.id == caption_id,
                CaptionTrack.deleted_at.is_(None),
            )
        )
        async with self._database.read() as session:
            row = (await session.execute(query)).one_or_none()
        if row is None:
            raise NotFoundError("no such captions")
        return bool(row[0]), row[1]

    async def find_cues(self, caption_id: str) -> tuple[int, list[list[Any]]]:
        """Find the cues of a track with the version that they are of."""
        query = select(CaptionTrack.version, CaptionTrack.cues).where(CaptionTrack.id == caption_id)
        async with self._database.read() as session:
            row = (await session.execute(query)).one_or_none()
        if row is None:
            raise NotFoundError("no such captions")
        return row[0], row[1]

    async def find_old_timeline(self, lecture_id: str, place: str) -> Timeline:
        """Find the timeline that ``place`` in a caption address names: an asset or a recording."""
        async with self._database.read() as session:
            if place.startswith(RECORDING_PLACE):
                version = int(place.removeprefix(RECORDING_PLACE))
                recording = await self.load_recording(session, lecture_id, version)
                return Timeline(place, recording.duration_ticks)
            asset = await session.scalar(
                select(Asset).where(Asset.id == place, Asset.lecture_id == lecture_id)
            )
        if asset is None:
            raise NotFoundError("no such asset")
        return read_timeline(asset)

    async def is_public_poster(self, lecture_id: str, name: str) -> bool:
        """Check that an own poster is the lecture's; tell whether shared caches may keep it."""
        query = (
            select(build_open())
            .select_from(Lecture)
            .join(OwnPoster, OwnPoster.lecture_id == Lecture.id)
            .where(
                Lecture.id == lecture_id,
                Lecture.deleted_at.is_(None),
                OwnPoster.name == name,
            )
        )
        return await self._remember(("poster", lecture_id, name), query)

    async def find_chapters(self, lecture_id: str) -> list[dict[str, Any]]:
        """Find the chapters in uncut time."""
        async with self._database.read() as session:
            return (
                await session.scalar(
                    select(Material.chapters).where(Material.lecture_id == lecture_id)
                )
                or []
            )

    async def is_public_asset(self, lecture_id: str, asset_id: str, folder: str) -> bool:
        """Check that the asset belongs to the lecture; tell whether shared caches may keep it.

        The right was checked for the lecture in the URL, so the asset must really be its own.
        What was published first stays readable for whoever plays it.
        """
        plan_hash = folder.removesuffix("-first")
        query = (
            select(build_open())
            .select_from(Lecture)
            .join(Asset, Asset.lecture_id == Lecture.id)
            .where(
                Lecture.id == lecture_id,
                Lecture.deleted_at.is_(None),
                Asset.id == asset_id,
                Asset.plan_hash == plan_hash,
            )
        )
        return await self._remember(("asset", lecture_id, asset_id, folder), query)

    async def is_public_broadcast(self, broadcast_id: str) -> bool:
        """Tell whether shared caches may keep the segments of a broadcast.

        They are the replay's as well: an editor's decision for the lecture holds for them.
        """
        is_public = LiveClass.visibility == Visibility.PUBLIC
        query = (
            select(and_(is_public, or_(Lecture.id.is_(None), build_open())))
            .select_from(LiveClass)
            .outerjoin(Lecture, Lecture.live_class_id == LiveClass.id)
            .where(LiveClass.broadcast_id == broadcast_id)
        )
        return await self._remember(("broadcast", broadcast_id), query)

    async def _remember(self, key: Hashable, query: Select[tuple[bool]]) -> bool:
        known = self._facts.get(key)
        if known is not None:
            return known
        async with self._database.read() as session:
            is_public = await session.scalar(query)
        if is_public is None:
            raise NotFoundError("no such media")
        return self._facts.put(key, bool(is_public))

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

    def get_playlist(self, key: Hashable) -> RenderedText | None:
        """Return a playlist that was rendered before; keys name immutable content."""
        return self._playlists.get(key)

    async def render(self, key: Hashable, build: Callable[[], str]) -> RenderedText:
        """Run ``build`` in the renderer's thread and remember the result under ``key``."""

        def work() -> RenderedText:
            plain = build().encode()
            return RenderedText(plain, gzip.compress(plain, GZIP_LEVEL, mtime=0))

        rendered = await asyncio.get_running_loop().run_in_executor(self._renderer, work)
        return self._playlists.put(key, rendered)

    def close(self) -> None:
        """Let the renderer's thread end."""
        self._renderer.shutdown(wait=False)
