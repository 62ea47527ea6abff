"""WHIP over HTTP (RFC 9725): POST an offer, PATCH candidates, DELETE to end."""

from __future__ import annotations

from aiohttp import web

from kernel.errors import InputError, NotSignedInError
from kernel.http import render_error
from streamer.ports import Publishing
from streamer.rtc.http import build_session_routes, check_etag, read_peer, read_sdp, read_token
from streamer.rtc.sdp import parse_fragment
from streamer.whip.session import WhipSession
from streamer.whip.sessions import WhipSessions
from streamer.whip.settings import MAX_SDP_BYTES, WhipSettings

MAX_CREDENTIAL_CHARS = 256  # As ``PublishRequest.credential``.
MAX_CLASS_ID_CHARS = 64


def whip_routes(
    publishing: Publishing, settings: WhipSettings, *, sessions: WhipSessions | None = None
) -> list[web.RouteDef]:
    """Routes under ``/whip``. Whoever owns the process passes ``sessions`` and closes them."""
    return build_session_routes(
        "/whip/{live_class_id}", _Routes(sessions or WhipSessions(publishing, settings))
    )


class _Routes:
    def __init__(self, sessions: WhipSessions) -> None:
        self._sessions = sessions

    async def post_session(self, request: web.Request) -> web.Response:
        token = read_token(request)
        if not token or len(token) > MAX_CREDENTIAL_CHARS:
            raise NotSignedInError("a WHIP token is needed: Authorization: Bearer ...")
        live_class_id = request.match_info["live_class_id"]
        if len(live_class_id) > MAX_CLASS_ID_CHARS:
            raise InputError("the class id is too long", status=400)
        sdp = await read_sdp(request, "application/sdp", MAX_SDP_BYTES)
        session, answer = await self._sessions.open(
            live_class_id=live_class_id, token=token, peer=read_peer(request), sdp=sdp
        )
        response = web.Response(status=201, text=answer, content_type="application/sdp")
        response.headers["Location"] = f"/whip/{live_class_id}/{session.id}"
        response.headers["ETag"] = session.etag
        for server in self._sessions.settings.network.ice_servers:
            response.headers.add("Link", server.render_link())
        return response

    async def patch_session(self, request: web.Request) -> web.Response:
        session = self._find(request)
        text = await read_sdp(request, "application/trickle-ice-sdpfrag", MAX_SDP_BYTES)
        check_etag(request, session.etag)
        await session.add_candidates(parse_fragment(text))
        return web.Response(status=204, headers={"ETag": session.etag})

    async def delete_session(self, request: web.Request) -> web.Response:
        match = request.match_info
        self._sessions.end(match["live_class_id"], match["session_id"])
        return web.Response(status=200)

    async def options_endpoint(self, _request: web.Request) -> web.Response:
        # RFC 9725 §4.2: Accept-Post tells the media type of offers.
        headers = {"Accept-Post": "application/sdp", "Allow": "OPTIONS, POST"}
        for server in self._sessions.settings.network.ice_servers:
            headers["Link"] = server.render_link()
        return web.Response(status=204, headers=headers)

    async def options_session(self, _request: web.Request) -> web.Response:
        headers = {
            "Accept-Patch": "application/trickle-ice-sdpfrag",
            "Allow": "OPTIONS, PATCH, DELETE",
        }
        return web.Response(status=204, headers=headers)

    async def refuse_method(self, request: web.Request) -> web.Response:
        allowed = ["DELETE", "OPTIONS", "PATCH"]
        if "session_id" not in request.match_info:
            allowed = ["OPTIONS", "POST"]
        error = InputError(f"{request.method} is not a WHIP method here", status=405)
        response = render_error(error)
        response.headers["Allow"] = ", ".join(allowed)
        return response

    def _find(self, request: web.Request) -> WhipSession:
        return self._sessions.find(
            request.match_info["live_class_id"], request.match_info["session_id"]
        )
