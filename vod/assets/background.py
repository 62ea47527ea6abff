"""Run retention and cleanup with the application. ``cleanup_ctx`` of vod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from vod.assets.cleanup import Cleanup
from vod.assets.retention import Retention
from vod.clips.sweep import ClipSweep
from vod.http.keys import BLOBS, CLOCK, DATABASE, SETTINGS, STREAMER
from vod.jobs.background import keep_running
from vod.posters.sweep import PosterSweep


async def run_retention(app: web.Application) -> AsyncIterator[None]:
    """Delete outlived live segments and leftovers for as long as vod runs."""
    keep = timedelta(days=app[SETTINGS].live_retention_days)
    tools = app[DATABASE], app[BLOBS], app[STREAMER], app[CLOCK]
    cleanup = Cleanup(*tools, keep=keep, keeps_originals=app[SETTINGS].keep_originals)
    tasks = [
        asyncio.create_task(keep_running("retention", Retention(*tools, keep=keep).run)),
        asyncio.create_task(keep_running("cleanup", cleanup.run)),
        asyncio.create_task(keep_running("posters", PosterSweep(*tools, keep=keep).run)),
        asyncio.create_task(keep_running("clips", ClipSweep(*tools, keep=keep).run)),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
