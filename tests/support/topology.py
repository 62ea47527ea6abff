"""docker-compose.yml as plain processes: its commands, its environment, its health checks.

Only what Docker itself would do is done here: variables are filled in, ports become free ones,
volumes become folders, and images become the programs that wheels bring (PostgreSQL, Valkey, an
S3 server in MinIO's place).
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from hall.binaries import find_valkey
from kernel.http import SECRET_HEADER
from tests.support.hall import ADMIN_PASSWORD, Api
from tests.support.ports import find_free_port
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer, run_seaweed
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
HEALTHY_S = 60.0
STOP_S = 20.0
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
_LOCAL_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")


def load_compose(values: dict[str, str]) -> dict[str, Any]:
    """Read the file as Compose would: ``${NAME:?why}`` must be there, ``${NAME:-x}`` may be."""

    def fill(match: re.Match[str]) -> str:
        name, kind, text = match[1], match[2], match[3]
        if values.get(name):
            return values[name]
        if kind == "-":
            return text
        raise KeyError(f"{name}: {text or 'not set'}")

    return dict(yaml.safe_load(_VARIABLE.sub(fill, COMPOSE.read_text(encoding="utf-8"))))


@dataclass
class Part:
    """One running program of ours."""

    name: str
    process: asyncio.subprocess.Process
    log_path: Path

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


@dataclass
class Topology:
    """The services of the file; ``async with run_topology(...)``."""

    folder: Path
    values: dict[str, str]
    compose: dict[str, Any]
    ports: dict[str, str]
    session: aiohttp.ClientSession
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.values["HALL_PUBLIC_URL"]

    @property
    def rtmp(self) -> str:
        return f"rtmp://127.0.0.1:{self.values['HALL_RTMP_PORT']}/live"

    def port(self, of_compose: int) -> int:
        """The free port that stands for one of the file's."""
        return int(self.ports[str(of_compose)])

    def api(self) -> Api:
        return Api(self.session, self.origin)

    async def admin(self) -> Api:
        return await self.api().sign_in("admin", ADMIN_PASSWORD)

    def environment(self, service: str, data: str) -> dict[str, str]:
        """What the container would see, on our ports and in our folder."""
        own = {
            name: self._translate("" if value is None else str(value))
            for name, value in self.compose["services"][service]["environment"].items()
        }
        player = self.folder / "player"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HALL_")}
        return {
            **inherited,
            "HALL_DATA": str(self.folder / data),
            "HALL_RUN_DIR": str(self.folder / data / "run"),
            "HALL_PLAYER_DIR": str(player),
            **own,
        }

    def _translate(self, value: str) -> str:
        if value in self.ports:
            return self.ports[value]
        return _LOCAL_PORT.sub(lambda match: self.ports.get(match[0], match[0]), value)

    async def start(self, service: str, *, name: str | None = None) -> Part:
        """Start a service's command; a second replica takes another ``name``."""
        name = name or service
        log_path = self.folder / f"{name}.log"
        with log_path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hall", *self.compose["services"][service]["command"],
                cwd=ROOT, env=self.environment(service, name), start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.parts[name] = Part(name, process, log_path)
        return self.parts[name]

    async def is_healthy(self, service: str) -> bool:
        """Ask what the file's own health check asks."""
        part = self.parts[service]
        if part.process.returncode is not None:
            raise AssertionError(f"{service} ended:\n{part.log_path.read_text()[-3000:]}")
        check = " ".join(self.compose["services"][service]["healthcheck"]["test"])
        url = re.search(r"http://[^\s\"]+", check)
        assert url is not None, check
        headers = {}
        if SECRET_HEADER in check:
            headers[SECRET_HEADER] = self.values["HALL_INTERNAL_SECRET"]
        try:
            async with self.session.get(self._translate(url[0]), headers=headers) as response:
                return response.status < 400
        except aiohttp.ClientError:
            return False

    async def wait_healthy(self, *services: str) -> None:
        for service in services:
            await eventually(
                lambda service=service: self.is_healthy(service),  # type: ignore[misc]
                timeout_s=HEALTHY_S,
                message=f"{service} is not healthy",
            )

    def read_logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


