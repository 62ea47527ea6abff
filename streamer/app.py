"""Composition root of the streamer process: settings -> adapters -> registry -> listeners."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog
from aiohttp import web
from pydantic import ValidationError

from kernel.blobs import BlobStore, open_blob_store
from kernel.blobs.executor import BoundedExecutor
from kernel.clock import SystemClock
from kernel.collector import settle_collector
from kernel.config import Settings
from kernel.errors import DependencyError
from kernel.http import InternalClient, listen, problem_middleware
from kernel.messages import PublishGrant, PublishRequest
from streamer.archive import serve_archived
from streamer.broadcast.factory import BroadcastFactory, Equipment
from streamer.broadcast.registry import BroadcastRegistry
from streamer.broadcast.tasks import Supervisor
from streamer.internal import build_internal_app
from streamer.live import GateEdgeCache, Viewers, live_routes
from streamer.recorder.writer import SpoolWriter
from streamer.rtmp import RtmpServer
from streamer.settings import StreamerSettings
from streamer.whep import WhepSessions, WhepSettings, whep_routes
from streamer.whip import WhipSessions, WhipSettings, whip_routes

ASK_TIMEOUT_S = 3.0  # A publisher waits for vod's answer.
EVENTS_TIMEOUT_S = 15.0  # An index of a long class is ~2 MB of JSON to take in.
MAX_BODY_BYTES = 256 * 1024  # SDP offers; nothing else is posted here.

log = structlog.get_logger(__name__)


class VodGatekeeper:
    """Asks vod whether a credential may publish (``Gatekeeper``)."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    async def ask(self, request: PublishRequest) -> PublishGrant:
        answer = await self._client.call("POST", "/internal/publish", body=request)
        try:
            return PublishGrant.model_validate(answer)
        except ValidationError as error:
            raise DependencyError(f"vod's answer is no grant: {error}") from error


@dataclass(frozen=True, slots=True)
class Streamer:
    """What the listeners stand on."""

    registry: BroadcastRegistry
    viewers: Viewers
    writer: SpoolWriter
    blobs: BlobStore


async def serve(settings: Settings) -> None:
    """Run until cancelled. Broadcasts survive the stop as interrupted."""
    own = StreamerSettings.from_settings(settings)
    async with AsyncExitStack() as stack:
        streamer = await _build(settings, own, stack)
        publishers = await stack.enter_async_context(
            WhipSessions(streamer.registry, WhipSettings.from_settings(settings))
        )
        watchers = await stack.enter_async_context(
            WhepSessions(streamer.registry, WhepSettings.from_settings(settings))
        )
        internal = build_internal_app(
            settings, streamer.registry, streamer.viewers, streamer.writer
        )
        media = build_media_app(streamer)
        media.add_routes(whip_routes(streamer.registry, publishers.settings, sessions=publishers))
        media.add_routes(whep_routes(streamer.registry, watchers.settings, sessions=watchers))
        await stack.enter_async_context(listen(internal, own.internal_address))
        # A viewer who leaves cancels its handler and frees its place among the waiters.
        await stack.enter_async_context(
            listen(media, own.media_address, handler_cancellation=True, shutdown_timeout=2.0)
        )
        rtmp = RtmpServer(streamer.registry, host=own.rtmp_host, port=own.rtmp_port)
        await stack.enter_async_context(rtmp)
        settle_collector()
        log.info("streamer_ready", media=own.media_address, rtmp_port=rtmp.port)
        await asyncio.Event().wait()


async def _build(settings: Settings, own: StreamerSettings, stack: AsyncExitStack) -> Streamer:
    """Open the adapters in the order in which they must close last."""
    clock = SystemClock()
    blobs = open_blob_store(settings)
    stack.push_async_callback(blobs.close)
    disk = BoundedExecutor("spool-disk", workers=4, max_pending=512)
    decoder = BoundedExecutor("sound-level", workers=1, max_pending=64)
    stack.push_async_callback(disk.close)
    stack.push_async_callback(decoder.close)
    gate = await stack.enter_async_context(
        InternalClient.to(own.vod_peer, settings, timeout_s=ASK_TIMEOUT_S)
    )
    events = await stack.enter_async_context(
        InternalClient.to(own.vod_peer, settings, timeout_s=EVENTS_TIMEOUT_S)
    )
    writer = await stack.enter_async_context(SpoolWriter(own.spool))
    supervisor = Supervisor()
    stack.push_async_callback(supervisor.close)
    viewers = Viewers(clock)
    edge_cache = await stack.enter_async_context(GateEdgeCache(str(own.gate_socket)))
    equipment = Equipment(
        spool=own.spool,
        writer=writer,
        blobs=blobs,
        disk=disk,
        decoder=decoder,
        sender=events,
        edge_cache=edge_cache,
        clock=clock,
    )
    registry = await stack.enter_async_context(
        BroadcastRegistry(
            BroadcastFactory(equipment, supervisor),
            supervisor,
            gatekeeper=VodGatekeeper(gate),
            viewers=viewers,
            clock=clock,
        )
    )
    return Streamer(registry, viewers, writer, blobs)


def build_media_app(streamer: Streamer) -> web.Application:
    """The public application; the gate has authorised whoever gets here, except for WHIP."""
    app = web.Application(
        middlewares=[problem_middleware, serve_archived(streamer.registry, streamer.blobs)],
        client_max_size=MAX_BODY_BYTES,
    )
    app.add_routes(live_routes(streamer.registry, streamer.viewers))
    return app
