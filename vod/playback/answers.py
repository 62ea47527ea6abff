"""Answers of replay delivery: files from the blob store, rendered texts, and how long both keep."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from kernel.blobs.port import BlobStore
from kernel.blobs.web import is_match, serve_blob
from kernel.errors import NotFoundError
from kernel.ids import is_id
from vod.http.keys import BLOBS, SETTINGS
from vod.playback.library import RenderedText
from vod.playback.objects import is_safe_name

IMMUTABLE_S: Final = 31_536_000
POINTER_S: Final = 5  # A finished ladder replaces the recording; players that load get it soon.
PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"


def build_cache_control(*, is_public: bool, max_age_s: int) -> str:
    """Build the header; members' media are for the one who asked and our own edge only."""
    scope = "public" if is_public else "private"
    suffix = ", immutable" if max_age_s == IMMUTABLE_S else ""
    return f"{scope}, max-age={max_age_s}{suffix}"


async def serve_file(
    request: web.Request,
    key: str,
    *,
    content_type: str,
    cache_control: str,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Let the gate send a file that lies beside it; stream everything else."""
    blobs: BlobStore = request.app[BLOBS]
    may_gate_send = request.app[SETTINGS].blobs_url is None and _is_through_gate(request)
    if may_gate_send and blobs.local_path(key) is not None:
        await blobs.head(key)  # A missing one is our 404, not the gate's error page.
        return web.Response(
            headers={
                "X-Accel-Redirect": f"/_blobs/{key}",
                hdrs.CONTENT_TYPE: content_type,
                hdrs.CACHE_CONTROL: cache_control,
                **(headers or {}),
            }
        )
    return await serve_blob(
        request, blobs, key, content_type=content_type, cache_control=cache_control, headers=headers
    )


def _is_through_gate(request: web.Request) -> bool:
    # The gate always says for whom it asks; a direct caller would get an empty body.
    return request.method == hdrs.METH_GET and "X-Real-IP" in request.headers


def read_id(request: web.Request, name: str) -> str:
    """Return an identifier from the path; anything else names nothing (``NotFoundError``)."""
    value = request.match_info[name]
    if not is_id(value) or not is_safe_name(value):
        raise NotFoundError(f"no such {name.removesuffix('_id')}")
    return value


def respond_text(
    request: web.Request,
    rendered: RenderedText,
    *,
    is_public: bool,
    max_age_s: int,
    content_type: str = PLAYLIST_TYPE,
) -> web.Response:
    """Answer with a rendered text, zipped for whoever takes that, or 304."""
    etag = f'"{hashlib.sha256(rendered.plain).hexdigest()[:24]}"'
    headers = {
        hdrs.CACHE_CONTROL: build_cache_control(is_public=is_public, max_age_s=max_age_s),
        hdrs.ETAG: etag,
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if is_match(request.headers.get(hdrs.IF_NONE_MATCH), etag=etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    body = rendered.plain
    if _accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        headers[hdrs.CONTENT_ENCODING], body = "gzip", rendered.zipped
        headers[hdrs.ETAG] = f"W/{etag}"  # Two encodings, one content (RFC 9110 §8.8.3.3).
    headers[hdrs.CONTENT_TYPE] = content_type
    return web.Response(body=body, headers=headers)


def _accepts_gzip(header: str) -> bool:
    for part in header.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
