"""Run relay and sweeper with the application. ``cleanup_ctx`` of vod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from vod.http.keys import CLOCK, DATABASE, SETTINGS
from vod.jobs.broker import CeleryBroker
from vod.jobs.outbox import OutboxRelay
from vod.jobs.sweeper import Sweeper

RESTART_S: Final = 5.0  # A crash is a defect of ours; do not let it fill the log.

log = structlog.get_logger(__name__)


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Supervise a task that should never end: log what ended it, start it again."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("background_task_crashed", task=name)
        await asyncio.sleep(RESTART_S)


async def run_jobs(app: web.Application) -> AsyncIterator[None]:
    """Grant the grace, then relay and sweep until vod stops.

    Needs ``DATABASE``, ``CLOCK`` and ``SETTINGS``, and the newest schema. A task that crashes is
    logged and started again.
    """
    database, clock = app[DATABASE], app[CLOCK]
    async with CeleryBroker(app[SETTINGS].broker) as broker:
        sweeper = Sweeper(database, clock, broker)
        await sweeper.grant_grace()
        relay = OutboxRelay(database, broker, clock)
        tasks = [
            asyncio.create_task(keep_running("outbox-relay", relay.run)),
            asyncio.create_task(keep_running("unit-sweeper", sweeper.run)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
