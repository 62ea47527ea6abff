"""Count and time requests by route, never by raw path (a stranger must not make time series)."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram

from kernel.clock import Clock
from kernel.http import Handler

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class RequestMetrics:
    """The histogram of one listener."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._durations = Histogram(
            "hall_vod_request_seconds",
            "Duration of requests by route",
            ["method", "route", "status"],
            buckets=BUCKETS_S,
            registry=registry,
        )

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Measure; the problem middleware inside turns errors into answers first."""
        start_s = self._clock.monotonic_s()
        response = await handler(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        self._durations.labels(request.method, route, str(response.status)).observe(
            self._clock.monotonic_s() - start_s
        )
        return response
