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

from kernel.config import Settings, split_addresses
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
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            # RFC 9110 §8.4: an origin may answer 415 to a content coding that it does not take.
            raise InputError("the body must not be compressed", status=415)  # noqa: TRY301 - rendered below
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


class _ProblemHandler(web.RequestHandler):
    """One connection; what aiohttp's parser refuses is answered as a problem, too."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer bytes that are no request; a line without them, for they may hold secrets."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request_crashed", path=request.path, exc_info=exc)
        else:
            log.info("request_refused", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, the error cannot be told") from exc
        del message  # It repeats the bytes.
        kind, title = ("internal", HallError.title_zh)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            kind, title = (f"http-{status}", HTTPStatus(status).phrase)
        response = build_problem(kind=kind, status=status, title=title)
        response.force_close()
        return response


class _ProblemServer(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _ProblemHandler(self, loop=self._loop, **self._kwargs)


class _ProblemRunner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _ProblemServer  # aiohttp has no parameter for its class.
        return server


@asynccontextmanager
async def listen(app: web.Application, address: str, **runner_options: Any) -> AsyncIterator[None]:
    """Serve ``app`` on ``unix:PATH`` (mode 0660, replaced if stale) or ``tcp:HOST:PORT``."""
    runner = _ProblemRunner(
        app,
        access_log=None,
        handle_signals=False,
        auto_decompress=False,  # A bad or exploding body would fail before any handler of ours.
        **runner_options,
    )
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

    Every call has a deadline. Answers that are problems come back as our errors. Of several peers
    that do the same the one that answered last is asked; one that cannot be reached is passed
    over at once, and a call that broke off in the middle goes to the next peer next time.

    Raises (all calls):
        DependencyError: No peer is up, or the one asked is slow or broken; retryable.
        HallError: What the peer refused, by status.
    """

    def __init__(
        self,
        peer: str,
        *,
        secret: str | None,
        timeout_s: float = 5.0,
        checks_certificate: bool = True,
    ) -> None:
        """``peer`` is ``unix:PATH``, ``tcp:HOST:PORT`` or ``http(s)://...``, or a comma list."""
        self._checks_certificate = checks_certificate
        self._peers = split_addresses(peer)
        self._headers = {SECRET_HEADER: secret} if secret else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._sessions: list[tuple[str, aiohttp.ClientSession]] = []
        self._first = 0

    @classmethod
    def to(cls, peer: str, settings: Settings, *, timeout_s: float = 5.0) -> InternalClient:
        """Build a client from the settings' shared secret."""
        secret = settings.internal_secret
        return cls(peer, secret=secret.get_secret_value() if secret else None, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        self._sessions = [self._open(peer) for peer in self._peers]
        return self

    def _open(self, peer: str) -> tuple[str, aiohttp.ClientSession]:
        connector = (
            aiohttp.UnixConnector(peer.removeprefix("unix:"), limit=32)
            if peer.startswith("unix:")
            else aiohttp.TCPConnector(limit=32, ssl=self._checks_certificate)
        )
        return _base_url(peer), aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=self._timeout
        )

    async def __aexit__(self, *_exc: object) -> None:
        sessions, self._sessions = self._sessions, []
        for _, session in sessions:
            await session.close()

    async def call(self, method: str, path: str, *, body: BaseModel | bytes | None = None) -> Any:
        """Send one request; return the decoded JSON answer, ``None`` for an empty one."""
        data = body.model_dump_json().encode() if isinstance(body, BaseModel) else body
        content_type = "application/json" if data is not None else ""
        status, payload = await self._fetch(method, path, data=data, content_type=content_type)
        try:
            # A 204 has neither a body nor a Content-Length, so what came decides.
            document = json.loads(payload) if payload else None
        except ValueError as error:
            raise DependencyError(f"{method} {path}: {error!r}") from error
        if status < HTTPStatus.BAD_REQUEST:
            return document
        raise _read_problem(status, document)

    async def fetch_text(self, path: str) -> str:
        """GET something that is not JSON."""
        status, payload = await self._fetch("GET", path)
        if status >= HTTPStatus.BAD_REQUEST:
            raise DependencyError(f"GET {path}: {status}")
        return payload.decode(errors="replace")

    async def _fetch(
        self, method: str, path: str, *, data: bytes | None = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        if not self._sessions:
            raise RuntimeError("use the client inside 'async with'")
        headers = {"Content-Type": content_type} if content_type else {}
        count = len(self._sessions)
        unreachable: Exception | None = None
        for number in [(self._first + step) % count for step in range(count)]:
            base, session = self._sessions[number]
            try:
                async with session.request(
                    method, base + path, data=data, headers=headers
                ) as response:
                    payload = await response.read()
                    self._first = number
                    return response.status, payload
            except aiohttp.ClientConnectorError as error:
                unreachable = error  # Nothing was sent: the next peer may have it.
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._first = (number + 1) % count
                raise DependencyError(f"{method} {path}: {error!r}") from error
        raise DependencyError(f"{method} {path}: {unreachable!r}") from unreachable


def _base_url(peer: str) -> str:
    if peer.startswith("unix:"):
        return "http://internal"
    if peer.startswith("tcp:"):
        return "http://" + peer.removeprefix("tcp:")
    return peer.rstrip("/")


def _read_problem(status: int, payload: Any) -> HallError:
    document = payload if isinstance(payload, dict) else {}
    detail, title = str(document.get("detail", "")), document.get("title")
    if status in _BY_STATUS:
        return _BY_STATUS[status](detail, title_zh=title)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InputError(detail, status=status, title_zh=title)
    return DependencyError(detail, title_zh=title)
