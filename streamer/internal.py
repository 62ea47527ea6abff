"""The private listener: what vod asks of streamer (docs/contracts.md), and metrics."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter, ValidationError

from kernel.config import Settings
from kernel.errors import InputError
from kernel.http import (
    MAX_INTERNAL_BODY_BYTES,
    build_problem,
    parse_body,
    problem_middleware,
    require_secret,
)
from kernel.messages import EndBroadcast
from kernel.metrics import REGISTRY, get_metrics, watch_loop_lag
from streamer.broadcast.registry import BroadcastRegistry
from streamer.live import Viewers
from streamer.metrics import StreamerCollector
from streamer.recorder.writer import SpoolWriter

MAX_IDS: Final = 1000  # vod asks for the classes of one page.

BROADCASTS: Final = web.AppKey("broadcasts", BroadcastRegistry)
_IDS: Final = TypeAdapter(list[str])


async def get_broadcast(request: web.Request) -> web.Response:
    """``GET /internal/broadcasts/{b}`` -> ``BroadcastStatus``."""
    status = await request.app[BROADCASTS].get_status(request.match_info["broadcast_id"])
    return web.Response(text=status.model_dump_json(), content_type="application/json")


async def post_broadcasts(request: web.Request) -> web.Response:
    """``POST /internal/broadcasts``: the states of those we know, by id."""
    try:
        ids = _IDS.validate_json(await request.read())
    except ValidationError as error:
        raise InputError("give a JSON list of broadcast ids", status=422) from error
    if len(ids) > MAX_IDS:
        raise InputError(f"{len(ids)} ids, at most {MAX_IDS}", status=422)
    registry = request.app[BROADCASTS]
    known: dict[str, object] = {}
    for broadcast_id in ids:
        # Only what is at hand: a page of scheduled classes must not ask the blob store.
        if registry.find(broadcast_id) is not None:
            status = await registry.get_status(broadcast_id)
            known[broadcast_id] = status.model_dump(mode="json")
    return web.Response(text=json.dumps(known), content_type="application/json")


async def post_end(request: web.Request) -> web.Response:
    """``POST /internal/broadcasts/{b}/end``: idempotent."""
    body = await parse_body(request, EndBroadcast)
    await request.app[BROADCASTS].end(request.match_info["broadcast_id"], body.reason)
    return web.Response(status=HTTPStatus.ACCEPTED)


async def post_reopen(request: web.Request) -> web.Response:
    """``POST /internal/broadcasts/{b}/reopen``."""
    await request.app[BROADCASTS].reopen(request.match_info["broadcast_id"])
    return web.Response(status=HTTPStatus.ACCEPTED)


async def post_revoke_credentials(request: web.Request) -> web.Response:
    """``POST /internal/broadcasts/{b}/revoke-credentials``: the publisher has to show a new key."""
    request.app[BROADCASTS].revoke_credentials(request.match_info["broadcast_id"])
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def post_forget_live(request: web.Request) -> web.Response:
    """``POST /internal/broadcasts/{b}/forget-live``."""
    await request.app[BROADCASTS].forget_live(request.match_info["broadcast_id"])
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def get_ready(request: web.Request) -> web.Response:
    """Ready as soon as the broadcasts of the last run are back and we take publishers."""
    if not request.app[BROADCASTS].is_accepting:
        return build_problem(
            kind="not-ready", status=503, title="直播服务正在停止", detail="streamer is stopping"
        )
    return web.Response(status=HTTPStatus.NO_CONTENT)


def build_internal_app(
    settings: Settings, registry: BroadcastRegistry, viewers: Viewers, writer: SpoolWriter
) -> web.Application:
    """Put the private application together."""
    app = web.Application(
        middlewares=[problem_middleware, require_secret(settings)],  # type: ignore[list-item]  # aiohttp's protocol names its arguments
        client_max_size=MAX_INTERNAL_BODY_BYTES,
    )
    app[BROADCASTS] = registry
    metrics = CollectorRegistry()
    metrics.register(StreamerCollector(registry, viewers, writer))
    app[REGISTRY] = metrics
    app.cleanup_ctx.append(watch_loop_lag)
    app.add_routes(
        [
            web.get("/internal/broadcasts/{broadcast_id}", get_broadcast),
            web.post("/internal/broadcasts", post_broadcasts),
            web.post("/internal/broadcasts/{broadcast_id}/end", post_end),
            web.post("/internal/broadcasts/{broadcast_id}/reopen", post_reopen),
            web.post("/internal/broadcasts/{broadcast_id}/forget-live", post_forget_live),
            web.post(
                "/internal/broadcasts/{broadcast_id}/revoke-credentials", post_revoke_credentials
            ),
            web.get("/internal/ready", get_ready),
            web.get("/metrics", get_metrics),
        ]
    )
    return app
