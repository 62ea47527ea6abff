"""Application state of replay delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from vod.http.keys import CLOCK, DATABASE
from vod.playback.library import MediaLibrary

LIBRARY: Final = web.AppKey("media_library", MediaLibrary)


def prepare_playback(app: web.Application) -> None:
    """Add what the delivery handlers need; ``DATABASE`` and ``CLOCK`` must be there."""
    app[LIBRARY] = MediaLibrary(app[DATABASE], app[CLOCK])
    app.cleanup_ctx.append(_close_library)


async def _close_library(app: web.Application) -> AsyncIterator[None]:
    yield
    app[LIBRARY].close()
