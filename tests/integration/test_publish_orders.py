"""Whatever order reports of finished sets come in, and however often: the best one plays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.layout import asset_prefix
from tests.integration.vod_jobs_support import AT, PLAN_HASH
from tests.support.material import make_report
from vod.accounts.roles import Visibility
from vod.assets.models import Asset
from vod.assets.publish import publish_asset
from vod.db.engine import Database, open_database
from vod.db.models import Base
from vod.jobs.models import Job
from vod.lectures.models import Lecture, LectureState

MAX_VERSION, MAX_GENERATION = 3, 2


@dataclass(frozen=True, order=True)
class Report:
    """A set that some job has finished."""

    version: int
    is_whole: bool
    generation: int


reports = st.builds(
    Report,
    version=st.integers(1, MAX_VERSION),
    is_whole=st.booleans(),
    generation=st.integers(0, MAX_GENERATION),
)
steps = st.lists(st.one_of(reports, st.just("new source")), max_size=14)


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[asyncio.Runner, Database]]:
    """One database in a loop of its own for all examples; each has a lecture of its own."""
    folder: Path = tmp_path_factory.mktemp("orders")
    stack = contextlib.AsyncExitStack()

    async def prepare() -> Database:
        url = f"sqlite+aiosqlite:///{folder / 'hall.db'}"
        database = await stack.enter_async_context(open_database(url))
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        return database

    with asyncio.Runner() as runner:
        yield runner, runner.run(prepare())
        runner.run(stack.aclose())


async def play(database: Database, sequence: list[Report | str]) -> tuple[Lecture, Asset | None]:
    """Deliver the reports to a new lecture; what it plays in the end."""
    lecture_id = new_id()
    jobs = {
        (version, generation): Job(
            id=new_id(), lecture_id=lecture_id, kind="transcode_upload", source_version=version,
            generation=generation, asset_id=new_id(), plan_hash=PLAN_HASH, created_at=AT,
        )
        for version in range(1, MAX_VERSION + 1)
        for generation in range(MAX_GENERATION + 1)
    }  # fmt: skip
    async with database.write() as session:
        session.add(
            Lecture(
                id=lecture_id, title="课", visibility=Visibility.PUBLIC, created_at=AT,
                state=LectureState.PROCESSING, source_version=1,
            )
        )  # fmt: skip
        await session.flush()
        session.add_all(jobs.values())
    for step in drop_impossible(sequence):
        with contextlib.suppress(ConflictError):
            async with database.write() as session:
                if isinstance(step, str):
                    newer = update(Lecture).where(Lecture.id == lecture_id)
                    await session.execute(newer.values(source_version=Lecture.source_version + 1))
                    continue
                job = await session.get(Job, jobs[step.version, step.generation].id)
                assert job is not None
                report = make_report(job.asset_id, PLAN_HASH, is_partial=not step.is_whole)
                await publish_asset(session, job, report, now=AT)
    async with database.read() as session:
        lecture = await session.get(Lecture, lecture_id)
        assert lecture is not None
        asset = None if lecture.asset_id is None else await session.get(Asset, lecture.asset_id)
        return lecture, asset


def drop_impossible(sequence: list[Report | str]) -> list[Report | str]:
    """Leave out reports about a source that is not there yet: nobody has been asked for them."""
    current, possible = 1, []
    for step in sequence:
        current += isinstance(step, str)
        if isinstance(step, str) or step.version <= current:
            possible.append(step)
    return possible


def find_best(sequence: list[Report | str]) -> Report | None:
    """What must play: the highest of all that came while their source was the newest."""
    current, accepted = 1, []
    for step in sequence:
        if isinstance(step, str):
            current += 1
        elif step.version == current:
            accepted.append(step)
    return max(accepted, default=None)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sequence=steps)
def test_the_best_set_plays_whatever_the_order(
    opened: tuple[asyncio.Runner, Database], sequence: list[Report | str]
) -> None:
    runner, database = opened
    lecture, asset = runner.run(play(database, sequence))
    best = find_best(sequence)
    if best is None:
        assert (lecture.asset_id, lecture.state) == (None, LectureState.PROCESSING)
        return
    assert asset is not None
    assert (asset.source_version, not asset.is_partial) == (best.version, best.is_whole)
    assert lecture.state is (LectureState.READY if best.is_whole else LectureState.PLAYABLE)
    assert asset.report["prefix"] == asset_prefix(
        asset.id, plan_hash=PLAN_HASH, is_partial=not best.is_whole
    )


@pytest.mark.parametrize("is_first_early", [True, False])
def test_the_later_request_wins_among_whole_sets(
    opened: tuple[asyncio.Runner, Database], *, is_first_early: bool
) -> None:
    runner, database = opened
    older, newer = Report(1, is_whole=True, generation=0), Report(1, is_whole=True, generation=1)
    sequence: list[Report | str] = [older, newer] if is_first_early else [newer, older]

    async def run() -> int:
        _, asset = await play(database, sequence)
        assert asset is not None
        async with database.read() as session:
            job = await session.get(Job, asset.job_id)
            assert job is not None
            return job.generation

    assert runner.run(run()) == 1


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_second_codec_is_added_to_a_whole_set_in_place(
    opened: tuple[asyncio.Runner, Database], *, is_whole: bool
) -> None:
    runner, database = opened

    async def add() -> tuple[Lecture, Asset, Asset]:
        lecture, before = await play(database, [Report(1, is_whole, 0)])
        assert before is not None
        plain = make_report(before.id, PLAN_HASH)
        twin = plain.renditions[0].model_copy(update={"name": "twin", "codec": "av01.0.04M.08"})
        more = plain.model_copy(
            update={"index": "index-av1.m3u8", "renditions": (*plain.renditions, twin)}
        )
        for _ in range(2):  # The worker may say it twice.
            async with database.write() as session:
                job = await session.get(Job, before.job_id)
                assert job is not None
                await publish_asset(session, job, more, now=AT)
        async with database.read() as session:
            after = await session.get(Asset, before.id)
            same = await session.get(Lecture, lecture.id)
            assert after is not None
            assert same is not None
            return same, before, after

    lecture, before, after = runner.run(add())
    assert lecture.asset_id == before.id
    assert (after.published_at, after.plan_hash) == (before.published_at, before.plan_hash)
    known = after.report.get("index", "index.m3u8")
    assert known == ("index-av1.m3u8" if is_whole else "index.m3u8")
    assert after.is_partial is not is_whole
