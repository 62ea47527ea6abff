"""Composition root of vod: settings -> adapters -> applications -> listeners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

import redis
import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.driver_info import DriverInfo

from kernel.blobs.open import open_blob_store
from kernel.blobs.port import BlobStore
from kernel.clock import Clock, SystemClock
from kernel.collector import settle_collector
from kernel.config import Settings
from kernel.http import (
    MAX_INTERNAL_BODY_BYTES,
    InternalClient,
    listen,
    problem_middleware,
    require_secret,
)
from kernel.metrics import REFRESHERS, REGISTRY, Refresher, get_metrics, watch_loop_lag
from vod.accounts.passwords import Passwords
from vod.assets.background import run_retention
from vod.background import run_housekeeping
from vod.channels.delivery import prepare_channels
from vod.classes.changes import ClassChanges
from vod.classes.status import LiveStatuses
from vod.courselist.views import prepare_course_list
from vod.db.engine import Database, open_database
from vod.http import keys
from vod.http.metrics import RequestMetrics
from vod.http.openapi import build_openapi
from vod.http.ready import INTERNAL_ROUTES as INTERNAL_READY_ROUTES
from vod.http.ready import PUBLIC_ROUTES as READY_ROUTES
from vod.http.routes import API_ROUTES, INTERNAL_ROUTES, MEDIA_ROUTES
from vod.http.sessions import session_middleware
from vod.identities.views import prepare_identities
from vod.jobs.background import run_jobs
from vod.jobs.metrics import JobsMetrics
from vod.people.background import run_imports
from vod.people.roster_views import prepare_people
from vod.playback.keys import prepare_playback
from vod.posters.keys import prepare_posters
from vod.search.background import load_search_tables, run_search
from vod.settings import build_redis_url, read_secret
from vod.sharing.views import prepare_sharing
from vod.uploads.metrics import UploadMetrics
from vod.uploads.service import Uploads
from vod.uploads.sweep import run_uploads
from vod.uploads.views import add_tus_header

MAX_PUBLIC_BODY_BYTES: Final = 256 * 1024  # The longest description is 20 000 characters.
STREAMER_DEADLINE_S: Final = 3.0
SHUTDOWN_S: Final = 5.0
BROKER_DEADLINE_S: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything both listeners share."""

    settings: Settings
    secret: bytes
    clock: Clock
    database: Database
    blobs: BlobStore
    streamer: InternalClient
    broker: Redis
    passwords: Passwords
    statuses: LiveStatuses
    changes: ClassChanges
    uploads: Uploads
    registry: CollectorRegistry


async def serve(settings: Settings) -> None:
    """Serve the public and the private listener until cancelled.

    The schema must be the newest (``hall`` sees to it), and ``settings.secret`` must be set.
    """
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        for app, address in (
            (build_internal_app(services), settings.vod_internal_address),
            (build_public_app(services), settings.vod_address),
        ):
            await stack.enter_async_context(listen(app, address, shutdown_timeout=SHUTDOWN_S))
        settle_collector()
        log.info("vod_ready", address=settings.vod_address)
        await asyncio.Event().wait()


@asynccontextmanager
async def open_services(
    settings: Settings, *, clock: Clock | None = None, passwords: Passwords | None = None
) -> AsyncIterator[Services]:
    """Open the adapters; close all of them in the end, also when one cannot be opened."""
    clock = clock or SystemClock()
    passwords = passwords or Passwords()
    async with AsyncExitStack() as stack:
        stack.callback(passwords.close)
        secret = read_secret(settings)
        database = await stack.enter_async_context(open_database(settings.database))
        streamer = await stack.enter_async_context(
            InternalClient.to(
                settings.streamer_internal_peer, settings, timeout_s=STREAMER_DEADLINE_S
            )
        )
        blobs = open_blob_store(settings)
        stack.push_async_callback(blobs.close)
        broker = open_broker(settings.broker)
        stack.push_async_callback(broker.aclose)
        registry = CollectorRegistry()
        uploads = Uploads(settings, database, blobs, clock, metrics=UploadMetrics(registry))
        stack.push_async_callback(uploads.close)
        yield Services(
            settings=settings,
            secret=secret,
            clock=clock,
            database=database,
            blobs=blobs,
            streamer=streamer,
            broker=broker,
            passwords=passwords,
            statuses=LiveStatuses(streamer, clock),
            changes=ClassChanges(),
            uploads=uploads,
            registry=registry,
        )


def open_broker(url: str) -> Redis:
    """Open a client for health checks; nothing is sent before its first call."""
    # Without a version redis-py looks for its own on the disk at each connection, on the loop.
    driver = DriverInfo(lib_version=redis.__version__)
    return Redis.from_url(
        build_redis_url(url), socket_timeout=BROKER_DEADLINE_S, driver_info=driver
    )


def build_public_app(services: Services) -> web.Application:
    """Build what the gate forwards to: the API, replay media, health."""
    metrics = RequestMetrics(services.registry, services.clock)
    app = web.Application(
        middlewares=[metrics.middleware, problem_middleware, session_middleware],
        client_max_size=MAX_PUBLIC_BODY_BYTES,
    )
    _fill(app, services)
    prepare_playback(app)
    prepare_channels(app)
    prepare_posters(app)
    prepare_people(app)
    prepare_course_list(app)
    prepare_sharing(app)
    prepare_identities(app)
    app.on_response_prepare.append(add_tus_header)
    app.on_startup.append(load_search_tables)
    app.add_routes([*API_ROUTES, *MEDIA_ROUTES, *READY_ROUTES])
    document = json.dumps(build_openapi(), ensure_ascii=False).encode()

    async def get_openapi(_request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    app.router.add_get("/api/v1/openapi.json", get_openapi)
    return app


def build_internal_app(services: Services, *, has_background: bool = True) -> web.Application:
    """Build what streamer, workers, the gate's questions and Prometheus reach.

    Args:
        has_background: Run the tasks of jobs and classes with it; tests of the API do not.
    """
    app = web.Application(
        middlewares=[problem_middleware, cast("Middleware", require_secret(services.settings))],
        client_max_size=MAX_INTERNAL_BODY_BYTES,
    )
    _fill(app, services)
    app[REGISTRY] = services.registry
    jobs = JobsMetrics(services.registry, services.database, services.clock)
    refreshers: list[Refresher] = [jobs.refresh]
    app[REFRESHERS] = refreshers
    app.add_routes([*INTERNAL_ROUTES, *INTERNAL_READY_ROUTES, web.get("/metrics", get_metrics)])
    if has_background:
        app.cleanup_ctx.extend(
            [
                watch_loop_lag,
                run_jobs,
                run_retention,
                run_housekeeping,
                run_uploads,
                run_imports,
                run_search,
            ]
        )
    return app


def _fill(app: web.Application, services: Services) -> None:
    app[keys.SETTINGS] = services.settings
    app[keys.SECRET] = services.secret
    app[keys.CLOCK] = services.clock
    app[keys.DATABASE] = services.database
    app[keys.BLOBS] = services.blobs
    app[keys.STREAMER] = services.streamer
    app[keys.BROKER] = services.broker
    app[keys.PASSWORDS] = services.passwords
    app[keys.STATUSES] = services.statuses
    app[keys.CHANGES] = services.changes
    app[keys.UPLOADS] = services.uploads
