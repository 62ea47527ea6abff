"""A migrated database of each kind, lectures with recordings, and plans to carry out."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from kernel.clock import FakeClock
from kernel.ids import new_id
from kernel.layout import asset_prefix
from kernel.messages import (
    AssetReport,
    BroadcastEnded,
    ClaimedUnit,
    PlanReport,
    RenditionPlan,
    RenditionReport,
    UnitCompleted,
    UnitPlan,
)
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from vod.accounts.roles import Visibility
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.db.engine import Database, open_database
from vod.db.models import Base
from vod.jobs.models import Job, Unit
from vod.jobs.planning import plan_recording
from vod.jobs.service import JobService
from vod.recordings.service import record_end

AT = datetime(2026, 7, 1, 7, tzinfo=UTC)
PLAN_HASH = "0123456789abcdef"
SEGMENT_TICKS = 180_000


@contextlib.contextmanager
def run_postgres() -> Iterator[str]:
    """A PostgreSQL server of our own; its URL for asyncpg without a database name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Where it keeps its lock is not our concern.
        import pgserver
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    server = pgserver.get_server(folder / "d", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def make_postgres_url(uri: str) -> AsyncIterator[str]:
    """Create an empty database on the server and drop it afterwards."""
    import asyncpg

    name = f"t{new_id()}"
    admin = await asyncpg.connect(uri)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        rest = uri.removeprefix("postgresql://").replace("/postgres?", f"/{name}?", 1)
        yield f"postgresql+asyncpg://{rest}"
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


def make_index(
    broadcast_id: str, *, segments_count: int = 3, epochs_count: int = 1, **fields: object
) -> RecordingIndex:
    """A recording of 2 s segments."""
    epochs, msn = [], 0
    for number in range(epochs_count):
        segments = []
        for _ in range(segments_count):
            segments.append(
                RecordedSegment(
                    msn=msn,
                    start_ticks=msn * SEGMENT_TICKS,
                    duration_ticks=SEGMENT_TICKS,
                    av_bytes=60_000,
                    audio_bytes=8_000,
                )
            )
            msn += 1
        epochs.append(
            RecordedEpoch.model_validate(
                {
                    "epoch": number,
                    "program_date_time": AT,
                    "av_init": "init-aa.mp4",
                    "audio_init": "init-bb.mp4",
                    "video_codec": "avc1.64001f",
                    "width_px": 640,
                    "height_px": 360,
                    "audio_codec": "mp4a.40.2",
                    "sample_rate_hz": 48_000,
                    "channels_count": 2,
                    "protocol": "rtmp",
                    "segments": segments,
                    **fields,
                }
            )
        )
    return RecordingIndex(broadcast_id=broadcast_id, epochs=tuple(epochs))


@dataclass
class Hall:
    """What a test of jobs or playback works with."""

    database: Database
    clock: FakeClock
    url: str

    @property
    def jobs(self) -> JobService:
        return JobService(self.database, self.clock)

    async def add_class(
        self,
        *,
        visibility: Visibility = Visibility.PUBLIC,
        state: ClassState = ClassState.ENDED,
        instructor_id: str | None = None,
    ) -> LiveClass:
        row = LiveClass(
            id=new_id(),
            title="第一课",
            visibility=visibility,
            state=state,
            broadcast_id=new_id(),
            created_at=AT,
            instructor_id=instructor_id,
        )
        async with self.database.write() as session:
            session.add(row)
        return row

    async def end(
        self, live_class: LiveClass, *, version: int = 1, index: RecordingIndex | None = None
    ) -> str:
        """Let the class's broadcast end; return the lecture's id."""
        event = BroadcastEnded(
            event_id=new_id(),
            broadcast_id=live_class.broadcast_id,
            at=self.clock.now(),
            recording_version=version,
            index=index or make_index(live_class.broadcast_id, segments_count=2 + version),
        )
        async with self.database.write() as session:
            lecture = await record_end(session, event, live_class)
            assert lecture is not None
            return lecture.id

    async def store(self, lecture_id: str, *, version: int = 1) -> str:
        """The recording is stored; return the job's id."""
        async with self.database.write() as session:
            job = await plan_recording(
                session, lecture_id=lecture_id, recording_version=version, now=self.clock.now()
            )
            return job.id

    async def start_job(self) -> tuple[str, str]:
        """A class that ended and was stored: (lecture id, job id)."""
        lecture_id = await self.end(await self.add_class())
        return lecture_id, await self.store(lecture_id)

    async def find_unit(self, job_id: str, key: str) -> Unit:
        async with self.database.read() as session:
            unit = await session.scalar(select(Unit).where(Unit.job_id == job_id, Unit.key == key))
            assert unit is not None
            return unit

    async def find_job(self, job_id: str) -> Job:
        async with self.database.read() as session:
            job = await session.get(Job, job_id)
            assert job is not None
            return job

    async def claim(self, job_id: str, key: str, *, worker: str = "w1") -> ClaimedUnit:
        unit = await self.find_unit(job_id, key)
        return await self.jobs.claim(unit.id, worker=worker)

    async def finish(self, job_id: str, key: str, result: dict[str, object] | None = None) -> None:
        """Claim and complete a unit."""
        claimed = await self.claim(job_id, key)
        await self.jobs.complete(
            claimed.unit_id, UnitCompleted(fence=claimed.fence, result=result or {"key": key})
        )

    async def plan(self, job_id: str, report: PlanReport | None = None) -> None:
        await self.finish(job_id, "plan", (report or make_plan()).model_dump(mode="json"))

    async def publish(self, job_id: str) -> AssetReport:
        """Carry out the whole standard plan."""
        await self.plan(job_id)
        for key in ("video-0", "video-1", "audio"):
            await self.finish(job_id, key)
        job = await self.find_job(job_id)
        report = make_asset(job.asset_id)
        await self.finish(job_id, "publish", report.model_dump(mode="json"))
        return report


def make_plan() -> PlanReport:
    """Two ranges of video, one audio, one publication."""

    def unit(key: str, kind: str, *after: str, **fields: object) -> UnitPlan:
        return UnitPlan.model_validate(
            {
                "key": key,
                "kind": kind,
                "queue": "long",
                "spec": {"n": key},
                "after": after,
                **fields,
            }
        )

    return PlanReport(
        plan_hash=PLAN_HASH,
        renditions=(
            RenditionPlan(
                name="360p", kind="video", width_px=640, height_px=360, codec="h264",
                bitrate_bps=600_000, reason="as recorded",
            ),
            RenditionPlan(name="audio", kind="audio", codec="aac", reason="always"),
        ),
        units=(
            unit("video-0", "encode_video", renditions=("360p",), weight=3),
            unit("video-1", "encode_video", renditions=("360p",), weight=3),
            unit("audio", "encode_audio", renditions=("audio",), weight=1),
            unit("publish", "publish_asset", "video-0", "video-1", "audio", weight=1),
        ),
    )  # fmt: skip


def make_asset(asset_id: str) -> AssetReport:
    return AssetReport(
        prefix=asset_prefix(asset_id, plan_hash=PLAN_HASH),
        duration_s=6.0,
        renditions=(
            RenditionReport(
                name="360p", kind="video", width_px=640, height_px=360, codec="avc1.64001e",
                bitrate_bps=580_000, size_bytes=2000,
            ),
            RenditionReport(
                name="audio", kind="audio", codec="mp4a.40.2", bitrate_bps=64_000, size_bytes=500
            ),
        ),
        poster="poster.jpg",
        storyboard="storyboard.vtt",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def open_hall(url: str) -> AsyncIterator[Hall]:
    # The migrations have their own tests, which hold them to the same tables.
    async with open_database(url) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield Hall(database, FakeClock(), url)


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    with run_postgres() as uri:
        yield uri


@pytest.fixture(params=["sqlite", "postgresql"])
async def hall(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hall]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{tmp_path / 'hall.db'}"
        else:
            uri = request.getfixturevalue("postgres_uri")
            url = await stack.enter_async_context(make_postgres_url(uri))
        yield await stack.enter_async_context(open_hall(url))
