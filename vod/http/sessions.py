"""Middleware of the API: who is asking, and whether a change was meant (CSRF)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from aiohttp import web

from kernel.errors import NotAllowedError, NotSignedInError
from kernel.http import Handler
from kernel.ids import derive_token, is_same_secret, new_secret
from vod.accounts.models import AccountSession
from vod.accounts.policy import OPEN_BEFORE_CHANGE, PasswordChangeError
from vod.accounts.roles import Viewer
from vod.accounts.sessions import (
    LIFETIME,
    MAX_TOKEN_CHARS,
    SESSION_COOKIE,
    VIEWER_COOKIE,
    build_csrf_token,
    build_viewer,
    is_due_for_renewal,
    load_session,
    renew_session,
)
from vod.http.keys import CLOCK, DATABASE, SECRET, VIEWER
from vod.http.origin import is_https, read_origin

API_PREFIX: Final = "/api/v1/"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "X-CSRF-Token"
VIEWER_COOKIE_S: Final = 365 * 24 * 3600

SESSION: Final = web.RequestKey("session", AccountSession)
"""The session of the request, account loaded; absent for the anonymous."""
VIEWER_ID: Final = web.RequestKey("viewer_id", str)
"""Value of the anonymous presence cookie, made here if the browser had none."""


@web.middleware
async def session_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the session of every ``/api/v1`` request; guard changes made with a cookie.

    Raises:
        NotSignedInError: A bearer token that is not valid (a stale cookie is just anonymous).
        NotAllowedError: A change with the session cookie, but without its CSRF token.
        PasswordChangeError: Whoever came with a one-time code has to choose a password first.
    """
    if not request.path.startswith(API_PREFIX):
        return await handler(request)
    cookie = request.cookies.get(VIEWER_COOKIE, "")
    is_known = 0 < len(cookie) <= MAX_TOKEN_CHARS and cookie.isascii()
    request[VIEWER_ID] = cookie if is_known else new_secret()
    await _find_session(request)
    response = await handler(request)
    if not is_known and not response.prepared:
        response.set_cookie(
            VIEWER_COOKIE,
            request[VIEWER_ID],
            max_age=VIEWER_COOKIE_S,
            httponly=True,
            samesite="Lax",
            secure=is_https(read_origin(request)),
        )
    return response


async def _find_session(request: web.Request) -> None:
    bearer = read_bearer(request)
    cookie = request.cookies.get(SESSION_COOKIE, "")
    secret, now = request.app[SECRET], request.app[CLOCK].now()
    request[VIEWER] = Viewer(viewer_id=derive_token(secret, "viewer", request[VIEWER_ID]))
    if bearer is None and not cookie:
        return
    async with request.app[DATABASE].read() as session:
        row = await load_session(session, cookie if bearer is None else bearer, now)
    if row is None:
        if bearer is not None:
            raise NotSignedInError("the token is unknown or expired")
        return
    if bearer is None:
        _require_csrf_token(request, row)
    if row.account.must_change_password and request.path not in OPEN_BEFORE_CHANGE:
        raise PasswordChangeError("choose a password with PATCH /api/v1/account first")
    request[SESSION], request[VIEWER] = row, build_viewer(row, secret)
    await _renew_if_due(request, row, now)


async def _renew_if_due(request: web.Request, row: AccountSession, now: datetime) -> None:
    if is_due_for_renewal(row, now):
        async with request.app[DATABASE].write() as session:
            await renew_session(session, row.id, now)


def _require_csrf_token(request: web.Request, row: AccountSession) -> None:
    if request.method in SAFE_METHODS or _is_sign_in(request):
        return
    expected = build_csrf_token(request.app[SECRET], row.token_hash)
    given = request.headers.get(CSRF_HEADER, "")
    if not given.isascii() or not is_same_secret(given, expected):
        raise NotAllowedError(
            f"{CSRF_HEADER} is missing or wrong; take it from GET /api/v1/session",
            title_zh="页面已过期,请刷新后再试",
        )


def _is_sign_in(request: web.Request) -> bool:
    # Signing in over an old session must work; it needs the password and a JSON body.
    return request.method == "POST" and request.path == API_PREFIX + "session"


def set_session_cookie(request: web.Request, response: web.Response, token: str) -> None:
    """Give a new session to the browser."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=is_https(read_origin(request)),
    )


def read_bearer(request: web.Request) -> str | None:
    """Return the bearer token of a request, ``None`` when it has no ``Authorization: Bearer``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
