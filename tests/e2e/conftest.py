"""One hall and one browser for the module's tests; tests that break things start their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.ensure_browser import find_browser
from tests.support.browser import run_browser
from tests.support.hall import Hall


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """A freshly started hall of its own."""
    async with Hall(tmp_path) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium; without one the test is reported as not run."""
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    async with run_browser() as running:
        yield running
