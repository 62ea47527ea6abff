"""An HTTP relay in front of a server: it can hold requests and answers, be slow, refuse, break off.

Unlike ``tcp_proxy`` it knows where a request ends, so a test may stop the world exactly before a
server hears of something, or after the server did it and before the answer arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

TIMEOUT_S = 60.0
MAX_BODY_BYTES = 64 * 1024 * 1024
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade"})


class LineBrokenError(Exception):
    """Raised by a watcher: the connection is to break here, without an answer."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A request on its way in, or with its answer on the way out (``status`` is set)."""

    method: str
    path: str
    body: bytes
    status: int | None = None
    answer: bytes = b""


Watcher = Callable[[Passage], Awaitable[None]]


async def let_pass(_passage: Passage) -> None:
    """The watcher of a relay that nobody looks at."""


@dataclass
class HttpRelay:
    """Passes requests on; its members may be changed while it runs.

    Attributes:
        watcher: Called twice per request; it may wait, or raise ``LineBrokenError``.
        delay_s: Before each request.
        refuse_every: Each n-th request is answered 503 and not passed on; 0: none is.
        break_every: Of each n-th request the answer breaks off in the middle; 0: of none.
    """

    target: str
    watcher: Watcher = let_pass
    delay_s: float = 0.0
    refuse_every: int = 0
    break_every: int = 0
    requests_count: int = 0
    refused_count: int = 0
    broken_count: int = 0
    port: int = 0

    @contextlib.contextmanager
    def behave(
        self, *, delay_s: float = 0.0, refuse_every: int = 0, break_every: int = 0
    ) -> Iterator[None]:
        """Be like that for a while."""
        self.delay_s, self.refuse_every, self.break_every = delay_s, refuse_every, break_every
        try:
            yield
        finally:
            self.delay_s, self.refuse_every, self.break_every = 0.0, 0, 0

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[HttpRelay]:
        """Listen on a free port of this machine."""
        async with aiohttp.ClientSession(
            auto_decompress=False, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as session:

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                return await self._handle(session, request)

            runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.5)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _handle(
        self, session: aiohttp.ClientSession, request: web.BaseRequest
    ) -> web.StreamResponse:
        self.requests_count += 1
        number = self.requests_count
        try:
            body = await request.read()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.refuse_every and number % self.refuse_every == 0:
                self.refused_count += 1
                return web.Response(status=503)
            passage = Passage(request.method, request.raw_path, body)
            await self.watcher(passage)
            status, headers, answer = await self._ask(session, request, body)
            await self.watcher(Passage(request.method, request.raw_path, body, status, answer))
        except (LineBrokenError, aiohttp.ClientError, TimeoutError, ConnectionError):
            return _break_off(request)
        response = web.Response(status=status, headers=headers, body=answer)
        if self.break_every and number % self.break_every == 0:
            self.broken_count += 1
            return await _send_half(request, response, answer)
        return response

    async def _ask(
        self, session: aiohttp.ClientSession, request: web.BaseRequest, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        async with session.request(
            request.method,
            URL(self.target + request.raw_path, encoded=True),
            headers=_end_to_end(request.headers),  # Host stays: S3 signs it.
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
        ) as response:
            return response.status, _end_to_end(response.headers), await response.read()


def _end_to_end(headers: object) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in HOP_BY_HOP}  # type: ignore[attr-defined]


def _break_off(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)  # Nobody reads it.


async def _send_half(
    request: web.BaseRequest, whole: web.Response, body: bytes
) -> web.StreamResponse:
    """Promise all of the answer, send half of it."""
    if not body:
        return _break_off(request)
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return _break_off(request)
