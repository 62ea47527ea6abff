"""Send one delivery: one POST with a deadline, no redirects, to public addresses only.

The address is checked where the connection is made: what a name means is looked up once, refused
if it is private, and connected to as it was checked. A name that means something else a moment
later gains nothing by it.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from kernel.errors import InputError
from vod.webhooks.addresses import is_public, parse_target
from vod.webhooks.retry import parse_retry_after

DEADLINE_S: Final = 10.0  # From looking the name up to the answer's head.
MAX_CONNECTIONS: Final = 16
MAX_HEADER_BYTES: Final = 8190
USER_AGENT: Final = "LectureHall-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went.

    Attributes:
        status: ``None`` when there was no answer.
        error: Empty when it was heard.
        retry_after: What the receiver asked for.
    """

    status: int | None
    error: str
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        return not self.error

    @property
    def is_gone(self) -> bool:
        """The receiver asks never to be told again."""
        return self.status == HTTPStatus.GONE


class GuardedResolver(AbstractResolver):
    """Look a name up; refuse it if any of its addresses is not public."""

    def __init__(self, *, allow_private: bool) -> None:
        self._inner = ThreadedResolver()
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; ``OSError`` where one of them is private."""
        found = await self._inner.resolve(host, port, family)
        if not self._allow_private and not all(is_public(one["host"]) for one in found):
            raise OSError(None, "the name leads to a private address")
        return found

    async def close(self) -> None:
        await self._inner.close()


class WebhookSender:
    """Posts signed bodies. Built by :func:`open_sender`."""

    def __init__(self, http: aiohttp.ClientSession, *, allow_private: bool) -> None:
        self._http = http
        self._allow_private = allow_private

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Post once; whatever happens is an :class:`Outcome`. The answer's body is not read."""
        try:
            target = parse_target(url, allow_private=self._allow_private)
            async with self._http.post(
                target, data=body, headers={**headers}, allow_redirects=False
            ) as answer:
                return read_answer(answer.status, answer.headers.get("Retry-After"))
        except InputError as error:
            return Outcome(None, str(error))
        except TimeoutError:
            return Outcome(None, f"no answer within {DEADLINE_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(None, f"{type(error).__name__}: {error}"[:200])


def read_answer(status: int, retry_after: str | None) -> Outcome:
    """Judge an answer: 2xx is heard, everything else is not, redirects included. Pure."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(status, "")
    return Outcome(status, f"answered {status}", parse_retry_after(retry_after))


@asynccontextmanager
async def open_sender(*, allow_private: bool) -> AsyncIterator[WebhookSender]:
    """Open the connections of one round; nothing is sent before the first call."""
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(allow_private=allow_private),
        use_dns_cache=False,
        limit=MAX_CONNECTIONS,
        force_close=True,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
        headers={"User-Agent": USER_AGENT},
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
    ) as http:
        yield WebhookSender(http, allow_private=allow_private)
