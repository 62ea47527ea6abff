"""The whole system as a newcomer starts it: `hall up` in its own folder on its own ports."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import psutil

from tests.support.ports import find_free_port
from tests.support.waiting import eventually

ADMIN_PASSWORD = "correct horse battery"
READY_S = 60.0
STOP_S = 120.0  # Children have deadlines of their own; this is for a machine that hardly moves.
LOG_TAIL_BYTES = 8000
ROOT = Path(__file__).parents[2]


class Api:
    """The public API over the gate, signed in or not."""

    def __init__(
        self, session: aiohttp.ClientSession, origin: str, token: str | None = None
    ) -> None:
        self.session, self.origin = session, origin
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def sign_in(self, login: str, password: str) -> Api:
        """A client that acts as that person."""
        answer = await self.post("/session", {"login": login, "password": password})
        return Api(self.session, self.origin, answer["token"])

    async def request(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None
    ) -> tuple[int, Any]:
        """Status and JSON; ``path`` below ``/api/v1`` unless it is a whole URL."""
        url = path if path.startswith("http") else f"{self.origin}/api/v1{path}"
        async with self.session.request(method, url, json=body, headers=self.headers) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            answer = await response.json(content_type=None) if text and is_json else text
            if expect is not None and response.status != expect:
                raise AssertionError(f"{method} {path}: {response.status}, not {expect}: {answer}")
            return response.status, answer

    async def get(self, path: str) -> Any:
        return (await self.request("GET", path, expect=200))[1]

    async def post(self, path: str, body: Any = None, *, expect: int = 200) -> Any:
        return (await self.request("POST", path, body, expect=expect))[1]

    async def make_class(self, title: str = "第一讲", **fields: Any) -> dict[str, Any]:
        """A live class, public unless told."""
        body = {"title": title, "visibility": "public", **fields}
        return dict(await self.post("/live-classes", body, expect=201))

    async def wait_for_state(self, class_id: str, state: str, *, timeout_s: float = 20) -> Any:
        """The class once it is in ``state``."""

        async def look() -> Any:
            found = await self.get(f"/live-classes/{class_id}")
            return found if found["state"] == state else None

        return await eventually(look, timeout_s=timeout_s, message=f"class is not {state}")

    async def fetch(self, url: str) -> tuple[int, bytes]:
        """Bytes of any URL of the hall."""
        async with self.session.get(url, headers=self.headers) as response:
            return response.status, await response.read()


class Hall:
    """One running ``hall up``; use it with ``async with``.

    The process belongs to no event loop: one hall can serve the tests of many loops, each of
    which asks through a session of its own (``visit``).
    """

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.http_port, self.rtmp_port = find_free_port(), find_free_port()
        self._env = dict(env or {})
        scheme = "https" if "HALL_TLS_CERT" in self._env else "http"
        self.origin = f"{scheme}://localhost:{self.http_port}"
        self.log_path = folder / "hall.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._visits = AsyncExitStack()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def rtmp(self) -> str:
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live"

    async def __aenter__(self) -> Self:
        await self._visits.enter_async_context(self.visit())
        try:
            await self.start()
        except BaseException:  # Whoever is not entered is not left: nothing may stay behind.
            await self.stop()
            await self._visits.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.stop()
        await self._visits.aclose()
        if kind is not None:
            sys.stderr.write(self.read_log_tail())

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Self]:
        """Ask it from the event loop that runs now."""
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=60),
            connector=aiohttp.TCPConnector(ssl=False),  # Self-signed, where there is one.
        ) as self._session:
            yield self
        self._session = None

    def read_log_tail(self) -> str:
        """What it said last."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_BYTES:]

    async def start(self) -> None:
        """Start (again, on the same data) and wait until it says that it is ready."""
        await asyncio.to_thread(self._spawn_blocking)
        await eventually(self.is_ready, timeout_s=READY_S, message="hall up is not ready")

    def _spawn_blocking(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("HALL_")},
            "HALL_DATA": str(self.data),
            "HALL_HTTP_PORT": str(self.http_port),
            "HALL_RTMP_PORT": str(self.rtmp_port),
            "HALL_ADMIN_PASSWORD": ADMIN_PASSWORD,
            **self._env,
        }
        with self.log_path.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hall", "up"],
                cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    async def is_ready(self) -> bool:
        """Tell whether `hall up` said so and the gate answers."""
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError("hall up ended:\n" + self.read_log_tail())
        return b"is ready" in self.log_path.read_bytes() and await self._answers()

    async def _answers(self) -> bool:
        try:
            return (await self.api().request("GET", self.origin + "/readyz"))[0] in (200, 204)
        except aiohttp.ClientError:
            return False

    async def stop(self) -> None:
        """Ctrl-C; everything must be gone in time."""
        await asyncio.to_thread(self.stop_blocking)

    def stop_blocking(self) -> None:
        """The same where no event loop runs."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        process.wait(STOP_S)

    async def kill(self) -> None:
        """kill -9 of the supervisor; its children must follow."""
        if self._process is None:
            raise AssertionError("not running")
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        self._process = None
        await eventually(lambda: not any(_is_alive(child) for child in children), timeout_s=30)

    def child(self, name: str) -> psutil.Process:
        """The process of a child: ``vod``, ``streamer``, ``worker``, ``gate`` or ``valkey``."""
        found = self.find_child(name)
        if found is None:
            raise AssertionError(f"no child {name}")
        return found

    def find_child(self, name: str) -> psutil.Process | None:
        """The same, ``None`` while it is being started again."""
        words = {
            "vod": ("serve", "vod"),
            "streamer": ("serve", "streamer"),
            "worker": ("worker",),
            "gate": ("nginx",),
            "valkey": ("valkey-server",),
        }[name]
        if self._process is None:
            raise AssertionError("not running")
        for process in psutil.Process(self._process.pid).children():
            try:
                line = " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            if all(word in line for word in words):
                return process
        return None

    def is_back(self, name: str, killed: psutil.Process) -> bool:
        """Tell whether the supervisor has started the child that was killed again."""
        found = self.find_child(name)
        return found is not None and found.pid != killed.pid

    def api(self, token: str | None = None) -> Api:
        """A client that is anonymous unless it has a token."""
        if self._session is None:
            raise AssertionError("use the hall inside 'async with'")
        return Api(self._session, self.origin, token)

    async def admin(self) -> Api:
        """A client signed in as the administrator."""
        return await self.api().sign_in("admin", ADMIN_PASSWORD)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def run_hall(folder: Path, **env: str) -> AsyncIterator[Hall]:
    """Shorthand for tests that need their own."""
    async with Hall(folder, env=env) as hall:
        yield hall
