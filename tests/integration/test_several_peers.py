"""Two vods: clients and the gate pass over the one that is away."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hall import folders
from hall.gate import remove_caches
from hall.metrics import serve_metrics
from hall.supervisor import ChildSpec, Supervisor
from hall.up import gate_child, local_origin
from kernel.config import Settings, split_addresses
from kernel.errors import ConflictError, DependencyError
from kernel.http import InternalClient, listen, problem_middleware
from tests.support.ports import find_free_port
from tests.support.waiting import eventually


def _service(name: str) -> web.Application:
    async def get_name(_request: web.Request) -> web.Response:
        return web.json_response({"name": name})

    async def get_refused(_request: web.Request) -> web.Response:
        raise ConflictError(name)

    async def get_broken(request: web.Request) -> web.Response:
        if name == "one" and request.transport is not None:
            request.transport.abort()
        return web.json_response({"name": name})

    app = web.Application(middlewares=[problem_middleware])
    app.router.add_get("/name", get_name)
    app.router.add_get("/api/v1/name", get_name)
    app.router.add_get("/refused", get_refused)
    app.router.add_get("/broken", get_broken)
    return app


@asynccontextmanager
async def _run_two() -> AsyncIterator[tuple[str, dict[str, AsyncExitStack]]]:
    addresses, stacks = [], {}
    async with AsyncExitStack() as stack:
        for name in ("one", "two"):
            address = f"tcp:127.0.0.1:{find_free_port()}"
            own = await stack.enter_async_context(AsyncExitStack())
            await own.enter_async_context(listen(_service(name), address))
            addresses.append(address)
            stacks[name] = own
        yield ",".join(addresses), stacks


async def test_client_goes_to_the_next_peer_and_stays_there() -> None:
    async with _run_two() as (peers, stacks), InternalClient(peers, secret=None) as client:
        assert await client.call("GET", "/name") == {"name": "one"}
        with pytest.raises(ConflictError, match="one"):
            await client.call("GET", "/refused")  # An answer, not an absence.
        await stacks["one"].aclose()
        names = [(await client.call("GET", "/name"))["name"] for _ in range(3)]
        assert names == ["two", "two", "two"]
        await stacks["two"].aclose()
        with pytest.raises(DependencyError):
            await client.call("GET", "/name")


async def test_call_that_broke_off_is_not_repeated_but_the_next_goes_elsewhere() -> None:
    async with _run_two() as (peers, _), InternalClient(peers, secret=None) as client:
        await client.call("GET", "/name")
        with pytest.raises(DependencyError):
            await client.call("GET", "/broken")
        assert await client.call("GET", "/broken") == {"name": "two"}


async def test_gate_serves_from_the_vod_that_is_there(short_dir: Path) -> None:
    player = short_dir / "player"
    player.mkdir()
    (player / "index.html").write_text("page")
    async with _run_two() as (peers, stacks), AsyncExitStack() as stack:
        settings = Settings(data=short_dir / "data", http_port=find_free_port(), vod_listen=peers)
        folders.ensure_folders(settings)
        stack.callback(remove_caches, settings)
        await stack.enter_async_context(Supervisor([gate_child(settings, player=player)]))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        url = local_origin(settings) + "/api/v1/name"

        async def ask() -> str:
            try:
                async with session.get(url) as response:
                    return str((await response.json())["name"]) if response.status == 200 else ""
            except aiohttp.ClientError:
                return ""

        await eventually(ask)
        assert {await ask() for _ in range(8)} == {"one", "two"}, "both work"
        await stacks["one"].aclose()
        assert [await ask() for _ in range(12)] == ["two"] * 12, "nobody notices"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("unix:/a/b.sock", ("unix:/a/b.sock",)),
        ("unix:/a,b/c.sock", ("unix:/a,b/c.sock",)),
        ("tcp:h:1, tcp:i:2,", ("tcp:h:1", "tcp:i:2")),
        ("http://h:1,https://i:2", ("http://h:1", "https://i:2")),
        ("", ()),
    ],
)
def test_addresses_split_at_commas_between_them_only(value: str, parts: tuple[str, ...]) -> None:
    assert split_addresses(value) == parts


async def test_metrics_port_that_is_taken_is_a_sentence(short_dir: Path) -> None:
    port = find_free_port()
    settings = Settings(data=short_dir, metrics_bind=f"127.0.0.1:{port}")
    async with listen(web.Application(), f"tcp:127.0.0.1:{port}"):
        with pytest.raises(DependencyError, match=f"HALL_METRICS_BIND 127.0.0.1:{port}"):
            async with serve_metrics(settings, {}):
                pytest.fail("served on a port that is taken")


async def test_child_deaf_to_its_signal_is_ended_all_the_same(short_dir: Path) -> None:
    ready = short_dir / "ready"
    script = f"trap '' QUIT; echo > {ready}; while :; do sleep 1; done"
    spec = ChildSpec(
        "deaf", ("/bin/sh", "-c", script), stop_signal=signal.SIGQUIT, stop_deadline_s=0.3
    )
    async with Supervisor([spec]) as supervisor:
        await eventually(ready.exists)
        child = supervisor.find("deaf")
        process = child._process
        assert child.pid is not None
    assert process is not None
    assert process.returncode == -signal.SIGTERM
