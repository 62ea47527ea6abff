"""What was put on air, kept in the database and extended when somebody watches.

Every vod answers from the same rows. Whoever finds that they end too soon reads the grid,
computes what follows (``vod.channels.plan``) and appends it, if nobody was faster. What is
committed reaches ``COMMIT`` ahead; an edit of the grid is seen that much later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Select, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.blobs.port import BlobStore
from kernel.clock import Clock
from kernel.errors import BlobMissingError, DependencyError, NotFoundError, PlaylistSyntaxError
from kernel.timing import TICKS_PER_S
from vod.assets.models import Asset
from vod.channels.air import LEAD, MARGIN, SHORT_WINDOW, WINDOW, to_moment, to_ticks
from vod.channels.models import Channel, ChannelRun, ChannelVisibility, Programme, RunKind
from vod.channels.plan import Airing, Grid, Run, extend
from vod.channels.rule import list_occurrences, read_rule
from vod.channels.track import Media, build_media, find_end_bytes
from vod.db.engine import Database
from vod.lectures.models import Lecture
from vod.lectures.publication import Publication
from vod.material.timeline import find_folder
from vod.playback.library import Remembered

AHEAD: Final = 20 * TICKS_PER_S  # Per write; an edit is seen at most LEAD + MARGIN + this later.
COMMIT: Final = LEAD + MARGIN + AHEAD
SLACK: Final = 12 * TICKS_PER_S  # Rows end this much before what is shown, so its start is whole.
KEEP: Final = timedelta(days=35)  # What was aired can be looked up so long.
HORIZON: Final = timedelta(days=2)  # How far the grid is read: the start of what follows a gap.
MAX_MEDIA: Final = 64  # Playlists of assets in memory; an hour with four rungs is ~1 MB.
MEDIA_KEPT_S: Final = 3_600.0
MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
MAX_CHANNELS: Final = 200
ATTEMPTS: Final = 5  # Each failed one means that another vod appended something.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OnAir:
    """A channel at a moment: rows that cover its playlist, and their media by folder."""

    may_seek: bool
    is_public: bool
    now: int
    window: int
    runs: tuple[Run, ...]
    media: dict[str, Media]


class ChannelLog:
    """Answers for the handlers of ``/channel/...``. Bounded; several vods may run."""

    def __init__(self, database: Database, blobs: BlobStore, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._media: Remembered[Media] = Remembered(clock, max_count=MAX_MEDIA, kept_s=MEDIA_KEPT_S)
        self._runs: Remembered[tuple[Run, ...]] = Remembered(
            clock, max_count=MAX_CHANNELS, kept_s=30.0
        )
        self._open: Remembered[bool] = Remembered(clock, max_count=MAX_CHANNELS, kept_s=5.0)
        self._turns: dict[str, asyncio.Lock] = {}

    async def find(self, channel_id: str) -> OnAir:
        """Find what is on air now.

        Raises:
            NotFoundError: No such channel.
            DependencyError: Database or blobs are away, and what is known does not reach far.
        """
        channel = await self._load_channel(channel_id)
        now = to_ticks(self._clock.now())
        window = WINDOW if channel.may_seek else SHORT_WINDOW
        runs = self._runs.get(channel_id)
        if not _covers(runs, now):
            lock = self._turns.setdefault(channel_id, asyncio.Lock())
            if len(self._turns) > MAX_CHANNELS:  # Only as many as there are channels watched.
                self._turns = {channel_id: lock}
            async with lock:
                runs = self._runs.get(channel_id)
                if not _covers(runs, now):
                    runs = await self._extend(channel, now)
                    self._runs.put(channel_id, runs)
        assert runs is not None  # noqa: S101 - it covers the moment
        shown = tuple(run for run in runs if run.end > now - window - SLACK)
        media = {folder: await self._load_media(folder) for folder in {r.folder for r in shown}}
        return OnAir(
            may_seek=channel.may_seek,
            is_public=channel.visibility is ChannelVisibility.PUBLIC,
            now=now,
            window=window,
            runs=shown,
            media={folder: own for folder, own in media.items() if own is not None},
        )

    async def is_public(self, channel_id: str) -> bool:
        """Tell whether shared caches may keep the channel's media; remembered for seconds."""
        known = self._open.get(channel_id)
        if known is None:
            channel = await self._load_channel(channel_id)
            known = channel.visibility is ChannelVisibility.PUBLIC
            self._open.put(channel_id, known)
        return known

    async def find_end(self, channel_id: str, folder: str, name: str, *, since: int) -> int:
        """Return how many bytes of a file the channel has shown or is about to; 0 is none.

        Args:
            since: What ended before, in ticks, does not count.
        """
        query = select(ChannelRun).where(
            ChannelRun.channel_id == channel_id,
            ChannelRun.folder == folder,
            ChannelRun.end_ticks > since,
        )
        known = self._runs.get(channel_id) or ()
        runs = [run for run in known if run.folder == folder]
        if not runs:
            async with self._database.read() as session:
                runs = [_read_row(row) for row in await session.scalars(query)]
        media = await self._load_media(folder) if runs else None
        return 0 if media is None else max(_find_end(run, media, name) for run in runs)

    async def _load_channel(self, channel_id: str) -> Channel:
        async with self._database.read() as session:
            channel = await session.get(Channel, channel_id)
        if channel is None or channel.deleted_at is not None:
            raise NotFoundError("no such channel")
        return channel

    async def _extend(self, channel: Channel, now: int) -> tuple[Run, ...]:
        for _ in range(ATTEMPTS):
            async with self._database.read() as session:
                runs = await load_runs(session, channel.id, since=now - WINDOW - SLACK)
                if _covers(runs, now):
                    return runs
                tail = runs[-1] if runs else await load_tail(session, channel.id)
                airings = await load_airings(session, channel, now)
                filler = await load_filler(session, channel)
            made = await self._compute(tail, airings, filler, now)
            try:
                if await self._append(channel.id, tail, made):
                    kept = [run for run in runs if run.number != made[0].number]
                    return (*kept, *made)
            except IntegrityError as error:
                log.debug("channel_extended_elsewhere", channel_id=channel.id, detail=str(error))
        raise DependencyError("the channel's log changes too quickly")

    async def _compute(
        self,
        tail: Run | None,
        airings: Sequence[tuple[str, int, str, str | None]],
        filler: tuple[str, str] | None,
        now: int,
    ) -> list[Run]:
        """Read the media that may be shown next, and plan."""
        # Only what is on at the anchor or begins before the end of this commitment is read.
        anchor = now - WINDOW - SLACK
        begun = sum(start <= anchor for _, start, _, _ in airings)
        airings = airings[max(0, begun - 1) :]
        folders = {folder for _, start, _, folder in airings if folder and start < now + COMMIT}
        folders |= {tail.folder} if tail and tail.folder else set()
        folders |= {filler[1]} if filler else set()
        media = {folder: await self._load_media(folder) for folder in folders}
        grid = Grid(
            tuple(
                Airing(key, start, lecture_id, _of(media.get(folder or ""), lecture_id))
                for key, start, lecture_id, folder in airings
            ),
            _of(media.get(filler[1]), filler[0]) if filler else None,
        )
        known = {folder: own for folder, own in media.items() if own is not None}
        return extend(tail, grid, media=known, anchor=anchor, until=now + COMMIT)

    async def _append(self, channel_id: str, tail: Run | None, made: Sequence[Run]) -> bool:
        """Write the runs, unless somebody has appended to the one that they follow."""
        async with self._database.write() as session:
            await session.execute(
                select(Channel.id).where(Channel.id == channel_id).with_for_update()
            )
            if await load_tail(session, channel_id) != tail:
                return False
            for run in made:
                row = None
                if tail is not None and run.number == tail.number:
                    row = await session.scalar(_select_run(channel_id, run.number))
                if row is None:
                    session.add(_build_row(channel_id, run))
                else:
                    row.end_ticks, row.count, row.audio_count = (
                        run.end, run.count, run.audio_count,
                    )  # fmt: skip
            before = to_ticks(self._clock.now() - KEEP)
            last = made[-1].number
            await session.execute(
                delete(ChannelRun).where(
                    ChannelRun.channel_id == channel_id,
                    ChannelRun.end_ticks < before,
                    ChannelRun.number < last,  # Numbers go on from the last one.
                )
            )
        return True

    async def _load_media(self, folder: str) -> Media | None:
        """Load the segments of an asset; ``None`` when it is gone or cannot be aired."""
        known = self._media.get(folder)
        if known is not None or not folder:
            return known
        async with self._database.read() as session:
            asset = await session.get(Asset, folder.partition("/")[0])
        if asset is None:
            return None
        prefix, texts = f"assets/{folder}/", {}
        try:
            for made in asset.report.get("renditions", ()):
                is_audio = made["kind"] == "audio"
                # Only what every player shows: of a lecture in two codecs the H.264 one.
                if is_audio or str(made["codec"]).startswith("avc1"):
                    data = await self._blobs.get_bytes(
                        f"{prefix}{made['name']}.m3u8", limit_bytes=MAX_TEXT_BYTES
                    )
                    height = 0 if is_audio else made["height_px"] or 1
                    texts[made["name"]] = (height, data.decode(errors="replace"))
            media = await asyncio.to_thread(build_media, asset.lecture_id, folder, texts)
        except (BlobMissingError, PlaylistSyntaxError) as error:
            log.warning("cannot_be_aired", folder=folder, detail=str(error))
            return None
        return self._media.put(folder, media)


