"""The contract of ``BlobStore``, held by both adapters; S3 is a real server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from aiohttp import ClientSession

from kernel.blobs import BlobStore
from kernel.blobs.s3 import S3BlobStore, S3Location
from kernel.errors import BlobMissingError, DependencyError, InputError
from tests.support.blob_stores import settings as settings  # noqa: PLC0414 - a fixture
from tests.support.blob_stores import store as store  # noqa: PLC0414 - a fixture
from tests.support.ports import find_free_port
from tests.support.seaweed import ACCESS_KEY

OCTETS = "application/octet-stream"


async def _read(store: BlobStore, key: str, **span: int) -> bytes:
    return b"".join([chunk async for chunk in store.iter_bytes(key, **span)])


async def test_what_was_put_is_read_back(store: BlobStore) -> None:
    info = await store.put_bytes("live/b1/0/av/1.m4s", b"media", content_type="video/mp4")
    assert (info.key, info.size_bytes) == ("live/b1/0/av/1.m4s", 5)
    assert await store.get_bytes("live/b1/0/av/1.m4s") == b"media"
    assert (await store.head("live/b1/0/av/1.m4s")).size_bytes == 5


async def test_a_second_put_replaces_the_first(store: BlobStore) -> None:
    await store.put_bytes("a/b", b"old and long", content_type=OCTETS)
    await store.put_bytes("a/b", b"new", content_type=OCTETS)
    assert await store.get_bytes("a/b") == b"new"


async def test_an_empty_object_is_an_object(store: BlobStore) -> None:
    await store.put_bytes("empty", b"", content_type=OCTETS)
    assert await store.get_bytes("empty") == b""
    assert await _read(store, "empty") == b""


async def test_files_go_in_and_out_without_a_loss(store: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    data = os.urandom(18 * 1024 * 1024)  # More than one part of a multipart upload.
    source.write_bytes(data)
    assert (await store.put_file("big/file", source, content_type=OCTETS)).size_bytes == len(data)
    target = tmp_path / "target.bin"
    assert (await store.download("big/file", target)).size_bytes == len(data)
    assert target.read_bytes() == data
    assert sorted(path.name for path in tmp_path.glob(".target*")) == []


async def test_ranges_are_half_open_and_chunks_small(store: BlobStore) -> None:
    data = os.urandom(600 * 1024)
    await store.put_bytes("r", data, content_type=OCTETS)
    assert await _read(store, "r", start=10, end=20) == data[10:20]
    assert await _read(store, "r", start=599 * 1024) == data[599 * 1024 :]
    assert await _read(store, "r", start=5, end=5) == b""
    assert await _read(store, "r", start=0, end=10**9) == data
    chunks = [chunk async for chunk in store.iter_bytes("r")]
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= 256 * 1024


async def test_a_missing_key_is_its_own_error(store: BlobStore, tmp_path: Path) -> None:
    await store.put_bytes("there", b"x", content_type=OCTETS)
    with pytest.raises(BlobMissingError):
        await store.get_bytes("nowhere")
    with pytest.raises(BlobMissingError):
        await store.head("nowhere")
    with pytest.raises(BlobMissingError):
        await _read(store, "nowhere")
    with pytest.raises(BlobMissingError):
        await store.download("nowhere", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    await store.delete("nowhere")


async def test_a_store_that_nobody_has_written_to_is_empty(store: BlobStore) -> None:
    with pytest.raises(BlobMissingError):
        await store.get_bytes("live/x")
    with pytest.raises(BlobMissingError):
        await store.head("live/x")
    await store.delete("live/x")
    assert [info async for info in store.list_keys("")] == []


async def test_a_deleted_object_is_gone_and_its_neighbour_stays(store: BlobStore) -> None:
    await store.put_bytes("d/one", b"1", content_type=OCTETS)
    await store.put_bytes("d/two", b"2", content_type=OCTETS)
    await store.delete("d/one")
    with pytest.raises(BlobMissingError):
        await store.head("d/one")
    assert await store.get_bytes("d/two") == b"2"


async def test_the_listing_is_complete(store: BlobStore) -> None:
    keys = ["l/a-b", "l/a/1", "l/a/10", "l/a/2", "l/a.x", "l/b", "l2/z"]
    for key in keys:
        await store.put_bytes(key, key.encode(), content_type=OCTETS)
    listed = sorted([(info.key, info.size_bytes) async for info in store.list_keys("l/")])
    assert listed == [(key, len(key)) for key in sorted(keys[:-1])]
    assert {info.key async for info in store.list_keys("l/a/1")} == {"l/a/1", "l/a/10"}
    assert [info.key async for info in store.list_keys("none/")] == []


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a b", "ä", "a\n", "a" * 513],
)
async def test_a_bad_key_is_refused_before_anything_is_touched(store: BlobStore, key: str) -> None:
    with pytest.raises(InputError):
        await store.put_bytes(key, b"x", content_type=OCTETS)
    with pytest.raises(InputError):
        await store.get_bytes(key)
    with pytest.raises(InputError):
        store.local_path(key)


async def test_a_large_object_is_not_read_whole_by_mistake(store: BlobStore) -> None:
    await store.put_bytes("large", b"0123456789", content_type=OCTETS)
    with pytest.raises(InputError):
        await store.get_bytes("large", limit_bytes=9)
    assert await store.get_bytes("large", limit_bytes=10) == b"0123456789"


async def test_a_local_path_is_readable_where_there_is_one(store: BlobStore) -> None:
    await store.put_bytes("p/q", b"here", content_type=OCTETS)
    path = store.local_path("p/q")
    assert path is None or path.read_bytes() == b"here"


async def test_an_address_reads_without_any_other_secret(store: BlobStore) -> None:
    await store.put_bytes("u/v", b"0123456789", content_type=OCTETS)
    url = await store.read_url("u/v", expires_s=60)
    if url is None:
        assert store.local_path("u/v") is not None
        return
    async with ClientSession() as session:
        async with session.get(url, headers={"Range": "bytes=2-4"}) as response:
            assert (response.status, await response.read()) == (206, b"234")
        async with session.get(url.partition("?")[0]) as response:
            assert response.status == 403


async def test_a_store_that_is_down_is_a_retryable_error_within_seconds() -> None:
    location = S3Location(f"127.0.0.1:{find_free_port()}", "bucket", is_secure=False, region="x")
    down = S3BlobStore(location, access_key="a", secret_key="b")
    try:
        with pytest.raises(DependencyError) as caught:
            await down.put_bytes("k", b"x", content_type=OCTETS)
        assert caught.value.retryable
    finally:
        await down.close()


async def test_wrong_keys_are_not_retried(seaweed, tmp_path: Path) -> None:
    location = S3Location(seaweed.endpoint, "wrong-keys", is_secure=False, region="us-east-1")
    stranger = S3BlobStore(location, access_key=ACCESS_KEY, secret_key="not-it")
    try:
        with pytest.raises(DependencyError) as caught:
            await stranger.put_bytes("k", b"x", content_type=OCTETS)
        assert not caught.value.retryable
    finally:
        await stranger.close()
