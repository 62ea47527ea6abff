"""One hall for the tests of a process, a browser for each; tests that need it start their own.

``hall`` is shared: a test makes its own classes, lectures and accounts (names that no other test
uses), does not count what is there, and may kill or restart parts as long as the hall comes back.
``own_hall`` is a fresh one, for what would be left behind or must not be there yet.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.ensure_browser import find_browser
from tests.support.browser import run_browser
from tests.support.hall import Hall
from tests.support.shared_hall import SharedHall


@pytest.fixture(scope="session")
def shared_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedHall]:
    """The hall of this process; started when the first test asks."""
    folder = tmp_path_factory.mktemp("shared-hall")
    shared = SharedHall(folder)
    yield shared
    shared.close_blocking()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def hall(shared_hall: SharedHall) -> AsyncIterator[Hall]:
    """The shared hall, running and ready."""
    async with shared_hall.lend() as running:
        yield running


@pytest.fixture
async def own_hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """A freshly started hall that nobody else sees."""
    async with Hall(tmp_path) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium; without one the test is reported as not run."""
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    async with run_browser() as running:
        yield running


@pytest.fixture(autouse=True)
def _broken_hall_is_not_lent(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a failure the next test gets another hall, and the log of this one is shown."""
    if "hall" not in request.fixturenames:
        yield
        return
    shared: SharedHall = request.getfixturevalue("shared_hall")
    failures_before = request.session.testsfailed
    yield
    if request.session.testsfailed > failures_before:
        shared.discard_blocking()
