"""Media files of broadcasts that are not open: straight from the blob store."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from kernel.blobs import BlobStore
from kernel.blobs.web import serve_blob
from kernel.ids import is_id
from streamer.broadcast.registry import BroadcastRegistry

# A recorded segment has one URL for ever: its blob key behind a slash (kernel.layout).
_MEDIA: Final = re.compile(
    r"/(live/([a-z0-9-]{1,64})/\d{1,12}/(?:av|audio)/(?:init-[0-9A-Za-z]{1,80}\.mp4|\d{1,12}\.m4s))"
)
_CORS: Final = {"Access-Control-Allow-Origin": "*"}


def serve_archived(registry: BroadcastRegistry, blobs: BlobStore) -> Middleware:
    """Middleware: whole segments and inits of closed broadcasts need no window and no journal."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in {"GET", "HEAD"}:
            return await handler(request)
        match = _MEDIA.fullmatch(request.path)
        if match is None or not is_id(match[2]) or registry.find(match[2]) is not None:
            return await handler(request)
        return await serve_blob(request, blobs, match[1], headers=_CORS)

    return answer
