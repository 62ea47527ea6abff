"""HTTP handlers of ``/live``: parse, ask the window, answer. No state of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

from aiohttp import web

from kernel.blobs.web import IMMUTABLE, build_etag, parse_range, serve_bytes
from kernel.errors import HallError, NotFoundError
from kernel.http import render_error
from kernel.layout import Rendition, segment_key
from streamer.live.blocking import parse_reload
from streamer.live.playlists import Text
from streamer.live.ports import Broadcasts
from streamer.live.viewers import Viewers
from streamer.live.window import LiveWindow

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
_MEDIA_TYPES: Final[dict[Rendition, str]] = {"av": "video/mp4", "audio": "audio/mp4"}
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Date, Age, Content-Length, Content-Range, Retry-After",
}
_PREFLIGHT: Final = _CORS | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Range",
    "Access-Control-Max-Age": "86400",
}
# live.md §5.3, one policy per kind. A blocking URL is unique, so its answer may be kept shortly.
_BLOCKING: Final = "public, max-age=4"
_PLAIN: Final = "public, max-age=1"
_ENDED: Final = "public, max-age=4"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def live_routes(broadcasts: Broadcasts, viewers: Viewers) -> list[web.RouteDef]:
    """Build the routes of the live origin.

    The runner needs ``handler_cancellation=True``, so that a viewer who leaves frees the waiter.
    """
    handlers = _LiveHandlers(broadcasts, viewers)
    base = "/live/{broadcast:[0-9A-Za-z_-]{1,64}}"
    media = base + "/{epoch:[0-9]{1,9}}/{rendition:av|audio}"
    return [
        web.get(media + "/{msn:[0-9]{1,9}}.{part:[0-9]{1,4}}.m4s", _edge(handlers.get_part)),
        web.get(base + "/{rendition:av|audio}.m3u8", _edge(handlers.get_playlist)),
        web.get(media + "/{msn:[0-9]{1,9}}.m4s", _edge(handlers.get_segment)),
        web.get(media + "/{name:init-[0-9a-f]{1,64}[.]mp4}", _edge(handlers.get_init)),
        web.get(base + "/index.m3u8", _edge(handlers.get_multivariant)),
        web.options("/live/{path:.*}", _answer_preflight),
        web.get("/live/{path:.*}", _edge(_refuse_path)),
    ]


def _edge(handler: Handler) -> Handler:
    """Render our errors here, so that they carry CORS too; players must see the status."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except HallError as error:
            response = render_error(error)
            response.headers.update(_CORS)
            return response

    return answer


async def _answer_preflight(_request: web.Request) -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)


async def _refuse_path(_request: web.Request) -> web.StreamResponse:
    raise NotFoundError("nothing lies under this address")


def identify_viewer(request: web.Request) -> str:
    """Who asks: the gate's opaque session id, else a hash of address and user agent."""
    session = request.headers.get("X-Hall-Viewer")
    if session:
        return session[:128]
    address = request.headers.get("X-Real-IP") or request.remote or ""
    agent = request.headers.get("User-Agent", "")
    return hashlib.blake2s(f"{address}\0{agent}".encode(), digest_size=12).hexdigest()


class _LiveHandlers:
    def __init__(self, broadcasts: Broadcasts, viewers: Viewers) -> None:
        self._broadcasts = broadcasts
        self._viewers = viewers

    async def get_playlist(self, request: web.Request) -> web.Response:
        query = request.query if request.query_string else {}
        window = await self._find(request)
        # §6.2.5.2: a playlist with EXT-X-ENDLIST ignores the delivery directives.
        reload = parse_reload({} if window.is_ended else query)
        if not window.is_ended:  # Who watches a replay is not counted here.
            self._note_viewer(request)
        text = await window.read_playlist(_rendition(request), reload)
        policy = _PLAIN if reload.msn is None else _BLOCKING
        return _answer_text(request, text, _ENDED if window.is_ended else policy)

    async def get_multivariant(self, request: web.Request) -> web.Response:
        window = await self._find(request)
        if not window.is_ended:
            self._note_viewer(request)
        body = await window.read_multivariant()
        headers = {**_CORS, "Content-Type": PLAYLIST_TYPE, "Cache-Control": _PLAIN}
        return web.Response(body=body, headers=headers)

    async def get_part(self, request: web.Request) -> web.StreamResponse:
        window, rendition = await self._find(request), _rendition(request)
        info = request.match_info
        data = await window.read_part(
            int(info["epoch"]), rendition, msn=int(info["msn"]), index=int(info["part"])
        )
        return _answer_bytes(request, data, _MEDIA_TYPES[rendition])

    async def get_segment(self, request: web.Request) -> web.StreamResponse:
        window, rendition = await self._find(request), _rendition(request)
        epoch, msn = int(request.match_info["epoch"]), int(request.match_info["msn"])
        parts = window.find_segment(epoch, rendition, msn)
        if parts is not None:
            return _answer_bytes(request, b"".join(parts), _MEDIA_TYPES[rendition])
        key = segment_key(window.broadcast_id, epoch=epoch, rendition=rendition, msn=msn)
        size_bytes = window.measure_segment(rendition, msn)
        return await serve_bytes(
            request,
            lambda start, end: window.reader.iter_segment(
                epoch, rendition, msn, start=start, end=end
            ),
            size_bytes=size_bytes,
            etag=build_etag(key, size_bytes=size_bytes),
            content_type=_MEDIA_TYPES[rendition],
            headers=_CORS,
        )

    async def get_init(self, request: web.Request) -> web.StreamResponse:
        window, rendition = await self._find(request), _rendition(request)
        info = request.match_info
        data = window.find_init(int(info["epoch"]), rendition, info["name"])
        return _answer_bytes(request, data, _MEDIA_TYPES[rendition])

    async def _find(self, request: web.Request) -> LiveWindow:
        return await self._broadcasts.find_window(request.match_info["broadcast"])

    def _note_viewer(self, request: web.Request) -> None:
        self._viewers.note(request.match_info["broadcast"], identify_viewer(request))


def _rendition(request: web.Request) -> Rendition:
    return cast("Rendition", request.match_info["rendition"])


def _accepts_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


def _answer_text(request: web.Request, text: Text, policy: str) -> web.Response:
    headers = {
        **_CORS,
        "Content-Type": PLAYLIST_TYPE,
        "Cache-Control": policy,
        "Vary": "Accept-Encoding",
    }
    if _accepts_gzip(request):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=text.gzipped, headers=headers)
    return web.Response(body=text.plain, headers=headers)


def _media_headers(content_type: str) -> dict[str, str]:
    return {
        **_CORS,
        "Content-Type": content_type,
        "Cache-Control": IMMUTABLE,
        "Accept-Ranges": "bytes",
    }


def _answer_bytes(request: web.Request, data: bytes, content_type: str) -> web.Response:
    headers = _media_headers(content_type)
    span = parse_range(request.headers.get("Range"), size_bytes=len(data))
    if span is None:
        return web.Response(body=data, headers=headers)
    if span == "unsatisfiable":
        headers |= {"Content-Range": f"bytes */{len(data)}", "Cache-Control": "no-store"}
        return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    start, end = span
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return web.Response(status=HTTPStatus.PARTIAL_CONTENT, body=data[start:end], headers=headers)
