"""`hall up`: everything on one machine, as children of one supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from hall import folders
from hall.binaries import find_nginx, find_valkey
from hall.certificate import watch_certificate
from hall.gate import remove_caches, write_gate_config
from hall.metrics import serve_metrics
from hall.supervisor import ChildSpec, Supervisor
from kernel.config import Settings
from kernel.errors import DependencyError, HallError
from kernel.http import InternalClient

READY_DEADLINE_S: Final = 60.0  # A first start on a slow disk; usually it takes a few seconds.
POLL_S: Final = 0.1
GATE_QUIT_S: Final = 3.0
ASK_DEADLINE_S: Final = 3.0

log = structlog.get_logger(__name__)


def find_player() -> Path:
    """The built player; ``make`` builds it.

    Raises:
        DependencyError: It was never built.
    """
    built = Path(os.environ.get("HALL_PLAYER_DIR") or Path(__file__).parent.parent / "player/dist")
    if not (built / "index.html").is_file():
        raise DependencyError(f"the player is not built ({built}); run `make player`")
    return built.resolve()


def build_children(settings: Settings, *, secret: SecretStr, player: Path) -> list[ChildSpec]:
    """List what runs, in the order of starting; stopping goes the other way."""
    children: list[ChildSpec] = []
    if settings.redis_url is None:
        children.append(_valkey(settings))
    hall = (sys.executable, "-m", "hall")
    env = {
        "HALL_SECRET": secret.get_secret_value(),
        "HALL_ADMIN_PASSWORD": "",  # Nobody but us needs it.
        "HALL_METRICS_BIND": "",  # One port, one server: we serve the page for all of them.
    }
    children += [
        ChildSpec("vod", (*hall, "serve", "vod"), env=env),
        ChildSpec("streamer", (*hall, "serve", "streamer"), env=env),
    ]
    # Ctrl-C does not wait for an encode: units are given back and taken up at the next start.
    stops_at_once = {**env, "HALL_DRAIN_S": "0"}
    children += [
        ChildSpec(
            f"worker-{number}",
            (*hall, "worker", "--name", f"worker-{number}"),
            env=stops_at_once,
            is_patient=True,
        )
        for number in range(1, settings.workers + 1)
    ]
    children.append(gate_child(settings, player=player))
    return children


def gate_child(settings: Settings, *, player: Path) -> ChildSpec:
    """The gate alone: nginx on our template."""
    config = write_gate_config(settings, player=player)
    nginx = str(find_nginx())
    argv = (nginx, "-p", str(config.parent), "-c", str(config), "-e", "stderr")
    # SIGQUIT lets requests finish that wait for the next part; nobody waits for a long download.
    return ChildSpec(
        "gate",
        argv,
        stop_signal=signal.SIGQUIT,
        stop_deadline_s=GATE_QUIT_S,
        sockets=(settings.gate_socket,),
    )


def _valkey(settings: Settings) -> ChildSpec:
    options = {
        "port": "0",  # The unix socket is the only way in.
        "unixsocket": str(settings.sockets / "valkey.sock"),
        "unixsocketperm": "700",
        "dir": str(settings.data / "valkey"),
        "appendonly": "yes",
        "save": "",
        "loglevel": "warning",
        "maxmemory-policy": "noeviction",  # Forgetting messages is worse than being full.
    }
    argv = [str(find_valkey())]
    for name, value in options.items():
        argv += [f"--{name}", value]
    return ChildSpec("valkey", tuple(argv))


@dataclass(frozen=True, slots=True)
class Running:
    """Everything is up. ``new_password`` is there once: at the start that made it."""

    supervisor: Supervisor
    new_password: str | None


@asynccontextmanager
async def run_everything(settings: Settings) -> AsyncIterator[Running]:
    """Prepare the data folder, start all children, wait until they answer.

    Raises:
        ConflictError: The data folder is in use.
        DependencyError: Something did not become ready in time; it says what.
    """
    from hall.inbox import watch_inbox  # It sends like `hall import`, which asks us where to.

    folders.ensure_folders(settings)
    with folders.hold_lock(settings):
        secret = folders.ensure_secret(settings)
        new_password = await prepare_database(settings)
        children = build_children(settings, secret=secret, player=find_player())
        peers = {
            "vod": settings.vod_internal_peer,
            "streamer": settings.streamer_internal_peer,
        }
        try:
            async with (
                Supervisor(children) as supervisor,
                serve_metrics(settings, peers, supervisor.children),
                watch_certificate(settings, supervisor.find("gate")),
            ):
                await wait_until_ready(settings, supervisor)
                async with watch_inbox(settings):
                    yield Running(supervisor, new_password)
        finally:
            await asyncio.to_thread(remove_caches, settings)


async def serve_gate(settings: Settings) -> None:
    """Run the gate alone until cancelled: a machine of its own in front of the others."""
    folders.ensure_folders(settings)
    try:
        async with (
            Supervisor([gate_child(settings, player=find_player())]) as supervisor,
            serve_metrics(settings, {}, supervisor.children),
            watch_certificate(settings, supervisor.find("gate")),
        ):
            await supervisor.wait()
    finally:
        await asyncio.to_thread(remove_caches, settings)


async def prepare_database(settings: Settings) -> str | None:
    """Bring the schema to the newest revision and make sure of an administrator.

    Returns:
        The administrator's password if it was made just now.
    """
    from vod.accounts.service import ensure_admin
    from vod.db.engine import migrate, open_database

    await asyncio.to_thread(migrate, settings.database)
    password, is_new = folders.ensure_admin_password(settings)
    async with open_database(settings.database) as database:
        await ensure_admin(database, password.get_secret_value())
    return password.get_secret_value() if is_new else None


async def wait_until_ready(settings: Settings, supervisor: Supervisor) -> None:
    """Wait until vod says ``/readyz``, first itself, then through the gate: the whole way in.

    Raises:
        DependencyError: Not within ``READY_DEADLINE_S``; says what is missing.
    """
    watcher = asyncio.create_task(supervisor.wait())
    last = "no answer"
    try:
        async with (
            asyncio.timeout(READY_DEADLINE_S),
            # vod first: as long as it does not listen the gate would only fill the log.
            InternalClient(settings.vod_address, secret=None, timeout_s=ASK_DEADLINE_S) as vod,
            # The certificate is made out for the public name, and this stays on the machine.
            InternalClient(
                local_origin(settings),
                secret=None,
                timeout_s=ASK_DEADLINE_S,
                checks_certificate=False,
            ) as gate,
        ):
            for client in (vod, gate):
                while not watcher.done():
                    try:
                        await client.call("GET", "/readyz")
                        break
                    except HallError as error:
                        last = str(error)
                    await asyncio.sleep(POLL_S)
            if watcher.done():
                watcher.result()
    except TimeoutError as error:
        raise DependencyError(f"not ready after {READY_DEADLINE_S:.0f} s: {last}") from error
    finally:
        watcher.cancel()


def local_origin(settings: Settings) -> str:
    """How this machine itself reaches the gate."""
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{local_host(settings)}:{settings.http_port}"


def local_host(settings: Settings) -> str:
    """Host under which this machine itself reaches what listens on ``bind``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)  # noqa: S104 - compared, not bound
    return f"[{host}]" if ":" in host else host
