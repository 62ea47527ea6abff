"""Live classes as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.config import Settings
from kernel.messages import BroadcastStatus
from kernel.timing import to_seconds_down
from vod.accounts.roles import Viewer
from vod.classes import schemas
from vod.classes.keys import build_keys
from vod.classes.models import LiveClass
from vod.classes.policy import may_manage_class
from vod.classes.queries import ON_AIR
from vod.classes.states import ClassState
from vod.classes.status import LiveStatuses
from vod.db.engine import Database
from vod.http.origin import build_rtmp_url
from vod.lectures.extras import LectureExtras, load_extras
from vod.lectures.models import Lecture
from vod.lectures.present import build_duration_s, build_image_urls, build_playback
from vod.lectures.service import load_replays
from vod.series.schemas import SeriesRef


@dataclass(frozen=True, slots=True)
class ClassPresenter:
    """Builds answers for one viewer on one origin; a fixed number of queries for any number."""

    database: Database
    statuses: LiveStatuses
    settings: Settings
    secret: bytes
    viewer: Viewer
    origin: str

    async def present(self, live_classes: Sequence[LiveClass]) -> list[schemas.LiveClass]:
        """Build the answers; ``series`` and ``instructor`` of the rows must be loaded.

        Streamer is asked once, outside of any transaction, and for what is on air only.
        """
        async with self.database.read() as session:
            replays, extras = await self._load_replays(session, live_classes)
        on_air = [row.broadcast_id for row in live_classes if row.state in ON_AIR]
        statuses = await self.statuses.load(on_air) if on_air else {}
        return [
            self._present_one(
                row,
                statuses.get(row.broadcast_id),
                replay=replays.get(row.id),
                extras=extras[replays[row.id].id] if row.id in replays else None,
            )
            for row in live_classes
        ]

    async def _load_replays(
        self, session: AsyncSession, live_classes: Sequence[LiveClass]
    ) -> tuple[dict[str, Lecture], dict[str, LectureExtras]]:
        ids = [row.id for row in live_classes if row.started_at is not None]
        if not ids:
            return {}, {}
        replays = await load_replays(session, ids, self.viewer)
        return replays, await load_extras(session, list(replays.values()))

    def _present_one(
        self,
        row: LiveClass,
        status: BroadcastStatus | None,
        *,
        replay: Lecture | None,
        extras: LectureExtras | None,
    ) -> schemas.LiveClass:
        may_manage = may_manage_class(self.viewer, row.instructor_id)
        series, instructor = row.series, row.instructor
        poster_url = build_image_urls(replay, extras, self.origin)[0] if replay and extras else None
        return schemas.LiveClass(
            id=row.id,
            title=row.title,
            description=row.description,
            state=row.state,
            visibility=row.visibility,
            starts_at=row.starts_at,
            planned_end=row.planned_end,
            started_at=row.started_at,
            ended_at=row.ended_at,
            series=SeriesRef(id=series.id, title=series.title) if series else None,
            instructor=schemas.InstructorRef(id=instructor.id, display_name=instructor.display_name)
            if instructor
            else None,
            viewers=status.viewers if status else 0,
            watch_url=f"{self.origin}/classes/{row.id}",
            may_manage=may_manage,
            is_ending=row.end_requested_at is not None and row.state is not ClassState.ENDED,
            playback=self._build_playback(row, status),
            recording=_build_recording(row, status),
            health=status.health if status and may_manage else None,
            replay=self._build_replay(replay, extras) if row.state is ClassState.ENDED else None,
            poster_url=poster_url,
        )

    def _build_playback(
        self, row: LiveClass, status: BroadcastStatus | None
    ) -> schemas.LivePlayback | None:
        if row.state not in ON_AIR:
            return None
        base = f"{self.origin}/live/{row.broadcast_id}"
        # WebRTC has no B-frames: browsers would show them in the wrong order.
        has_whep = self.settings.whep_seats > 0 and not (status and status.has_b_frames)
        return schemas.LivePlayback(
            hls_url=f"{base}/index.m3u8",
            audio_url=f"{base}/audio.m3u8",
            whep_url=f"{self.origin}/whep/{row.broadcast_id}" if has_whep else None,
        )

    def _build_replay(
        self, replay: Lecture | None, extras: LectureExtras | None
    ) -> schemas.Replay | None:
        if replay is None:
            return None
        return schemas.Replay(
            lecture_id=replay.id,
            state=replay.state,
            duration_s=build_duration_s(replay, extras.asset if extras else None),
            playback=build_playback(replay, self.origin),
        )

    def build_publish(self, row: LiveClass) -> schemas.PublishInfo:
        """Build what an encoder needs; the caller has checked the right."""
        keys = build_keys(self.secret, row.id, row.key_version)
        return schemas.PublishInfo(
            rtmp_url=build_rtmp_url(self.settings, self.origin),
            stream_key=keys.stream_key,
            whip_url=f"{self.origin}/whip/{row.id}",
            whip_token=keys.whip_token,
            ice_servers=build_ice_servers(self.settings),
        )


def build_ice_servers(settings: Settings) -> list[schemas.IceServer]:
    return [schemas.IceServer(urls=[url]) for url in settings.ice_servers]


def _build_recording(
    row: LiveClass, status: BroadcastStatus | None
) -> schemas.RecordingProgress | None:
    """What streamer says now, but never less than what the database has already been told."""
    if row.started_at is None:
        return None
    recorded_s, stored_s = to_seconds_down(row.recorded_ticks), to_seconds_down(row.stored_ticks)
    if status is not None:
        recorded_s = max(recorded_s, status.recorded_s)
        stored_s = max(stored_s, status.stored_s)
    return schemas.RecordingProgress(recorded_s=max(recorded_s, stored_s), stored_s=stored_s)
