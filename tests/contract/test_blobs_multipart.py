"""The contract of objects that come in parts, held by both adapters; S3 is a real server."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kernel.blobs import BlobStore, open_blob_store
from kernel.blobs.port import MIN_PART_BYTES, Multipart
from kernel.config import Settings
from kernel.errors import BlobMissingError, DependencyError, HallError, InputError
from kernel.ids import new_id
from tests.support.blob_stores import settings as settings  # noqa: PLC0414 - a fixture
from tests.support.blob_stores import store as store  # noqa: PLC0414 - a fixture

OCTETS = "application/octet-stream"


async def start(store: BlobStore, key: str = "uploads/one") -> Multipart:
    return await store.start_multipart(key, content_type=OCTETS, part_bytes=MIN_PART_BYTES)


async def read(store: BlobStore, key: str) -> bytes:
    return b"".join([piece async for piece in store.iter_bytes(key)])


async def list_ids(store: BlobStore, prefix: str) -> set[str]:
    return {found.id async for found in store.list_multiparts(prefix)}


async def test_parts_become_one_object_in_the_order_of_their_numbers(store: BlobStore) -> None:
    parts = [os.urandom(MIN_PART_BYTES), os.urandom(MIN_PART_BYTES), b"the rest"]
    multipart = await start(store)
    receipts = {
        number: await store.put_part(multipart, number, parts[number - 1]) for number in (2, 1, 3)
    }
    with pytest.raises(BlobMissingError):
        await store.head("uploads/one")  # Nothing is seen before it is whole.
    assert [info.key async for info in store.list_keys("uploads/")] == []
    whole = b"".join(parts)
    done = await store.complete_multipart(
        multipart, [receipts[1], receipts[2], receipts[3]], size_bytes=len(whole)
    )
    assert (done.key, done.size_bytes) == ("uploads/one", len(whole))
    assert await read(store, "uploads/one") == whole
    assert await list_ids(store, "uploads/") == set()


async def test_another_process_goes_on_with_the_three_values(
    settings: Settings, store: BlobStore
) -> None:
    first = await start(store)
    receipt = await store.put_part(first, 1, bytes(MIN_PART_BYTES))
    again = Multipart(first.key, first.id, first.part_bytes)
    other = open_blob_store(settings)
    try:
        last = await other.put_part(again, 2, b"x")
        size_bytes = MIN_PART_BYTES + 1
        await other.complete_multipart(again, [receipt, last], size_bytes=size_bytes)
    finally:
        await other.close()
    assert (await store.head("uploads/one")).size_bytes == MIN_PART_BYTES + 1


async def test_a_part_stored_again_replaces_the_first(store: BlobStore) -> None:
    multipart = await start(store)
    await store.put_part(multipart, 1, b"a" * 100)
    receipt = await store.put_part(multipart, 1, b"b" * 100)
    await store.complete_multipart(multipart, [receipt], size_bytes=100)
    assert await read(store, "uploads/one") == b"b" * 100


async def test_completing_twice_is_completing_once(store: BlobStore) -> None:
    multipart = await start(store)
    receipt = await store.put_part(multipart, 1, b"small")
    for _ in range(2):
        done = await store.complete_multipart(multipart, [receipt], size_bytes=5)
        assert done.size_bytes == 5
    assert await read(store, "uploads/one") == b"small"


async def test_what_was_aborted_is_gone_and_stays_gone(store: BlobStore) -> None:
    multipart = await start(store)
    receipt = await store.put_part(multipart, 1, b"x")
    await store.abort_multipart(multipart)
    await store.abort_multipart(multipart)
    with pytest.raises(BlobMissingError):
        await store.put_part(multipart, 2, b"y")
    with pytest.raises(BlobMissingError):
        await store.complete_multipart(multipart, [receipt], size_bytes=1)
    assert await list_ids(store, "") == set()
    assert [info.key async for info in store.list_keys("")] == []


async def test_a_missing_part_makes_no_object(store: BlobStore) -> None:
    multipart = await start(store)
    first = await store.put_part(multipart, 1, bytes(MIN_PART_BYTES))
    await store.put_part(multipart, 3, b"z")
    with pytest.raises(DependencyError):
        await store.complete_multipart(
            multipart, [first, "2-never-stored"], size_bytes=2 * MIN_PART_BYTES
        )
    with pytest.raises(BlobMissingError):
        await store.head("uploads/one")


async def test_unfinished_objects_are_listed_with_their_age(store: BlobStore) -> None:
    begun = [await start(store, key) for key in ("uploads/a", "uploads/b", "other/c")]
    for multipart in begun:
        await store.put_part(multipart, 1, b"x")
    listed = [found async for found in store.list_multiparts("uploads/")]
    assert {(found.key, found.id) for found in listed} == {
        (multipart.key, multipart.id) for multipart in begun[:2]
    }
    now = datetime.now(UTC)
    assert all(abs(found.started_at - now) < timedelta(minutes=5) for found in listed)
    assert await list_ids(store, "other/") == {begun[2].id}


async def test_a_stranger_s_name_touches_nothing(store: BlobStore) -> None:
    real = await start(store)
    for wrong in ("../../etc", "", new_id()):
        with pytest.raises(HallError):
            await store.put_part(replace(real, id=wrong), 1, b"x")
    with pytest.raises(InputError):
        await store.start_multipart("../x", content_type=OCTETS, part_bytes=MIN_PART_BYTES)


async def test_the_room_that_is_left_is_told_where_it_is_known(store: BlobStore) -> None:
    free_bytes = await store.free_bytes()
    assert free_bytes is None or free_bytes > 0