@asynccontextmanager
async def run_topology(folder: Path) -> AsyncIterator[Topology]:
    """Start everything in the order of ``depends_on``; stop it the other way round."""
    (folder / "player" / "assets").mkdir(parents=True)
    (folder / "player" / "index.html").write_text("<!doctype html><title>hall</title>")
    http_port = find_free_port()
    values = {
        "POSTGRES_PASSWORD": "postgres-secret-1",
        "REDIS_PASSWORD": "redis-secret-1",
        "HALL_S3_ACCESS_KEY": ACCESS_KEY,
        "HALL_S3_SECRET_KEY": SECRET_KEY,
        "HALL_SECRET": "signing-secret-of-the-topology",
        "HALL_INTERNAL_SECRET": "internal-secret-1",
        "HALL_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "HALL_HTTP_PORT": str(http_port),
        "HALL_RTMP_PORT": str(find_free_port()),
        "HALL_PUBLIC_URL": f"http://127.0.0.1:{http_port}",
    }
    compose = load_compose(values)
    async with AsyncExitStack() as stack:
        (folder / "s3").mkdir()
        store = stack.enter_context(_keep(run_seaweed(folder / "s3")))
        ports = {"9000": str(store.ports["s3"])}
        for port in ("5432", "6379", "8081", "8082", "8083", "8091", "8092", "8093"):
            ports[port] = str(find_free_port())
        stack.enter_context(run_postgres_tcp(folder / "postgres", compose, int(ports["5432"])))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=30)
            )
        )
        topology = Topology(folder, values, compose, ports, session)
        stack.push_async_callback(_stop_all, topology)
        await _start_valkey(topology)
        migrate = await topology.start("migrate")
        async with asyncio.timeout(HEALTHY_S):
            code = await migrate.process.wait()
        assert code == 0, migrate.log_path.read_text()
        await topology.start("vod-1")
        await topology.start("vod-2")
        await topology.wait_healthy("vod-1", "vod-2")
        await topology.start("streamer")
        for number in range(1, compose["services"]["worker"]["deploy"]["replicas"] + 1):
            await topology.start("worker", name=f"worker-{number}")
        await topology.wait_healthy("streamer")
        await topology.start("gate")
        await topology.wait_healthy("gate")
        try:
            yield topology
        except BaseException:
            sys.stderr.write(topology.read_logs())
            raise


@contextmanager
def _keep(server: Any) -> Iterator[SeaweedServer]:
    with server as running:
        yield running


async def _stop_all(topology: Topology) -> None:
    for part in reversed(topology.parts.values()):
        await part.stop()


async def _start_valkey(topology: Topology) -> None:
    """The file's own command, with the wheel's program, our port and folder."""
    command = topology.compose["services"]["valkey"]["command"][1:]
    folder = topology.folder / "valkey"
    folder.mkdir()
    log_path = topology.folder / "valkey.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            str(find_valkey()), *command, "--port", topology.ports["6379"],
            "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    topology.parts["valkey"] = Part("valkey", process, log_path)


@contextmanager
def run_postgres_tcp(folder: Path, compose: dict[str, Any], port: int) -> Iterator[None]:
    """PostgreSQL with the file's user, database and password, on TCP, passwords required."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Where it keeps its lock is not our concern.
        import pgserver
    from pgserver import _commands as commands

    wanted = compose["services"]["postgres"]["environment"]
    user, database = wanted["POSTGRES_USER"], wanted["POSTGRES_DB"]
    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        server.psql(f"CREATE ROLE {user} LOGIN PASSWORD '{wanted['POSTGRES_PASSWORD']}';")
        server.psql(f"CREATE DATABASE {database} OWNER {user};")
    finally:
        server.cleanup()
    (folder / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    log = str(folder / "log")
    commands.pg_ctl(
        ["-w", "-o", options, "-l", log, "start"], pgdata=folder, user=server.system_user
    )
    try:
        yield
    finally:
        commands.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=folder, user=server.system_user)
