"""A vod to test against: a migrated database of each kind, both listeners, a small streamer.

PostgreSQL is a real server of our own, started once per run; every test gets a database copied
from a migrated template.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from kernel.clock import FakeClock
from kernel.config import Settings
from kernel.errors import NotFoundError
from kernel.http import InternalClient, listen, problem_middleware
from kernel.ids import new_id
from kernel.messages import BroadcastStatus
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from vod.accounts import schemas
from vod.accounts.passwords import Passwords
from vod.accounts.roles import Role
from vod.accounts.service import create_account
from vod.app import Services, build_internal_app, build_public_app, open_services
from vod.db.engine import build_engine, migrate

PASSWORD = "correct horse"
SECRET = "a secret of the tests, long enough"
_numbers = itertools.count()


def weak_passwords() -> Passwords:
    """Real argon2id with the smallest cost, so that tests are quick."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class Databases:
    """Makes empty migrated databases."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vod-", dir="/tmp"))
        self._stack = contextlib.ExitStack()
        self._postgres: str | None = None
        self._has_sqlite_template = False

    def make(self, kind: str) -> str:
        """Make one; returns its URL. Blocks for a moment; call it before the loop is busy."""
        return self._make_sqlite() if kind == "sqlite" else self._make_postgres()

    def _make_sqlite(self) -> str:
        template = self._folder / "template.db"
        if not self._has_sqlite_template:
            migrate(f"sqlite+aiosqlite:///{template}")
            self._has_sqlite_template = True
        path = self._folder / f"{next(_numbers)}.db"
        shutil.copy(template, path)
        return f"sqlite+aiosqlite:///{path}"

    def _make_postgres(self) -> str:
        if self._postgres is None:
            self._postgres = self._stack.enter_context(run_postgres(self._folder / "pg"))
            execute_blocking(self._postgres, "CREATE DATABASE template_hall")
            migrate(_with_database(self._postgres, "template_hall"))
        name = f"hall_{next(_numbers)}"
        execute_blocking(self._postgres, f"CREATE DATABASE {name} TEMPLATE template_hall")
        return _with_database(self._postgres, name)

    def make_empty(self, kind: str) -> str:
        """A database without any table."""
        if kind == "sqlite":
            return f"sqlite+aiosqlite:///{self._folder / f'{next(_numbers)}.db'}"
        self._make_postgres()
        name = f"empty_{next(_numbers)}"
        assert self._postgres is not None
        execute_blocking(self._postgres, f"CREATE DATABASE {name}")
        return _with_database(self._postgres, name)

    def close(self) -> None:
        self._stack.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def run_postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of our own; the URL of its database ``postgres`` for asyncpg."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Where it keeps its lock is not our concern.
        import pgserver
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()


def _with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def execute_blocking(url: str, statement: str) -> None:
    """Run one statement outside of a transaction."""

    async def run() -> None:
        engine = build_engine(url)
        async with engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.execute(text(statement))
        await engine.dispose()

    asyncio.run(run())


class FakeStreamer:
    """Streamer's private listener with broadcasts that the test puts in.

    Attributes:
        statuses: What it knows, by broadcast id.
        ended: Broadcasts it was told to end, in order, repetitions included.
        asked: Batches of ids it was asked about.
    """

    def __init__(self) -> None:
        self.statuses: dict[str, BroadcastStatus] = {}
        self.ended: list[str] = []
        self.reopened: list[str] = []
        self.revoked: list[str] = []
        self.asked: list[list[str]] = []
        self.held = asyncio.Event()
        self.held.set()

    def build_app(self) -> web.Application:
        app = web.Application(middlewares=[problem_middleware])
        app.router.add_post("/internal/broadcasts", self._post_broadcasts)
        app.router.add_post("/internal/broadcasts/{id}/end", self._post_end)
        app.router.add_post("/internal/broadcasts/{id}/reopen", self._post_reopen)
        app.router.add_post("/internal/broadcasts/{id}/revoke-credentials", self._post_revoke)
        app.router.add_get("/internal/ready", self._get_ready)
        return app

    def put(self, broadcast_id: str, **values: Any) -> None:
        """Let it know a broadcast that is live unless ``values`` say otherwise."""
        known: dict[str, Any] = {
            "broadcast_id": broadcast_id,
            "state": "live",
            "epoch": 0,
            "viewers": 7,
            "recorded_s": 12.0,
            "stored_s": 8.0,
            "has_video": True,
            "has_b_frames": False,
            "is_recording_paused": False,
            "health": None,
        }
        self.statuses[broadcast_id] = BroadcastStatus(**{**known, **values})

    async def _post_broadcasts(self, request: web.Request) -> web.Response:
        ids = await request.json()
        self.asked.append(ids)
        await self.held.wait()
        known = {key: self.statuses[key].model_dump() for key in ids if key in self.statuses}
        return web.json_response(known)

    def _find(self, request: web.Request) -> str:
        broadcast_id = request.match_info["id"]
        if broadcast_id not in self.statuses:
            raise NotFoundError("no such broadcast")
        return broadcast_id

    async def _post_end(self, request: web.Request) -> web.Response:
        self.ended.append(self._find(request))
        return web.Response(status=202)

    async def _post_reopen(self, request: web.Request) -> web.Response:
        self.reopened.append(self._find(request))
        return web.Response(status=202)

    async def _post_revoke(self, request: web.Request) -> web.Response:
        self.revoked.append(self._find(request))
        return web.Response(status=204)

    async def _get_ready(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)


@dataclass
class Answer:
    """One answer, read to its end."""

    status: int
    body: Any
    headers: Any
    cookies: Any


@dataclass
class Vod:
    """Both listeners of a vod and what the tests hold of it."""

    services: Services
    clock: FakeClock
    streamer: FakeStreamer
    streamer_address: str
    base: str
    internal: InternalClient
    http: ClientSession
    stack: contextlib.AsyncExitStack
    tokens: dict[Role, str] = field(default_factory=dict)
    account_ids: dict[Role, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Send one request to ``/api/v1`` + ``path`` as an account of ``role``, or as nobody."""
        sent = dict(headers or {})
        if role is not None:
            token = await self.token_of(role)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        url = self.base + (path if path.startswith("/api") else "/api/v1" + path)
        async with self.http.request(method, url, headers=sent, **options) as response:
            is_json = response.content_type.endswith("json")
            body = await response.json() if is_json else await response.read()
            return Answer(response.status, body, response.headers, response.cookies)

    async def token_of(self, role: Role) -> str:
        """A token of an account of that role, made at the first use."""
        if role not in self.tokens:
            await self.add_account(role.value.replace("_", "."), role)
            answer = await self.sign_in(role.value.replace("_", "."))
            assert answer.status == 200, answer.body
            self.tokens[role] = answer.body["token"]
            self.account_ids[role] = answer.body["account"]["id"]
        return self.tokens[role]

    async def add_account(self, login: str, role: Role) -> str:
        wanted = schemas.NewAccount(
            login=login, display_name=login.title(), role=role, password=PASSWORD
        )
        account, _ = await create_account(
            self.services.database,
            self.services.passwords,
            wanted,
            actor_id=None,
            now=self.clock.now(),
        )
        return account.id

    async def sign_in(self, login: str, password: str = PASSWORD, **options: Any) -> Answer:
        body = {"login": login, "password": password}
        return await self.call("POST", "/session", json=body, **options)

    async def add_class(self, *, role: Role = Role.INSTRUCTOR, **values: Any) -> dict[str, Any]:
        """Create a class through the API."""
        body = {"title": "党史第一课", "visibility": "public", **values}
        answer = await self.call("POST", "/live-classes", role=role, json=body)
        assert answer.status == 201, answer.body
        created: dict[str, Any] = answer.body
        return created

    async def stop_streamer(self) -> None:
        """Streamer is away from now on."""
        await self.stack.aclose()

    async def start_streamer(self) -> None:
        """Streamer is back, knowing what it knew."""
        app = self.streamer.build_app()
        await self.stack.enter_async_context(listen(app, self.streamer_address, shutdown_timeout=0))

    async def send_event(self, kind: str, broadcast_id: str, **members: Any) -> str:
        """Report an event as streamer does; returns its identifier."""
        event_id = str(members.pop("event_id", None) or new_id())
        document = {
            "type": kind,
            "event_id": event_id,
            "broadcast_id": broadcast_id,
            "at": self.clock.now().isoformat(),
            **members,
        }
        body = json.dumps([document]).encode()
        await self.internal.call("POST", "/internal/events", body=body)
        return event_id

    async def send_ended(self, broadcast_id: str, *, version: int = 1, segments: int = 3) -> str:
        """Report the end of a broadcast with a recording of ``segments`` x 2 s."""
        index = make_index(broadcast_id, segments=segments).model_dump(mode="json")
        return await self.send_event(
            "broadcast_ended", broadcast_id, recording_version=version, index=index
        )

    @staticmethod
    def make_health() -> dict[str, Any]:
        return {
            "protocol": "rtmp",
            "peer": "10.0.0.1:5000",
            "uptime_s": 12.0,
            "video_bps": 2_000_000,
            "audio_bps": 96_000,
            "fps": 25.0,
            "width_px": 1280,
            "height_px": 720,
            "gop_s": 2.0,
            "audio_level_dbfs": -20.0,
            "dropped_count": 0,
            "warnings": ["b_frames"],
        }


