"""Run the retention with the application. ``cleanup_ctx`` of vod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from vod.assets.retention import Retention
from vod.http.keys import BLOBS, CLOCK, DATABASE, SETTINGS, STREAMER
from vod.jobs.background import keep_running


async def run_retention(app: web.Application) -> AsyncIterator[None]:
    """Delete outlived live segments for as long as vod runs."""
    retention = Retention(
        app[DATABASE],
        app[BLOBS],
        app[STREAMER],
        app[CLOCK],
        keep=timedelta(days=app[SETTINGS].live_retention_days),
    )
    task = asyncio.create_task(keep_running("retention", retention.run))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
