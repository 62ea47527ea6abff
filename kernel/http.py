"""HTTP between and around the services: addresses, problem documents, the private client.

An *address* is ``unix:PATH`` or ``tcp:HOST:PORT``. The private listeners carry ``/internal`` and
``/metrics``; on TCP every request to them must carry the shared secret.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiohttp
import structlog
from aiohttp import web
from pydantic import BaseModel, ValidationError

from kernel.config import Settings
from kernel.errors import (
    CapacityError,
    ConflictError,
    DependencyError,
    HallError,
    InputError,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
)
from kernel.ids import is_same_secret

SECRET_HEADER: Final = "X-Hall-Internal"  # noqa: S105 - a header's name
PROBLEM_PREFIX: Final = "urn:hall:problem:"
MAX_INTERNAL_BODY_BYTES: Final = 16 * 1024 * 1024  # The index of a 10 h recording is ~2 MB.

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Model = TypeVar("Model", bound=BaseModel)

_BY_STATUS: Final[dict[int, type[HallError]]] = {
    401: NotSignedInError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    503: CapacityError,
}


def build_problem(
    *, kind: str, status: int, title: str, detail: str = "", **members: Any
) -> web.Response:
    """Build an RFC 9457 ``application/problem+json`` response; never cached."""
    body = {"type": PROBLEM_PREFIX + kind, "title": title, "status": status, "detail": detail}
    return web.json_response(
        {**body, **members},
        status=status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )


def render_error(error: HallError) -> web.Response:
    """Turn one of our errors into its problem document."""
    status, members = error.status, {}
    if isinstance(error, InputError):
        status = error.http_status
        if error.field:
            members["field"] = error.field
    response = build_problem(
        kind=error.kind, status=status, title=error.title, detail=str(error), **members
    )
    if isinstance(error, CapacityError):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, NotSignedInError):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Render every failure of a handler as a problem; log what is our fault, once."""
    try:
        return await handler(request)
    except HallError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(
            error, CapacityError
        ):
            log.warning("request_failed", path=request.path, kind=error.kind, detail=str(error))
        return render_error(error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        response = build_problem(
            kind=f"http-{error.status}", status=error.status, title=error.reason
        )
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except (ConnectionResetError, aiohttp.ClientConnectionResetError):
        raise  # The client left in the middle of a body; aiohttp closes the transport.
    except Exception:
        log.exception("request_crashed", path=request.path, method=request.method)
        return build_problem(kind="internal", status=500, title=HallError.title_zh)


async def parse_body(request: web.Request, model: type[Model]) -> Model:
    """Read a JSON body into a message.

    Raises:
        InputError: 422 naming the first wrong field, 400 when it is no JSON.
    """
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        status = 400 if first["type"] == "json_invalid" else 422
        raise InputError(f"{field}: {first['msg']}", field=field, status=status) from error


def require_secret(
    settings: Settings,
) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    """Middleware of the private listeners: on TCP each request carries the shared secret."""
    expected = settings.internal_secret.get_secret_value() if settings.internal_secret else None

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if expected is not None and not is_same_secret(
            request.headers.get(SECRET_HEADER, ""), expected
        ):
            raise NotAllowedError("the internal secret is missing or wrong")
        return await handler(request)

    return check


@asynccontextmanager
async def listen(app: web.Application, address: str, **runner_options: Any) -> AsyncIterator[None]:
    """Serve ``app`` on ``unix:PATH`` (mode 0660, replaced if stale) or ``tcp:HOST:PORT``."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, **runner_options)
    await runner.setup()
    try:
        await _build_site(runner, address).start()
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).chmod(0o660)
        yield
    finally:
        await runner.cleanup()


def _build_site(runner: web.AppRunner, address: str) -> web.BaseSite:
    scheme, _, rest = address.partition(":")
    if scheme == "unix":
        path = Path(rest)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        return web.UnixSite(runner, rest, backlog=4096)
    host, _, port = rest.rpartition(":")
    return web.TCPSite(runner, host, int(port), backlog=4096)


class InternalClient:
    """JSON calls to another service's private listener.

    Every call has a deadline. Answers that are problems come back as our errors.

    Raises (all calls):
        DependencyError: The peer is down, slow or broken; retryable.
        HallError: What the peer refused, by status.
    """

    def __init__(self, peer: str, *, secret: str | None, timeout_s: float = 5.0) -> None:
        """``peer`` is ``unix:PATH``, ``tcp:HOST:PORT`` or ``http(s)://...``."""
        self._peer = peer
        self._base = "http://internal"
        if peer.startswith("tcp:"):
            self._base = "http://" + peer.removeprefix("tcp:")
        elif not peer.startswith("unix:"):
            self._base = peer.rstrip("/")
        self._headers = {SECRET_HEADER: secret} if secret else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def to(cls, peer: str, settings: Settings, *, timeout_s: float = 5.0) -> InternalClient:
        """Build a client from the settings' shared secret."""
        secret = settings.internal_secret
        return cls(peer, secret=secret.get_secret_value() if secret else None, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        connector = (
            aiohttp.UnixConnector(self._peer.removeprefix("unix:"), limit=32)
            if self._peer.startswith("unix:")
            else aiohttp.TCPConnector(limit=32)
        )
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=self._timeout
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, path: str, *, body: BaseModel | bytes | None = None) -> Any:
        """Send one request; return the decoded JSON answer, ``None`` for an empty one."""
        if self._session is None:
            raise RuntimeError("use the client inside 'async with'")
        data = body.model_dump_json().encode() if isinstance(body, BaseModel) else body
        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            async with self._session.request(
                method, self._base + path, data=data, headers=headers
            ) as response:
                # A 204 has neither a body nor a Content-Length, so what came decides.
                payload = json.loads(body_bytes) if (body_bytes := await response.read()) else None
                if response.status < HTTPStatus.BAD_REQUEST:
                    return payload
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise DependencyError(f"{method} {path}: {error!r}") from error
        raise _read_problem(response.status, payload)


def _read_problem(status: int, payload: Any) -> HallError:
    document = payload if isinstance(payload, dict) else {}
    detail, title = str(document.get("detail", "")), document.get("title")
    if status in _BY_STATUS:
        return _BY_STATUS[status](detail, title_zh=title)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InputError(detail, status=status, title_zh=title)
    return DependencyError(detail, title_zh=title)
