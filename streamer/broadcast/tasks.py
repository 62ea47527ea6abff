"""Background tasks with an owner: a crash of one is logged and that one is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

RESTART_S: Final = 1.0

log = structlog.get_logger(__name__)


class Supervisor:
    """Life-cycle supervisor of long-running tasks (one of the places that catch everything)."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Run ``run()`` until it returns or is cancelled; start it again when it crashes."""
        task = asyncio.get_running_loop().create_task(self._keep(name, run), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task that nobody stops before ``close``."""
        _ = self.start(name, run)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except Exception:
                log.exception("task_crashed", task=name)
                await asyncio.sleep(RESTART_S)
            else:
                return

    async def close(self) -> None:
        """Cancel everything and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel some tasks and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
