"""What the command line does about the search index."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from kernel.clock import SystemClock
from kernel.config import Settings
from vod.db.engine import open_database
from vod.search.indexer import Indexer, request_rebuild
from vod.search.opening import open_search_index

LOOK_AGAIN_S: Final = 1.0  # While a running vod does the work.


async def rebuild(settings: Settings, *, waits: bool, tell: Callable[[str], object]) -> None:
    """Have everything indexed anew: by the vod that runs, or here if none does.

    Raises:
        DependencyError: The database cannot be reached.
    """
    async with open_database(settings.database) as database:
        async with database.write() as session:
            await request_rebuild(session)
        if not waits:
            tell("The next vod to look makes the index anew.")
            return
        indexer = Indexer(database, open_search_index(database), SystemClock())
        while not await indexer.is_settled():
            if not await indexer.catch_up():
                await asyncio.sleep(LOOK_AGAIN_S)
    tell("Everything can be found again.")
