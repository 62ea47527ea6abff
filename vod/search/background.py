"""Run the indexer with the application. ``cleanup_ctx`` of vod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from vod.http.keys import CLOCK, DATABASE
from vod.jobs.background import keep_running
from vod.search.indexer import Indexer
from vod.search.opening import open_search_index
from vod.search.sounds import list_sounds
from vod.search.text import load_tables_blocking


async def load_search_tables(_app: web.Application) -> None:
    """``on_startup`` of vod: what the first search would read from disk, on the loop."""
    await asyncio.to_thread(load_tables_blocking)
    await asyncio.to_thread(lambda: list(list_sounds("党")))


async def run_search(app: web.Application) -> AsyncIterator[None]:
    """Keep the index current until vod stops. Needs ``DATABASE``, ``CLOCK``, the newest schema."""
    database = app[DATABASE]
    indexer = Indexer(database, open_search_index(database), app[CLOCK])
    task = asyncio.create_task(keep_running("search-indexer", indexer.run), name="search-indexer")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
