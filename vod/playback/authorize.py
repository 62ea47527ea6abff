"""``GET /internal/authorize``: the gate's question for every media URL."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from kernel.errors import NotAllowedError, NotSignedInError
from vod.accounts.sessions import MAX_TOKEN_CHARS, SESSION_COOKIE, VIEWER_COOKIE
from vod.http.keys import CLOCK, DATABASE, SECRET
from vod.http.sessions import read_bearer
from vod.playback.objects import parse_media_uri
from vod.playback.rights import Credentials, decide


async def get_authorize(request: web.Request) -> web.Response:
    """Answer 204 with ``X-Hall-Viewer``, 401 or 403 for the URI in ``X-Original-URI``.

    The signed token comes in ``X-Signed-Token``, or still in the URI; two different ones are
    refused.
    """
    target = parse_media_uri(request.headers.get("X-Original-URI", ""))
    if target is None:
        raise NotAllowedError("not a media URL")
    header = request.headers.get("X-Signed-Token") or None
    if target.token is not None and header not in {None, target.token}:
        raise NotAllowedError("two different tokens")
    viewer_cookie = request.cookies.get(VIEWER_COOKIE, "")
    given = Credentials(
        cookie=request.cookies.get(SESSION_COOKIE, ""),
        bearer=read_bearer(request),
        token=target.token or header,
        viewer_cookie=viewer_cookie
        if len(viewer_cookie) <= MAX_TOKEN_CHARS and viewer_cookie.isascii()
        else "",
    )
    async with request.app[DATABASE].read() as session:
        decision = await decide(
            session, target, given, secret=request.app[SECRET], now=request.app[CLOCK].now()
        )
    if decision.status == 204:  # noqa: PLR2004 - the HTTP status
        return web.Response(status=204, headers={"X-Hall-Viewer": decision.viewer_id})
    if decision.status == 401:  # noqa: PLR2004
        raise NotSignedInError("sign in to watch this")
    raise NotAllowedError("not for this account")


INTERNAL_ROUTES: Final = (web.get("/internal/authorize", get_authorize),)
