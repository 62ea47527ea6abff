"""One ``/metrics`` page for all that runs here, on ``HALL_METRICS_BIND``.

One port cannot be shared by several processes, so the process in front serves it: `hall up` asks
its children's private listeners and puts their pages together, each sample labelled with its
``service``; `hall serve vod|streamer|gate` alone does the same with one service or none. Workers
have no listener: what they do is in vod's numbers. A service that does not answer is
``hall_service_up 0``, and the page is served all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from hall.supervisor import Child
from kernel.config import Settings
from kernel.errors import DependencyError, HallError
from kernel.http import InternalClient, listen

ASK_DEADLINE_S: Final = 4.0  # Prometheus gives up after 10 s; a service refreshes within 2 s.

log = structlog.get_logger(__name__)


class _Snapshot(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


class MetricsPage:
    """The merged page."""

    def __init__(
        self, services: Mapping[str, InternalClient], children: Sequence[Child] = ()
    ) -> None:
        self._services = dict(services)
        self._children = tuple(children)

    async def get_metrics(self, _request: web.Request) -> web.Response:
        """Ask everybody at once and answer with what came."""
        names = list(self._services)
        pages = dict(zip(names, await asyncio.gather(*map(self._ask, names)), strict=True))
        families = [*merge_pages(pages), *self._describe_processes(pages)]
        registry = CollectorRegistry()
        registry.register(_Snapshot(families))
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _ask(self, name: str) -> str | None:
        try:
            return await self._services[name].fetch_text("/metrics")
        except HallError as error:
            log.warning("service_has_no_metrics", service_name=name, detail=str(error))
            return None

    def _describe_processes(self, pages: Mapping[str, str | None]) -> Iterable[Metric]:
        is_up = GaugeMetricFamily(
            "hall_service_up", "1 when the service answered this scrape", labels=["service"]
        )
        for name, page in pages.items():
            is_up.add_metric([name], int(page is not None))
        yield is_up
        running = GaugeMetricFamily(
            "hall_child_running", "1 while the child process runs", labels=["child"]
        )
        starts = CounterMetricFamily(
            "hall_child_starts", "Starts of the child process, the first one too", labels=["child"]
        )
        for child in self._children:
            running.add_metric([child.spec.name], int(child.pid is not None))
            starts.add_metric([child.spec.name], child.starts_count)
        yield from (running, starts)


def merge_pages(pages: Mapping[str, str | None]) -> list[Metric]:
    """Put text pages together: one family per name, samples labelled with their service. Pure."""
    merged: dict[str, Metric] = {}
    for service, page in pages.items():
        for family in text_string_to_metric_families(page or ""):
            target = merged.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            target.samples += [
                sample._replace(labels={"service": service, **sample.labels})
                for sample in family.samples
            ]
    return list(merged.values())


@asynccontextmanager
async def serve_metrics(
    settings: Settings, peers: Mapping[str, str], children: Sequence[Child] = ()
) -> AsyncIterator[None]:
    """Serve the page while the block runs, if ``HALL_METRICS_BIND`` is set.

    Args:
        peers: Private listener of each service.
        children: Processes of a supervisor to tell about.

    Raises:
        DependencyError: The port is taken.
    """
    if settings.metrics_bind is None:
        yield
        return
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(
                InternalClient.to(peer, settings, timeout_s=ASK_DEADLINE_S)
            )
            for name, peer in peers.items()
        }
        app = web.Application()
        app.router.add_get("/metrics", MetricsPage(clients, children).get_metrics)
        try:
            await stack.enter_async_context(listen(app, f"tcp:{settings.metrics_bind}"))
        except OSError as error:
            raise DependencyError(
                f"HALL_METRICS_BIND {settings.metrics_bind}: {error.strerror or error}"
            ) from error
        yield


async def serve_with_metrics(
    settings: Settings,
    peers: Mapping[str, str],
    serve: Callable[[Settings], Coroutine[Any, Any, None]],
) -> None:
    """Run one service until cancelled, and its page beside it."""
    async with serve_metrics(settings, peers):
        await serve(settings)