def make_index(broadcast_id: str, *, segments: int = 3) -> RecordingIndex:
    """A recording of one epoch of ``segments`` x 2 s."""
    rows = tuple(
        RecordedSegment(
            msn=msn, start_ticks=msn * 180_000, duration_ticks=180_000,
            av_bytes=1000, audio_bytes=100,
        )
        for msn in range(segments)
    )  # fmt: skip
    epoch = RecordedEpoch(
        epoch=0,
        program_date_time=FakeClock().now(),
        av_init="init-0a.mp4",
        audio_init="init-0b.mp4",
        video_codec="avc1.64001f",
        width_px=1280,
        height_px=720,
        audio_codec="mp4a.40.2",
        sample_rate_hz=48_000,
        channels_count=2,
        protocol="rtmp",
        segments=rows,
    )
    return RecordingIndex(broadcast_id=broadcast_id, epochs=(epoch,) if segments else ())


class StatementCount:
    """Counts the statements sent to the database inside the block."""

    def __init__(self, services: Services) -> None:
        self._engine = services.database.engine.sync_engine
        self.count = 0

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._add)
        return self

    def __exit__(self, *_exc: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._add)

    def _add(self, *_arguments: object) -> None:
        self.count += 1


@contextlib.asynccontextmanager
async def run_vod(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Vod]:
    """Run both listeners over a database, with a streamer of the tests beside them."""
    streamer, clock = FakeStreamer(), FakeClock()
    address = f"unix:{folder / 'streamer-internal.sock'}"
    values = Settings(
        database_url=database_url,
        data=folder,
        run_dir=folder,
        secret=SECRET,
        **settings,
    )
    async with contextlib.AsyncExitStack() as stack:
        streaming = await stack.enter_async_context(contextlib.AsyncExitStack())
        await streaming.enter_async_context(
            listen(streamer.build_app(), address, shutdown_timeout=0)
        )
        services = await stack.enter_async_context(
            open_services(values, clock=clock, passwords=weak_passwords())
        )
        public = TestServer(build_public_app(services))
        await stack.enter_async_context(public)
        internal_app = build_internal_app(services, has_background=False)
        await stack.enter_async_context(listen(internal_app, values.vod_internal_address))
        internal = await stack.enter_async_context(
            InternalClient.to(values.vod_internal_peer, values)
        )
        http = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        yield Vod(
            services, clock, streamer, address, str(public.make_url("")).rstrip("/"), internal,
            http, streaming,
        )  # fmt: skip


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    made = Databases()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, databases: Databases) -> str:
    """An empty migrated database of each kind."""
    return databases.make(request.param)


@pytest.fixture
async def vod(database_url: str, short_dir: Path) -> AsyncIterator[Vod]:
    """A vod on each kind of database."""
    async with run_vod(database_url, short_dir) as running:
        yield running


@pytest.fixture
def sqlite_url(databases: Databases) -> str:
    return databases.make("sqlite")


@pytest.fixture
async def sqlite_vod(sqlite_url: str, short_dir: Path) -> AsyncIterator[Vod]:
    """A vod on SQLite only, for what does not depend on the database."""
    async with run_vod(sqlite_url, short_dir) as running:
        yield running
