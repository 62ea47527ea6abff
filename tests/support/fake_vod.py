"""A small vod for streamer's tests: knows some keys, takes events in, can be away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from kernel.errors import NotAllowedError
from kernel.http import listen, parse_body, problem_middleware
from kernel.messages import BROADCAST_EVENTS, BroadcastEvent, PublishGrant, PublishRequest


@dataclass
class FakeVod:
    """Implements ``POST /internal/publish`` and ``/internal/events`` on a private listener.

    Attributes:
        keys: Credential -> (live_class_id, broadcast_id).
        is_broken: Answer every event delivery with 500.
    """

    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    events: list[BroadcastEvent] = field(default_factory=list)
    deliveries_count: int = 0
    asked: list[PublishRequest] = field(default_factory=list)
    is_broken: bool = False

    def build_app(self) -> web.Application:
        app = web.Application(middlewares=[problem_middleware], client_max_size=1 << 24)
        app.router.add_post("/internal/publish", self.post_publish)
        app.router.add_post("/internal/events", self.post_events)
        return app

    async def post_publish(self, request: web.Request) -> web.Response:
        asked = await parse_body(request, PublishRequest)
        self.asked.append(asked)
        if asked.credential not in self.keys:
            raise NotAllowedError("unknown key")
        live_class_id, broadcast_id = self.keys[asked.credential]
        grant = PublishGrant(live_class_id=live_class_id, broadcast_id=broadcast_id, title="一堂课")
        return web.Response(text=grant.model_dump_json(), content_type="application/json")

    async def post_events(self, request: web.Request) -> web.Response:
        self.deliveries_count += 1
        if self.is_broken:
            raise web.HTTPInternalServerError
        known = {event.event_id for event in self.events}
        for event in BROADCAST_EVENTS.validate_json(await request.read()):
            if event.event_id not in known:
                self.events.append(event)
        return web.Response(status=204)

    def of_type(self, kind: str) -> list[BroadcastEvent]:
        return [event for event in self.events if event.type == kind]

    @asynccontextmanager
    async def run(self, address: str) -> AsyncIterator[FakeVod]:
        async with listen(self.build_app(), address):
            yield self
