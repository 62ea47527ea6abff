"""Private calls of streamer: ``/internal/publish`` and ``/internal/events``."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from pydantic import ValidationError

from kernel.errors import InputError
from kernel.http import parse_body
from kernel.messages import BROADCAST_EVENTS, PublishRequest
from vod.classes.admission import admit_publisher
from vod.events.service import accept_events
from vod.http.keys import CHANGES, CLOCK, DATABASE, SECRET


async def post_publish(request: web.Request) -> web.Response:
    """Answer ``PublishGrant``, or 403 saying why not."""
    wanted = await parse_body(request, PublishRequest)
    async with request.app[DATABASE].read() as session:
        grant = await admit_publisher(session, request.app[SECRET], wanted)
    return web.Response(body=grant.model_dump_json().encode(), content_type="application/json")


async def post_events(request: web.Request) -> web.Response:
    """Apply a list of ``BroadcastEvent``; 204 means all of them are kept."""
    try:
        events = BROADCAST_EVENTS.validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{field}: {first['msg']}", field=field, status=422) from error
    await accept_events(request.app[DATABASE], events, clock=request.app[CLOCK])
    request.app[CHANGES].ring()
    return web.Response(status=204)


INTERNAL_ROUTES: Final = (
    web.post("/internal/publish", post_publish),
    web.post("/internal/events", post_events),
)
