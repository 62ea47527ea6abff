"""WHEP over HTTP (draft-ietf-wish-whep): POST an offer, PATCH candidates, DELETE to leave.

The gate has authorised the viewer before a request comes here.
"""

from __future__ import annotations

from aiohttp import web

from kernel.errors import InputError
from kernel.http import render_error
from streamer.rtc.http import build_session_routes, check_etag, read_sdp
from streamer.rtc.sdp import parse_fragment
from streamer.whep.ports import WhepBroadcasts
from streamer.whep.sessions import WhepSessions
from streamer.whep.settings import WhepSettings

MAX_SDP_BYTES = 128 * 1024  # Real offers are < 20 kB; caps memory per POST.


def whep_routes(
    broadcasts: WhepBroadcasts, settings: WhepSettings, *, sessions: WhepSessions | None = None
) -> list[web.RouteDef]:
    """Routes under ``/whep``. Whoever owns the process passes ``sessions`` and closes them."""
    return build_session_routes(
        "/whep/{broadcast_id}", _Routes(sessions or WhepSessions(broadcasts, settings))
    )


class _Routes:
    def __init__(self, sessions: WhepSessions) -> None:
        self._sessions = sessions

    async def post_session(self, request: web.Request) -> web.Response:
        broadcast_id = request.match_info["broadcast_id"]
        sdp = await read_sdp(request, "application/sdp", MAX_SDP_BYTES)
        session, answer = await self._sessions.open(broadcast_id=broadcast_id, sdp=sdp)
        response = web.Response(status=201, text=answer, content_type="application/sdp")
        response.headers["Location"] = f"/whep/{broadcast_id}/{session.id}"
        response.headers["ETag"] = session.etag
        for server in self._sessions.settings.network.ice_servers:
            response.headers.add("Link", server.render_link())
        return response

    async def patch_session(self, request: web.Request) -> web.Response:
        match = request.match_info
        session = self._sessions.find(match["broadcast_id"], match["session_id"])
        text = await read_sdp(request, "application/trickle-ice-sdpfrag", MAX_SDP_BYTES)
        check_etag(request, session.etag)
        await session.add_candidates(parse_fragment(text))
        return web.Response(status=204, headers={"ETag": session.etag})

    async def delete_session(self, request: web.Request) -> web.Response:
        match = request.match_info
        self._sessions.end(match["broadcast_id"], match["session_id"])
        return web.Response(status=200)

    async def options_endpoint(self, _request: web.Request) -> web.Response:
        headers = {"Accept-Post": "application/sdp", "Allow": "OPTIONS, POST"}
        return web.Response(status=204, headers=headers)

    async def options_session(self, _request: web.Request) -> web.Response:
        headers = {
            "Accept-Patch": "application/trickle-ice-sdpfrag",
            "Allow": "OPTIONS, PATCH, DELETE",
        }
        return web.Response(status=204, headers=headers)

    async def refuse_method(self, request: web.Request) -> web.Response:
        is_session = "session_id" in request.match_info
        error = InputError(f"{request.method} is not a WHEP method here", status=405)
        response = render_error(error)
        response.headers["Allow"] = "DELETE, OPTIONS, PATCH" if is_session else "OPTIONS, POST"
        return response
