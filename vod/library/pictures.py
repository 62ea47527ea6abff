"""Covers and portraits: cleaned pictures in the blob store, under names that never change."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from aiohttp import web

from kernel.blobs.web import serve_blob
from kernel.errors import InputError
from kernel.ids import new_id
from vod.http.bodies import read_body
from vod.http.keys import BLOBS
from vod.posters.keys import DECODER
from vod.posters.picture import MAX_PICTURE_BYTES

PICTURE_TYPES: Final = frozenset({"image/jpeg", "image/png"})
NAME_CHARS: Final = 32  # 128 bits never meet.
KEPT_S: Final = 3_600  # Another picture has another address.

Folder = Literal["covers", "portraits"]


async def receive_picture(request: web.Request, folder: Folder, owner_id: str) -> str:
    """Read, clean and store the body of ``request``; returns the name to keep.

    The file is stored before any row names it: what fails in between leaves an orphan only.

    Raises:
        InputError: 413, 415, 422 as ``vod.posters.picture`` says.
        DependencyError: The store failed; retryable.
    """
    if request.content_type not in PICTURE_TYPES:
        raise InputError(
            "the body must be image/jpeg or image/png",
            status=415,
            title_zh="请上传 JPEG 或 PNG 图片",
        )
    data = await read_body(request, limit_bytes=MAX_PICTURE_BYTES, title_zh="图片太大,最大 10 MB")
    picture = await request.app[DECODER].clean(data)
    digest = hashlib.sha256(new_id().encode() + picture.data).hexdigest()
    name = digest[:NAME_CHARS] + ".jpg"
    key = build_picture_key(folder, owner_id, name)
    await request.app[BLOBS].put_bytes(key, picture.data, content_type="image/jpeg")
    return name


def build_picture_key(folder: Folder, owner_id: str, name: str) -> str:
    return f"library/{folder}/{owner_id}/{name}"


async def serve_picture(
    request: web.Request, folder: Folder, owner_id: str, name: str
) -> web.StreamResponse:
    """Answer with a picture; the caller has checked the right."""
    return await serve_blob(
        request,
        request.app[BLOBS],
        build_picture_key(folder, owner_id, name),
        content_type="image/jpeg",
        cache_control=f"private, max-age={KEPT_S}",
        headers={"X-Content-Type-Options": "nosniff"},
    )
