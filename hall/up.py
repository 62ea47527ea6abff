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

import aiohttp
import structlog
from pydantic import SecretStr

from hall import folders
from hall.binaries import find_nginx, find_valkey
from hall.gate import write_gate_config
from hall.supervisor import ChildSpec, Supervisor
from kernel.config import Settings
from kernel.errors import DependencyError

READY_DEADLINE_S: Final = 60.0  # A first start on a slow disk; usually it takes a few seconds.
POLL_S: Final = 0.1

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
    env = {"HALL_SECRET": secret.get_secret_value(), "HALL_ADMIN_PASSWORD": ""}
    children += [
        ChildSpec("vod", (*hall, "serve", "vod"), env=env),
        ChildSpec("streamer", (*hall, "serve", "streamer"), env=env),
    ]
    # SIGQUIT: Ctrl-C does not wait for an encode; the unit is taken up again at the next start.
    children += [
        ChildSpec(
            f"worker-{number}",
            (*hall, "worker", "--name", f"worker-{number}"),
            env=env,
            stop_signal=signal.SIGQUIT,
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
    return ChildSpec("gate", argv, stop_signal=signal.SIGQUIT)


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
    folders.ensure_folders(settings)
    with folders.hold_lock(settings):
        secret = folders.ensure_secret(settings)
        new_password = await prepare_database(settings)
        children = build_children(settings, secret=secret, player=find_player())
        async with Supervisor(children) as supervisor:
            await wait_until_ready(settings, supervisor)
            yield Running(supervisor, new_password)


async def serve_gate(settings: Settings) -> None:
    """Run the gate alone until cancelled: a machine of its own in front of the others."""
    folders.ensure_folders(settings)
    async with Supervisor([gate_child(settings, player=find_player())]) as supervisor:
        await supervisor.wait()


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
    """Ask the gate for ``/readyz`` until it says yes: that is the whole way in, all services."""
    url, last = f"{local_origin(settings)}/readyz", "no answer"
    watcher = asyncio.create_task(supervisor.wait())
    try:
        async with (
            asyncio.timeout(READY_DEADLINE_S),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
        ):
            while not watcher.done():
                try:
                    async with session.get(url, ssl=False) as response:
                        if response.status in (200, 204):
                            return
                        last = (await response.text())[:500]
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    last = repr(error)
                await asyncio.sleep(POLL_S)
            watcher.result()
    except TimeoutError as error:
        raise DependencyError(f"not ready after {READY_DEADLINE_S:.0f} s: {last}") from error
    finally:
        watcher.cancel()


def local_origin(settings: Settings) -> str:
    """How this machine itself reaches the gate."""
    scheme = "https" if settings.tls_cert else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.bind, settings.bind)  # noqa: S104 - compared, not bound
    return f"{scheme}://{host}:{settings.http_port}"
