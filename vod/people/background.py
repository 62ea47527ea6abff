"""Carry roster imports out with the application. ``cleanup_ctx`` of vod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from vod.http.keys import BLOBS, CLOCK, DATABASE, SETTINGS
from vod.jobs.background import keep_running
from vod.people.runner import ImportRunner


async def run_imports(app: web.Application) -> AsyncIterator[None]:
    """Take imports up until vod stops; one that is interrupted is taken up again later."""
    folder = app[SETTINGS].data / "tmp"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    runner = ImportRunner(app[DATABASE], app[BLOBS], app[CLOCK], folder)
    task = asyncio.create_task(keep_running("roster-imports", runner.run), name="roster-imports")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
