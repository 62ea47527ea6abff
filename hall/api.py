"""The public API as a program uses it, over the gate like everybody."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import aiohttp

from kernel.errors import DependencyError


class HallApi:
    """JSON calls below ``/api/v1``."""

    def __init__(
        self, session: aiohttp.ClientSession, origin: str, *, token: str | None = None
    ) -> None:
        self._session, self._base = session, origin + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def speak_of(self, public_origin: str) -> None:
        """Ask for answers whose URLs are those that people use, not this machine's own."""
        self._headers["Host"] = public_origin.partition("://")[2]

    async def act_as(self, login: str, password: str) -> HallApi:
        """Another client of the same hall, signed in as that person."""
        other = HallApi(self._session, "")
        other._base = self._base
        other._headers = {key: one for key, one in self._headers.items() if key == "Host"}
        await other.sign_in(login, password)
        return other

    async def sign_in(self, login: str, password: str) -> None:
        """Act as that person from now on."""
        answer = await self.call("POST", "/session", {"login": login, "password": password})
        self._headers["Authorization"] = f"Bearer {answer['token']}"

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one request; return the decoded answer.

        Raises:
            DependencyError: A refusal, with the server's own sentence.
        """
        return await self._send(method, path, json=body)

    async def post_bytes(self, path: str, data: bytes) -> Any:
        """Send a file as the body of one request; return the decoded answer.

        Raises:
            DependencyError: A refusal, with the server's own sentence.
        """
        headers = {"Content-Type": "application/octet-stream"}
        return await self._send("POST", path, data=data, headers=headers)

    async def _send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> Any:
        # The certificate is made out for the public name, and this stays on the machine.
        async with self._session.request(
            method,
            self._base + path,
            headers={**self._headers, **(headers or {})},
            ssl=False,
            **options,
        ) as response:
            # A compressed answer has no length, and "no content" has no JSON.
            body = await response.read()
            answer = json.loads(body) if body else None
            if response.status >= HTTPStatus.BAD_REQUEST:
                detail = f"{answer.get('title')}: {answer.get('detail')}" if answer else ""
                raise DependencyError(f"{method} {path}: {response.status} {detail}")
            return answer
