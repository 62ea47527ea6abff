"""Metrics every process has: event-loop lag, and the ``/metrics`` page of the private listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

LAG_PERIOD_S: Final = 0.25

REGISTRY: Final = web.AppKey("metrics_registry", CollectorRegistry)


async def get_metrics(request: web.Request) -> web.Response:
    """Answer a Prometheus scrape."""
    body = generate_latest(request.app[REGISTRY])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


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
