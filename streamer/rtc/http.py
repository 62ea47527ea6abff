"""Pieces of HTTP that WHIP and WHEP share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web

from kernel.errors import HallError, InputError
from kernel.http import render_error

BODY_DEADLINE_S: Final = 10.0  # An offer is one packet or two; slower is an attack.

# RFC 9725 §4.9: a studio or player may be on another origin and must read these headers.
CORS_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "OPTIONS, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Expose-Headers": "Location, Link, ETag, Accept-Patch, Retry-After",
    "Access-Control-Max-Age": "86400",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


class SessionHandlers(Protocol):
    """What answers the endpoint and the sessions of WHIP or WHEP."""

    async def post_session(self, request: web.Request) -> web.Response: ...

    async def options_endpoint(self, request: web.Request) -> web.Response: ...

    async def delete_session(self, request: web.Request) -> web.Response: ...

    async def patch_session(self, request: web.Request) -> web.Response: ...

    async def options_session(self, request: web.Request) -> web.Response: ...

    async def refuse_method(self, request: web.Request) -> web.Response: ...


def build_session_routes(endpoint: str, handlers: SessionHandlers) -> list[web.RouteDef]:
    """The methods of an endpoint and of the sessions below it; all others are refused."""
    session = endpoint + "/{session_id}"
    return [
        web.post(endpoint, answer_errors(handlers.post_session)),
        web.options(endpoint, answer_errors(handlers.options_endpoint)),
        # RFC 9725 §4.2: GET, HEAD and PUT on the endpoint are answered with 405.
        web.route("*", endpoint, answer_errors(handlers.refuse_method)),
        web.delete(session, answer_errors(handlers.delete_session)),
        web.patch(session, answer_errors(handlers.patch_session)),
        web.options(session, answer_errors(handlers.options_session)),
        web.route("*", session, answer_errors(handlers.refuse_method)),
    ]


def read_token(request: web.Request) -> str | None:
    """The bearer token, ``None`` when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def read_peer(request: web.Request) -> str:
    """Address of the client, as the gate passes it on."""
    return (request.headers.get("X-Real-IP") or request.remote or "unknown")[:128]


async def read_sdp(request: web.Request, content_type: str, limit_bytes: int) -> str:
    """Read a body of one media type.

    Raises:
        InputError: 415 another type, 413 too large, 400 not UTF-8 or too slow.
    """
    if request.content_type != content_type:
        raise InputError(f"the body must be {content_type}", status=415)
    if (request.content_length or 0) > limit_bytes:
        raise InputError(f"the body is larger than {limit_bytes} bytes", status=413)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > limit_bytes:
                    raise InputError(f"the body is larger than {limit_bytes} bytes", status=413)
        return body.decode()
    except UnicodeDecodeError as error:
        raise InputError("the body is not UTF-8") from error
    except TimeoutError as error:
        raise InputError("the body came too slowly") from error


def check_etag(request: web.Request, etag: str) -> None:
    """Hold a PATCH to its precondition.

    Raises:
        InputError: 428 without If-Match, 412 for another session, 422 for an ICE restart.
    """
    # RFC 9725 §4.3.1.1: without If-Match the answer is 428, with a wrong entity tag 412.
    match = request.headers.get("If-Match")
    if match is None:
        raise InputError("PATCH needs If-Match with the ETag of the session", status=428)
    if match == "*":
        raise InputError("ICE restarts are not supported: DELETE and POST again", status=422)
    if match != etag:
        raise InputError("the ETag is not that of the session", status=412)


def answer_errors(handler: Handler) -> Handler:
    """Render our errors here, so that pages on another origin can read them too."""

    async def handle(request: web.Request) -> web.Response:
        try:
            response = await handler(request)
        except HallError as error:
            response = render_error(error)
        response.headers.update(CORS_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return handle
