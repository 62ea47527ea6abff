"""Send a local file to the hall as an upload (tus 1.0): resumed after any interruption."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import aiohttp
import structlog

from kernel.errors import DependencyError, InputError
from vod.uploads import tus
from vod.uploads.digest import digest_path_blocking

READ_BYTES: Final = 1024 * 1024
PATIENCE_S: Final = 600.0  # Without any progress; a restart of the whole hall takes seconds.
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 15.0
ANSWER_S: Final = 200.0  # Above what the gate gives vod to complete a file.
# Another connection is at it, or the bytes did not survive the way: ask where we are, go on.
_AGAIN: Final = frozenset({408, 409, 423, 425, 429, 460, 499, 500, 502, 503, 504})
_RECEIVING: Final = "receiving"

Progress = Callable[[int], None]
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class RefusedError(InputError):
    """The hall does not want the file; ``title`` is its sentence."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a file.

    Attributes:
        state: ``done`` a lecture is made of it, ``duplicate`` one is already, else refused.
        lecture_id: That lecture.
        reason: The hall's sentence when it is not ``done``.
    """

    state: str
    upload_id: str | None
    lecture_id: str | None
    reason: str


class _PassingError(Exception):
    """Trying again may help."""


class Sender:
    """Sends files, one after the other or several at once, as whoever the token belongs to.

    Raises (all methods):
        RefusedError: The hall said no.
        DependencyError: It could not be reached for ``PATIENCE_S``.
    """

    def __init__(self, session: aiohttp.ClientSession, origin: str, *, token: str) -> None:
        self._session, self._origin = session, origin
        self._headers = {"Authorization": f"Bearer {token}", tus.RESUMABLE: tus.VERSION}

    async def send(self, path: Path, *, on_progress: Progress, **metadata: str) -> Sent:
        """Send a file; go on where an earlier attempt, even of another process, stopped.

        Args:
            on_progress: Told how many bytes the hall has, again and again.
            metadata: As in ``Upload-Metadata``: title, series_id, visibility, ...
        """
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        if size_bytes == 0:
            raise RefusedError("the file is empty", title_zh="文件是空的")
        digest = await asyncio.to_thread(digest_path_blocking, path)
        known = await self._find_known(digest, size_bytes)
        if known is not None and not metadata.get("allow_duplicate"):
            return known
        place = await self._find_unfinished(path.name, size_bytes, digest)
        if place is None:
            place = await self._create(path.name, size_bytes, {**metadata, "digest": digest})
        await self._send_bytes(place, path, size_bytes, on_progress)
        return await self._wait_for_end(place)

    async def _find_known(self, digest: str, size_bytes: int) -> Sent | None:
        query = {"digest": digest, "size_bytes": str(size_bytes)}
        found = await self._patiently(lambda: self._fetch("GET", "/uploads/known", params=query))
        lecture = found["lecture"]
        if lecture is None:
            return None
        return Sent("duplicate", None, lecture["id"], f"已经有了,就是课程《{lecture['title']}》")

    async def _find_unfinished(self, name: str, size_bytes: int, digest: str) -> str | None:
        """Look for our own earlier attempt: same bytes, still to be had."""
        query = {"state": "receiving", "page_size": "100"}
        page = await self._patiently(lambda: self._fetch("GET", "/uploads", params=query))
        for row in page["items"]:
            if (row["filename"], row["size_bytes"]) != (name, size_bytes):
                continue
            place = f"/uploads/{row['id']}"
            head = await self._patiently(lambda place=place: self._head(place))  # type: ignore[misc]
            known = tus.parse_metadata(head.get(tus.METADATA, ""))
            if known.get("digest") == digest:
                return place
        return None

    async def _create(self, name: str, size_bytes: int, metadata: dict[str, str]) -> str:
        pairs = {"filename": name, **metadata}
        text = ",".join(
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items()
        )
        headers = {tus.LENGTH: str(size_bytes), tus.METADATA: text}

        async def create() -> str:
            async with self._request("POST", "/uploads", headers=headers) as response:
                await _check(response)
                location: str = response.headers["Location"]
                return "/uploads/" + location.rpartition("/")[2]

        return await self._patiently(create)

    async def _head(self, place: str) -> dict[str, str]:
        async with self._request("HEAD", place) as response:
            await _check(response)
            return dict(response.headers)

    async def _send_bytes(
        self, place: str, path: Path, size_bytes: int, on_progress: Progress
    ) -> None:
        """Ask where we are and send the rest, until nothing is left."""
        best, patience_s = -1, time.monotonic() + PATIENCE_S
        wait_s = FIRST_WAIT_S
        while True:
            try:
                offset = int((await self._head(place))[tus.OFFSET])
                on_progress(offset)
                if offset > best:
                    best, patience_s, wait_s = offset, time.monotonic() + PATIENCE_S, FIRST_WAIT_S
                if offset >= size_bytes:
                    return
                await self._patch(place, path, offset, size_bytes, on_progress)
            except (_PassingError, aiohttp.ClientError, TimeoutError, OSError) as error:
                _give_up_after(patience_s, error)
                log.info("upload_interrupted", path=str(path), detail=repr(error))
                await asyncio.sleep(wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    async def _patch(
        self, place: str, path: Path, offset: int, size_bytes: int, on_progress: Progress
    ) -> None:
        headers = {
            tus.OFFSET: str(offset),
            "Content-Type": tus.BODY_TYPE,
            "Content-Length": str(size_bytes - offset),
        }
        source = await asyncio.to_thread(path.open, "rb")
        try:
            body = _iter_file(source, offset, size_bytes, on_progress)
            async with self._request("PATCH", place, headers=headers, data=body) as response:
                await _check(response)
        finally:
            await asyncio.to_thread(source.close)

    async def _wait_for_end(self, place: str) -> Sent:
        """All bytes are there; completing a large object may take the store a moment."""

        async def ask() -> Sent:
            row = await self._fetch("GET", place)
            if row["state"] == _RECEIVING:
                raise _PassingError("it is being completed")
            other = row["duplicate_of"]
            lecture_id = other["id"] if other else row["lecture_id"]
            return Sent(row["state"], row["id"], lecture_id, row["reason"] or "")

        return await self._patiently(ask)

    async def find_outcome(self, upload_id: str) -> dict[str, Any]:
        """What the API says of an upload now."""
        found = await self._patiently(lambda: self._fetch("GET", f"/uploads/{upload_id}"))
        return dict(found)

    async def is_planning(self, lecture_id: str) -> bool:
        """Tell whether it is not known yet if the lecture's file is media."""
        lecture = await self._patiently(lambda: self._fetch("GET", f"/lectures/{lecture_id}"))
        return lecture["state"] == "processing" and not lecture["renditions"]

    async def find_series(self, name: str) -> str:
        """Find a series by its id or title; a title that is new makes one."""
        page = await self._patiently(
            lambda: self._fetch("GET", "/series", params={"q": name[:100], "page_size": "100"})
        )
        for row in page["items"]:
            if row["title"] == name:
                return str(row["id"])
        try:
            return str((await self._fetch("GET", f"/series/{name}"))["id"])
        except (RefusedError, _PassingError, aiohttp.ClientError) as error:
            log.debug("not_the_id_of_a_series", name=name, detail=repr(error))
        made = await self._patiently(lambda: self._fetch("POST", "/series", json={"title": name}))
        return str(made["id"])

    async def _fetch(self, method: str, path: str, **options: Any) -> Any:
        async with self._request(method, path, **options) as response:
            await _check(response)
            return await response.json()

    def _request(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> Any:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=ANSWER_S)
        # On this machine the certificate is made out for another name.
        return self._session.request(
            method,
            f"{self._origin}/api/v1{path}",
            headers={**self._headers, **(headers or {})},
            timeout=timeout,
            **options,
        )

    async def _patiently(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        patience_s, wait_s = time.monotonic() + PATIENCE_S, FIRST_WAIT_S
        while True:
            try:
                return await ask()
            except (_PassingError, aiohttp.ClientError, TimeoutError) as error:
                _give_up_after(patience_s, error)
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)


def _give_up_after(moment_s: float, error: Exception) -> None:
    if time.monotonic() > moment_s:
        raise DependencyError(f"the hall could not be reached: {error!r}") from error


async def _check(response: aiohttp.ClientResponse) -> None:
    """Tell a refusal from what passes by itself."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    is_problem = response.content_type.endswith("json") and response.method != "HEAD"
    document = await response.json(content_type=None) if is_problem else {}
    title, detail = document.get("title", f"HTTP {response.status}"), document.get("detail", "")
    if response.status in _AGAIN:
        raise _PassingError(f"{response.status} {title}: {detail}")
    raise RefusedError(detail or title, title_zh=title)


async def _iter_file(
    source: BinaryIO, offset: int, size_bytes: int, on_progress: Progress
) -> AsyncIterator[bytes]:
    await asyncio.to_thread(source.seek, offset)
    while offset < size_bytes:
        data = await asyncio.to_thread(source.read, min(READ_BYTES, size_bytes - offset))
        if not data:
            return  # It became shorter; the hall notices, and so do we when we ask again.
        yield data
        offset += len(data)
        on_progress(offset)
