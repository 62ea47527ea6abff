"""Blobs over HTTP: ranges, validators, and a store that fails on the way."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from kernel.blobs.directory import DirectoryBlobStore
from kernel.blobs.web import IMMUTABLE, parse_range, serve_blob
from kernel.errors import DependencyError
from kernel.http import listen, problem_middleware

KEY = "live/b/0/audio/1.m4s"
DATA = os.urandom(700 * 1024)


class BreakingStore(DirectoryBlobStore):
    """Fails after ``chunks_count`` chunks."""

    chunks_count = 10**9

    async def iter_bytes(self, key, *, start=0, end=None):
        sent = 0
        async for chunk in super().iter_bytes(key, start=start, end=end):
            if sent >= self.chunks_count:
                raise DependencyError("gone")
            sent += 1
            yield chunk


@asynccontextmanager
async def serving(store: BreakingStore, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async def get(request: web.Request) -> web.StreamResponse:
        return await serve_blob(request, store, request.match_info["key"])

    app = web.Application(middlewares=[problem_middleware])
    app.router.add_get("/{key:.*}", get)
    address = f"unix:{folder / 's.sock'}"
    async with listen(app, address):
        connector = aiohttp.UnixConnector(str(folder / "s.sock"))
        async with aiohttp.ClientSession("http://x", connector=connector) as client:
            yield client


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[BreakingStore]:
    opened = BreakingStore(tmp_path / "blobs")
    await opened.put_bytes(KEY, DATA, content_type="audio/mp4")
    await opened.put_bytes("empty.json", b"", content_type="application/json")
    yield opened
    await opened.close()


async def test_the_whole_object_with_its_headers(store: BreakingStore, short_dir: Path) -> None:
    async with serving(store, short_dir) as client, client.get(f"/{KEY}") as answer:
        assert answer.status == 200
        assert await answer.read() == DATA
        assert answer.headers["Content-Type"] == "audio/mp4"
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["Cache-Control"] == IMMUTABLE
        etag = answer.headers["ETag"]
        async with client.get(f"/{KEY}", headers={"If-None-Match": f'"x", W/{etag}'}) as again:
            assert again.status == 304
            assert await again.read() == b""
        async with client.head(f"/{KEY}") as head:
            assert head.status == 200
            assert head.headers["Content-Length"] == str(len(DATA))


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=699999-", 699_999, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
        ("bytes=0-99999999", 0, len(DATA)),
    ],
)
async def test_a_range_is_206_with_exactly_its_bytes(
    store: BreakingStore, short_dir: Path, header: str, start: int, end: int
) -> None:
    async with (
        serving(store, short_dir) as client,
        client.get(f"/{KEY}", headers={"Range": header}) as answer,
    ):
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
        assert await answer.read() == DATA[start:end]


async def test_a_range_beyond_the_end_is_416(store: BreakingStore, short_dir: Path) -> None:
    async with serving(store, short_dir) as client:
        async with client.get(f"/{KEY}", headers={"Range": f"bytes={len(DATA)}-"}) as answer:
            assert answer.status == 416
            assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"
        async with client.get("/empty.json", headers={"Range": "bytes=0-"}) as answer:
            assert answer.status == 416


@pytest.mark.parametrize(
    "header", ["bytes=5-1", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes"]
)
async def test_what_is_no_single_range_is_answered_whole(
    store: BreakingStore, short_dir: Path, header: str
) -> None:
    async with (
        serving(store, short_dir) as client,
        client.get(f"/{KEY}", headers={"Range": header}) as answer,
    ):
        assert answer.status == 200
        assert await answer.read() == DATA


async def test_an_outdated_if_range_gets_the_whole(store: BreakingStore, short_dir: Path) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"old"'}
    async with (
        serving(store, short_dir) as client,
        client.get(f"/{KEY}", headers=headers) as answer,
    ):
        assert answer.status == 200


async def test_missing_and_foreign_keys_are_problems(store: BreakingStore, short_dir: Path) -> None:
    async with serving(store, short_dir) as client:
        async with client.get("/live/none") as answer:
            assert answer.status == 404
            assert answer.content_type == "application/problem+json"
        async with client.get("/live/..%2f..%2fetc%2fpasswd") as answer:
            assert answer.status == 400


async def test_a_store_that_fails_at_once_is_503(store: BreakingStore, short_dir: Path) -> None:
    store.chunks_count = 0
    async with serving(store, short_dir) as client, client.get(f"/{KEY}") as answer:
        assert answer.status == 503


async def test_a_store_that_fails_on_the_way_breaks_the_connection(
    store: BreakingStore, short_dir: Path
) -> None:
    store.chunks_count = 1
    async with serving(store, short_dir) as client, client.get(f"/{KEY}") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}"), st.integers(0, 2000))
def test_any_range_header_is_within_the_object(header: str, size_bytes: int) -> None:
    found = parse_range(header, size_bytes=size_bytes)
    if isinstance(found, tuple):
        start, end = found
        assert 0 <= start < end <= size_bytes
