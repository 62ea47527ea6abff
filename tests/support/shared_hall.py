"""One hall for all tests of a process: each start of a hall costs ten CPU seconds.

A hall that a test failed on, or that does not answer any more, is not lent to the next one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.hall import Hall

OPEN_STATES = ("queued", "running")


class SharedHall:
    """Lends a running hall; starts the first, and another one in place of a broken one."""

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        self._folder, self._env = folder, env
        self.notes: dict[str, Any] = {}  # What its tests keep for each other; gone with the hall.
        self._count = 0
        self._hall: Hall | None = None

    @contextlib.asynccontextmanager
    async def lend(self) -> AsyncIterator[Hall]:
        """A hall that answers; nothing of the borrower's goes on in it afterwards."""
        hall = await self._find_well()
        async with hall.visit():
            yield hall
            await cancel_jobs(hall)

    async def _find_well(self) -> Hall:
        if self._hall is not None:
            async with self._hall.visit():
                if await is_well(self._hall):
                    return self._hall
            self.discard_blocking()
        self._count += 1
        self._hall = Hall(self._folder / str(self._count), env=self._env)
        async with self._hall.visit():
            await self._hall.start()
        return self._hall

    def discard_blocking(self) -> None:
        """Stop it, tell what it said; whoever asks next gets another one."""
        hall, self._hall, self.notes = self._hall, None, {}
        if hall is not None:
            sys.stderr.write(hall.read_log_tail())
            hall.stop_blocking()

    def close_blocking(self) -> None:
        """The run is over."""
        if self._hall is not None:
            self._hall.stop_blocking()


async def is_well(hall: Hall) -> bool:
    """Tell whether it runs and answers."""
    try:
        return await hall.is_ready()
    except (AssertionError, TimeoutError):
        return False


async def cancel_jobs(hall: Hall) -> None:
    """Nobody waits for the renditions of a test that is over; the next one needs the cores."""
    if not await is_well(hall):
        return
    with contextlib.suppress(aiohttp.ClientError, AssertionError):  # The next borrower looks.
        admin = await hall.admin()
        for state in OPEN_STATES:
            for job in (await admin.get(f"/jobs?state={state}&page_size=100"))["items"]:
                await admin.request("POST", f"/jobs/{job['id']}/cancel")
