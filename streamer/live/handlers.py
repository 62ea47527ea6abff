"""HTTP handlers of ``/live`` (signatures; being filled in)."""

from __future__ import annotations

from aiohttp import web

from streamer.live.ports import Broadcasts
from streamer.live.viewers import Viewers


def live_routes(broadcasts: Broadcasts, viewers: Viewers) -> list[web.RouteDef]:
    """Build the routes of the live origin.

    The runner needs ``handler_cancellation=True``, so that a viewer who leaves frees the waiter.
    """
    raise NotImplementedError
