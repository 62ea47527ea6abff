"""A crowd is told of a part once the gate has it; a gate that is slow or away delays nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from streamer.live.blocking import ReloadRequest
from streamer.live.edge_cache import PATIENCE_S, GateEdgeCache
from streamer.live.window import WAKE_COUNT, LiveWindow
from tests.support.waiting import eventually
from tests.unit.streamer.live.test_http import Origin

CROWD = WAKE_COUNT + 8


class HeldEdgeCache:
    """Keeps what it was offered until the test lets it go."""

    def __init__(self) -> None:
        self.offers: list[tuple[str, Callable[[], None]]] = []

    def offer(self, path: str, then: Callable[[], None]) -> None:
        self.offers.append((path, then))


async def _crowd(window: LiveWindow, count: int) -> list[asyncio.Task[object]]:
    edge = window.edge
    request = ReloadRequest(msn=edge.last_msn + 1, part=edge.open_parts_count)
    tasks = [asyncio.create_task(window.read_playlist("av", request)) for _ in range(count)]
    await eventually(lambda: window.waiters_count == count)
    return tasks


async def test_a_crowd_waits_until_the_part_lies_in_the_gate() -> None:
    cache = HeldEdgeCache()
    origin = Origin(hold_s=5, edge_cache=cache)
    origin.connect()
    origin.play(5.2)
    tasks = await _crowd(origin.window, CROWD)
    origin.play(0.6)
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    path, then = cache.offers[0]
    assert path == "/live/b/0/av/2.2.m4s"
    assert await origin.window.read_part(0, "av", msn=2, index=2), "it can be fetched already"
    then()
    texts = await asyncio.gather(*tasks)
    assert len({id(text) for text in texts}) == 1


async def test_a_handful_of_viewers_is_told_at_once() -> None:
    cache = HeldEdgeCache()
    origin = Origin(hold_s=5, edge_cache=cache)
    origin.connect()
    origin.play(5.2)
    tasks = await _crowd(origin.window, 3)
    origin.play(0.6)
    await asyncio.gather(*tasks)
    assert not cache.offers


@pytest.mark.parametrize("gate", ["absent", "slow"])
async def test_a_gate_that_does_not_take_the_part_delays_nobody(short_dir: Path, gate: str) -> None:
    socket = short_dir / "gate.sock"
    released = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    if gate == "slow":
        await web.UnixSite(runner, str(socket)).start()
    try:
        async with GateEdgeCache(str(socket)) as cache:
            told = asyncio.Event()
            started_s = time.monotonic()
            cache.offer("/live/b/0/av/1.0.m4s", told.set)
            async with asyncio.timeout(5):
                await told.wait()
            assert time.monotonic() - started_s < PATIENCE_S + 1
            assert cache.failures_count == 1
            again: list[int] = []
            cache.offer("/live/b/0/av/1.1.m4s", lambda: again.append(1))
            assert (again == [1]) == (gate == "absent"), "one that is away is left alone"
    finally:
        released.set()
        await runner.cleanup()


async def test_leaving_wakes_everybody(short_dir: Path) -> None:
    told: list[int] = []
    async with GateEdgeCache(str(short_dir / "none.sock")) as cache:
        cache.offer("/live/b/0/av/1.0.m4s", lambda: told.append(1))
    assert told == [1]
