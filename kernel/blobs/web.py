"""Serve bytes over HTTP with Range and If-None-Match, streamed, never whole in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Final, Literal

import structlog
from aiohttp import hdrs, web

from kernel.blobs.keys import guess_content_type
from kernel.blobs.port import BlobStore
from kernel.errors import DependencyError
from kernel.http import build_problem

IMMUTABLE: Final = "public, max-age=31536000, immutable"
MAX_RANGE_DIGITS: Final = 18  # More digits than any size has; caps what int() must parse.

log = structlog.get_logger(__name__)

_RANGE: Final = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
OpenRange = Callable[[int, int], AsyncIterator[bytes]]


def parse_range(
    header: str | None, *, size_bytes: int
) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """Read a ``Range`` header against an object of ``size_bytes``.

    Returns:
        The half-open range; ``None`` when the whole object is to be sent: no header, another unit,
        several ranges, or one that is not well formed.

    Spec: RFC 9110 §14.1.2, §14.2.
    """
    # RFC 9110 §14.2: A server MAY ignore the Range header field.
    match = _RANGE.fullmatch(header) if header else None
    if match is None or max(map(len, match.groups())) > MAX_RANGE_DIGITS:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:  # §14.1.2: a suffix-range is the last N bytes.
        length = min(int(last), size_bytes)
        return (size_bytes - length, size_bytes) if length else "unsatisfiable"
    start = int(first)
    if last and int(last) < start:
        return None  # §14.1.1: An int-range with last-pos less than first-pos is invalid.
    if start >= size_bytes:
        return "unsatisfiable"
    return start, min(int(last) + 1, size_bytes) if last else size_bytes


def build_etag(key: str, *, size_bytes: int) -> str:
    """Strong validator of an immutable object: its name and size."""
    return f'"{size_bytes:x}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"'


def is_match(header: str | None, *, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names ``etag`` (weak comparison, RFC 9110 §13.1.2)."""
    if header is None:
        return False
    names = {name.strip().removeprefix("W/") for name in header.split(",")}
    return "*" in names or etag in names


async def serve_blob(
    request: web.Request,
    store: BlobStore,
    key: str,
    *,
    content_type: str | None = None,
    cache_control: str = IMMUTABLE,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with the object under ``key``, or the part of it that the request asks for.

    Raises:
        BlobMissingError: 404.
        InputError: The key is not one of ours.
        DependencyError: The store failed before the first byte; later failures cut the connection.
    """
    info = await store.head(key)
    return await serve_bytes(
        request,
        lambda start, end: store.iter_bytes(key, start=start, end=end),
        size_bytes=info.size_bytes,
        etag=build_etag(key, size_bytes=info.size_bytes),
        content_type=content_type or guess_content_type(key),
        cache_control=cache_control,
        headers=headers,
    )


async def serve_bytes(
    request: web.Request,
    open_range: OpenRange,
    *,
    size_bytes: int,
    etag: str,
    content_type: str,
    cache_control: str = IMMUTABLE,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer GET and HEAD for ``size_bytes`` of immutable bytes that ``open_range`` streams."""
    common = {
        hdrs.CONTENT_TYPE: content_type,
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.ETAG: etag,
        hdrs.ACCEPT_RANGES: "bytes",
        **(headers or {}),
    }
    # RFC 9110 §13.2.2: If-None-Match is evaluated before Range.
    if is_match(request.headers.get(hdrs.IF_NONE_MATCH), etag=etag):
        common.pop(hdrs.CONTENT_TYPE)
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=common)
    # §13.1.5: a Range whose If-Range does not match is ignored. Only GET has ranges (§14.2).
    is_range_asked = (
        request.method == hdrs.METH_GET and request.headers.get(hdrs.IF_RANGE, etag) == etag
    )
    asked = parse_range(
        request.headers.get(hdrs.RANGE) if is_range_asked else None, size_bytes=size_bytes
    )
    if asked == "unsatisfiable":
        refusal = build_problem(
            kind="range", status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, title="请求范围无效"
        )
        refusal.headers[hdrs.CONTENT_RANGE] = f"bytes */{size_bytes}"
        refusal.headers.update(headers or {})
        return refusal
    start, end = asked or (0, size_bytes)
    response = web.StreamResponse(
        status=HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK, headers=common
    )
    if asked:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{size_bytes}"
    response.content_length = end - start
    return await _send(request, response, open_range, start=start, end=end)


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    open_range: OpenRange,
    *,
    start: int,
    end: int,
) -> web.StreamResponse:
    if request.method == hdrs.METH_HEAD or end <= start:
        await response.prepare(request)
        return response
    chunks = open_range(start, end)
    try:
        # The first chunk comes before the status line: a store that fails answers a problem.
        first = await anext(chunks, b"")
        await response.prepare(request)
        await response.write(first)
        async for chunk in _exactly(chunks, end - start - len(first)):
            await response.write(chunk)
        await response.write_eof()
    except DependencyError as error:
        if not response.prepared:
            raise
        log.warning("body_cut_off", path=request.path, detail=str(error))
        if request.transport is not None:
            request.transport.abort()  # The length was promised: only a break is honest now.
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return response


async def _exactly(chunks: AsyncIterator[bytes], left_bytes: int) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        left_bytes -= len(chunk)
        yield chunk
    if left_bytes:
        raise DependencyError(f"{left_bytes} bytes too few")
