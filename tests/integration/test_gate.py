"""The gate, as it is: real nginx on our template, small real services behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hall import folders
from hall.gate import remove_caches
from hall.supervisor import Supervisor
from hall.up import gate_child, local_origin
from kernel.config import Settings
from kernel.http import listen
from tests.support.ports import find_free_port
from tests.support.waiting import eventually


@dataclass
class Backends:
    """What stands behind the gate, and what it saw."""

    origin: str
    allowed: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    streamed: list[dict[str, str]] = field(default_factory=list)
    stack: dict[str, AsyncExitStack] = field(default_factory=dict)

    async def stop(self, name: str) -> None:
        await self.stack.pop(name).aclose()


def _vod(backends: Backends) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "service": "vod",
                "path": request.path,
                "host": request.headers["Host"],
                "proto": request.headers["X-Forwarded-Proto"],
                "ip": request.headers["X-Real-IP"],
            }
        )

    async def accel(_request: web.Request) -> web.Response:
        return web.Response(headers={"X-Accel-Redirect": "/_blobs/a/b.mp4"})

    app = web.Application()
    app.router.add_get("/media/lecture/accel.mp4", accel)
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


def _vod_internal(backends: Backends) -> web.Application:
    async def authorize(request: web.Request) -> web.Response:
        backends.asked.append(dict(request.headers))
        if not backends.allowed:
            return web.Response(status=403)
        return web.Response(status=204, headers={"X-Hall-Viewer": "viewer-7"})

    app = web.Application()
    app.router.add_get("/internal/authorize", authorize)
    return app


def _streamer(backends: Backends) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        backends.streamed.append({**request.headers, "path_qs": request.path_qs})
        return web.json_response(
            {"service": "streamer", "path_qs": request.path_qs},
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


@asynccontextmanager
async def _run(short_dir: Path) -> AsyncIterator[Backends]:
    player = short_dir / "player"
    (player / "assets").mkdir(parents=True)
    (player / "index.html").write_text("<!doctype html>page")
    (player / "assets" / "app.js").write_text("1")
    settings = Settings(data=short_dir / "data", http_port=find_free_port())
    folders.ensure_folders(settings)
    (settings.data / "blobs" / "a").mkdir()
    (settings.data / "blobs" / "a" / "b.mp4").write_bytes(b"0123456789")
    backends = Backends(origin=local_origin(settings))
    async with AsyncExitStack() as stack:
        stack.callback(remove_caches, settings)
        for name, app, address in (
            ("vod", _vod(backends), settings.vod_address),
            ("vod_internal", _vod_internal(backends), settings.vod_internal_address),
            ("streamer", _streamer(backends), settings.streamer_address),
        ):
            own = await stack.enter_async_context(AsyncExitStack())
            await own.enter_async_context(listen(app, address))
            backends.stack[name] = own
        await stack.enter_async_context(Supervisor([gate_child(settings, player=player)]))
        await eventually(lambda: _answers(backends.origin), timeout_s=10)
        yield backends


async def _answers(origin: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(origin + "/healthz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@pytest.fixture
async def gate(short_dir: Path) -> AsyncIterator[Backends]:
    async with _run(short_dir) as backends:
        yield backends


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def test_pages_fall_back_to_the_player(gate: Backends, client: aiohttp.ClientSession) -> None:
    for path in ("/", "/classes/abc", "/live", "/live?elder=1"):
        async with client.get(gate.origin + path, allow_redirects=False) as response:
            assert await response.text() == "<!doctype html>page", path
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    async with client.get(gate.origin + "/assets/app.js") as response:
        assert "immutable" in response.headers["Cache-Control"]
    async with client.get(gate.origin + "/assets/gone.js") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "path", ["/internal/authorize", "/internal", "/metrics", "/_auth", "/_blobs/a/b.mp4"]
)
async def test_private_paths_do_not_exist(
    gate: Backends, client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(gate.origin + path) as response:
        assert response.status == 404


async def test_api_learns_who_asked_and_cannot_be_fooled(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    spoof = {"X-Forwarded-Proto": "https", "X-Real-IP": "6.6.6.6", "X-Forwarded-For": "6.6.6.6"}
    async with client.get(gate.origin + "/api/v1/x", headers=spoof) as response:
        seen = await response.json()
    assert (seen["service"], seen["proto"], seen["ip"]) == ("vod", "http", "127.0.0.1")
    assert seen["host"] == gate.origin.removeprefix("http://")


async def test_decision_comes_before_the_media_cache(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    url = gate.origin + "/live/b1/0/av/3.m4s"
    for _ in range(3):
        async with client.get(url, headers={"Authorization": "Bearer good"}) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert len(gate.streamed) == 1, "the second and third answer come from the cache"
    assert len(gate.asked) == 1, "one decision serves the object for a while"
    assert gate.asked[0]["X-Original-URI"] == "/live/b1/0/av/3.m4s"
    gate.allowed = False
    async with client.get(url, headers={"Authorization": "Bearer other"}) as response:
        assert response.status == 403
    assert len(gate.streamed) == 1


async def test_a_part_brought_by_streamer_is_there_for_whoever_may(
    gate: Backends, client: aiohttp.ClientSession, short_dir: Path
) -> None:
    socket = str(Settings(data=short_dir / "data").gate_socket)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as private:
        async with private.get("http://gate/live/b1/0/av/3.1.m4s") as response:
            assert response.status == 200
            await response.read()
        for path in ("/live/b1/av.m3u8", "/api/v1/home", "/media/l1/index.m3u8", "/"):
            async with private.get("http://gate" + path) as response:
                assert response.status == 404, "nothing else is served there"
    assert (len(gate.streamed), gate.asked) == (1, [])
    async with client.get(gate.origin + "/live/b1/0/av/3.1.m4s") as response:
        assert response.status == 200
    assert (len(gate.streamed), len(gate.asked)) == (1, 1)
    gate.allowed = False
    stranger = {"Authorization": "Bearer other"}
    async with client.get(gate.origin + "/live/b1/0/av/3.1.m4s", headers=stranger) as response:
        assert response.status == 403


async def test_a_killed_gate_comes_back_with_its_private_listener(
    gate: Backends, client: aiohttp.ClientSession, short_dir: Path
) -> None:
    pid_file = short_dir / "data" / "nginx" / "nginx.pid"
    master = int(await asyncio.to_thread(pid_file.read_text))
    os.killpg(os.getpgid(master), signal.SIGKILL)
    await eventually(lambda: _answers(gate.origin), timeout_s=10)
    socket = str(Settings(data=short_dir / "data").gate_socket)
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as private,
        private.get("http://gate/live/b1/0/av/9.0.m4s") as response,
    ):
        assert response.status == 200


async def test_another_object_is_another_decision(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    for path in (
        "/live/b1/av.m3u8",
        "/live/b1/index.m3u8",
        "/live/b2/av.m3u8",
        "/media/b1/index.m3u8",
    ):
        async with client.get(gate.origin + path) as response:
            assert response.status == 200
    assert len(gate.asked) == 3


async def test_playlists_pass_through_with_query_and_viewer(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    path = "/live/b1/av.m3u8?_HLS_msn=4&_HLS_part=2"
    for _ in range(2):
        async with client.get(gate.origin + path, headers={"X-Hall-Viewer": "spoofed"}) as response:
            assert (await response.json())["path_qs"] == path
    assert len(gate.streamed) == 2, "playlists are never cached here"
    assert {seen["X-Hall-Viewer"] for seen in gate.streamed} == {"viewer-7"}


async def test_admitted_viewers_stay_while_vod_is_away(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    good = {"Cookie": "hall_session=abc"}
    async with client.get(gate.origin + "/live/b1/av.m3u8", headers=good) as response:
        assert response.status == 200
    await gate.stop("vod_internal")
    async with client.get(gate.origin + "/live/b1/av.m3u8", headers=good) as response:
        assert response.status == 200
    async with client.get(gate.origin + "/live/b1/av.m3u8") as response:
        assert response.status >= 500, "a stranger is not let in while nobody can be asked"


async def test_segments_come_from_vod_while_streamer_is_away(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    await gate.stop("streamer")
    async with client.get(gate.origin + "/live/b1/0/av/9.m4s") as response:
        assert await response.json() == {
            "service": "vod",
            "path": "/live/b1/0/av/9.m4s",
            "host": gate.origin.removeprefix("http://"),
            "proto": "http",
            "ip": "127.0.0.1",
        }


async def test_signed_path_carries_its_token_to_vod_only(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    token = "t" * 40
    async with client.get(f"{gate.origin}/signed/{token}/live/b1/av.m3u8?_HLS_msn=1") as response:
        assert (await response.json())["path_qs"] == "/live/b1/av.m3u8?_HLS_msn=1"
    assert gate.asked[0]["X-Signed-Token"] == token
    assert gate.asked[0]["X-Original-URI"] == "/live/b1/av.m3u8"
    async with client.get(
        gate.origin + "/live/b1/0/av/1.m4s", headers={"X-Signed-Token": token}
    ) as response:
        assert response.status == 200
    assert gate.asked[1].get("X-Signed-Token", "") == "", (
        "a header of the same name is not believed"
    )
    async with client.get(f"{gate.origin}/signed/{token}/api/v1/accounts") as response:
        assert "vod" not in await response.text()


async def test_blobs_are_handed_over_with_ranges(
    gate: Backends, client: aiohttp.ClientSession
) -> None:
    url = gate.origin + "/media/lecture/accel.mp4"
    async with client.get(url, headers={"Range": "bytes=2-4"}) as response:
        assert (response.status, await response.read()) == (206, b"234")


@pytest.mark.parametrize(
    "path",
    [
        "/live/b1/../../internal/authorize",
        "/live/b1/%2e%2e/%2e%2e/internal/x",
        "/media/x/..%2f..%2f_blobs/a/b.mp4",
    ],
)
async def test_path_tricks_reach_nothing(gate: Backends, path: str) -> None:
    host, port = gate.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    assert b"0123456789" not in answer
    assert b'"/internal' not in answer


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no PR_SET_PDEATHSIG; it polls")
async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        "import asyncio, sys\n"
        "from hall.supervisor import ChildSpec, Supervisor\n"
        "async def main():\n"
        f"    argv = ('/bin/sh', '-c', 'echo $$ > {pid_file}; exec sleep 300')\n"
        "    async with Supervisor([ChildSpec('sleeper', argv)]) as supervisor:\n"
        "        await supervisor.wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    await eventually(lambda: pid_file.exists() and pid_file.read_text().strip() != "", timeout_s=10)
    child = int(pid_file.read_text())
    process.kill()
    await process.wait()
    await eventually(lambda: not _is_running(child), timeout_s=5)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
