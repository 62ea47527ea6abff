"""Metrics every process has: event-loop lag, and the ``/metrics`` page of the private listener.

Numbers that are kept are counted where things happen; numbers that live in a database are read
when somebody asks, by a refresher.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from kernel.errors import DependencyError

LAG_PERIOD_S: Final = 0.25
REFRESH_DEADLINE_S: Final = 2.0  # Prometheus itself gives up after 10 s.

Refresher = Callable[[], Awaitable[None]]
"""Brings gauges up to date before a scrape is answered; when it cannot, they stay as they are."""

REGISTRY: Final = web.AppKey("metrics_registry", CollectorRegistry)
REFRESHERS: Final = web.AppKey("metrics_refreshers", list[Refresher])

log = structlog.get_logger(__name__)


async def get_metrics(request: web.Request) -> web.Response:
    """Answer a Prometheus scrape."""
    await asyncio.gather(*(_refresh(item) for item in request.app.get(REFRESHERS, [])))
    body = generate_latest(request.app[REGISTRY])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _refresh(refresher: Refresher) -> None:
    try:
        async with asyncio.timeout(REFRESH_DEADLINE_S):
            await refresher()
    except (DependencyError, TimeoutError) as error:
        log.warning("metrics_not_refreshed", detail=str(error))


async def watch_loop_lag(app: web.Application) -> AsyncIterator[None]:
    """``cleanup_ctx``: measure how late the event loop wakes us (invariant 6)."""
    gauge = Gauge(
        "hall_loop_lag_seconds",
        "How late the event loop ran the last timer",
        registry=app[REGISTRY],
    )
    task = asyncio.create_task(_measure(gauge), name="loop-lag")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _measure(gauge: Gauge) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_PERIOD_S
        await asyncio.sleep(LAG_PERIOD_S)
        gauge.set(max(0.0, loop.time() - due))