def _of(media: Media | None, lecture_id: str) -> Media | None:
    return media if media is not None and media.lecture_id == lecture_id else None


def _find_end(run: Run, media: Media, name: str) -> int:
    stop = run.first + run.count
    if media.video and name == "audio":
        stop = run.audio_first + run.audio_count
    return find_end_bytes(media, name, stop)


def _covers(runs: Sequence[Run] | None, now: int) -> bool:
    return bool(runs) and runs is not None and runs[-1].end >= now + LEAD + MARGIN


def _select_run(channel_id: str, number: int) -> Select[tuple[ChannelRun]]:
    return select(ChannelRun).where(
        ChannelRun.channel_id == channel_id, ChannelRun.number == number
    )


async def load_runs(session: AsyncSession, channel_id: str, *, since: int) -> tuple[Run, ...]:
    rows = await session.scalars(
        select(ChannelRun)
        .where(ChannelRun.channel_id == channel_id, ChannelRun.end_ticks > since)
        .order_by(ChannelRun.number)
    )
    return tuple(_read_row(row) for row in rows)


async def load_tail(session: AsyncSession, channel_id: str) -> Run | None:
    row = await session.scalar(
        select(ChannelRun)
        .where(ChannelRun.channel_id == channel_id)
        .order_by(ChannelRun.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return None if row is None else _read_row(row)


def _read_row(row: ChannelRun) -> Run:
    return Run(
        number=row.number, kind=row.kind.value, key=row.key, lecture_id=row.lecture_id,
        folder=row.folder, start=row.start_ticks, end=row.end_ticks, first=row.first,
        count=row.count, msn=row.msn, audio_first=row.audio_first, audio_count=row.audio_count,
        audio_msn=row.audio_msn,
    )  # fmt: skip


def _build_row(channel_id: str, run: Run) -> ChannelRun:
    values = asdict(run)
    return ChannelRun(
        channel_id=channel_id,
        kind=RunKind(values.pop("kind")),
        start_ticks=values.pop("start"),
        end_ticks=values.pop("end"),
        **values,
    )


async def load_airings(
    session: AsyncSession, channel: Channel, now: int
) -> list[tuple[str, int, str, str | None]]:
    """Load (key, start, lecture, folder) of what may matter now, by start.

    A lecture that was deleted or is not published has no folder, so it is not aired.
    """
    rows = await session.execute(
        select(Programme, Lecture, Asset)
        .join(Lecture, Lecture.id == Programme.lecture_id)
        .outerjoin(Asset, Asset.id == Lecture.asset_id)
        .where(Programme.channel_id == channel.id)
    )
    found = {row[0].id: (row[0], _find_own_folder(row[1], row[2]), row[1]) for row in rows}
    moment = to_moment(now)
    occurrences = list_occurrences(
        (
            (key, read_rule(programme.starts_at, programme.repeat), HORIZON)
            for key, (programme, _, _) in found.items()
        ),
        moment - timedelta(hours=1),
        moment + HORIZON,
    )
    return [
        (one.key, to_ticks(one.starts_at), found[one.programme_id][0].lecture_id,
         found[one.programme_id][1])
        for one in occurrences
    ]  # fmt: skip


def _find_own_folder(lecture: Lecture, asset: Asset | None) -> str | None:
    is_there = lecture.deleted_at is None and lecture.publication is Publication.PUBLISHED
    return find_folder(asset).removeprefix("assets/").rstrip("/") if asset and is_there else None


async def load_filler(session: AsyncSession, channel: Channel) -> tuple[str, str] | None:
    """Load (lecture, folder) of the filler, if it can be played."""
    if channel.filler_id is None:
        return None
    row = (
        await session.execute(
            select(Lecture, Asset)
            .join(Asset, Asset.id == Lecture.asset_id)
            .where(Lecture.id == channel.filler_id)
        )
    ).one_or_none()
    folder = _find_own_folder(row[0], row[1]) if row else None
    return (channel.filler_id, folder) if folder else None
