"""Blobs that nobody owns are found and deleted, on both stores; nothing else is ever touched."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from kernel.blobs import BlobStore
from kernel.blobs.port import MIN_PART_BYTES, BlobInfo
from kernel.clock import FakeClock
from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.layout import (
    asset_prefix,
    clip_prefix,
    poster_key,
    staging_prefix,
    upload_key,
    upload_tail_key,
)
from kernel.messages import UnitReleased
from tests.integration.vod_jobs_support import PLAN_HASH, Hall, make_asset
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from tests.support.blob_stores import settings as settings  # noqa: PLC0414 - a fixture
from tests.support.blob_stores import store as store  # noqa: PLC0414 - a fixture
from tests.support.vod import Vod
from tests.support.vod import databases as databases  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_url as sqlite_url  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_vod as sqlite_vod  # noqa: PLC0414 - a fixture
from vod.accounts.roles import Role
from vod.storage import orphans as orphans_module
from vod.storage.groups import find_prefix, iter_groups
from vod.storage.orphans import Orphans

WEEK = timedelta(days=7)


async def put(store: BlobStore, *keys: str) -> None:
    for key in keys:
        await store.put_bytes(key, b"12345", content_type="video/mp4")


async def list_all(store: BlobStore) -> set[str]:
    return {info.key async for info in store.list_keys("")}


def in_a_while(hours: float) -> FakeClock:
    """The store's clock is the real one."""
    return FakeClock(datetime.now(UTC) + timedelta(hours=hours))


async def test_what_belongs_to_somebody_stays_and_the_rest_goes(
    hall: Hall, store: BlobStore
) -> None:
    _, job_id = await hall.start_job()
    await hall.plan(job_id)
    job = await hall.find_job(job_id)
    first = await hall.claim(job_id, "video-0")
    await hall.jobs.release(first.unit_id, UnitReleased(fence=first.fence))
    second = await hall.claim(job_id, "video-0")
    unit_id = second.unit_id
    kept = [
        f"staging/{unit_id}-{second.fence}/a.mp4",
        asset_prefix(job.asset_id, plan_hash=PLAN_HASH) + "360p.mp4",
        asset_prefix(job.asset_id, plan_hash=PLAN_HASH, is_partial=True) + "index.m3u8",
        poster_key(job.lecture_id, "a.jpg"),
        "live/unknown/0/av/1.m4s",
        "foreign/file.txt",
        "assets/file.txt",
        "uploads/not-one-of-ours",
    ]
    dead = staging_prefix(f"{unit_id}-{first.fence}")
    nobody = new_id()
    orphaned = {
        dead: [dead + "a.mp4", dead + "b.mp4"],
        f"staging/{nobody}-1/": [f"staging/{nobody}-1/a.mp4"],
        f"assets/{nobody}/{PLAN_HASH}/": [f"assets/{nobody}/{PLAN_HASH}/x.mp4"],
        f"uploads/{nobody}": [upload_key(nobody), upload_tail_key(nobody, received_bytes=9)],
        f"posters/{nobody}/": [poster_key(nobody, "p.jpg")],
        clip_prefix(nobody, nobody): [clip_prefix(nobody, nobody) + "1.mp4"],
    }
    await put(store, *kept, *(key for keys in orphaned.values() for key in keys))
    multipart = await store.start_multipart(
        upload_key(new_id()), content_type="video/mp4", part_bytes=MIN_PART_BYTES
    )
    await store.put_part(multipart, 1, b"x")
    young = Orphans(hall.database, store, in_a_while(23), keep=WEEK)
    assert (await young.find(at_most_s=60)).orphans == (), "all of it may just have begun"
    orphans = Orphans(hall.database, store, in_a_while(25), keep=WEEK)
    before = await list_all(store)
    found = await orphans.find(at_most_s=60)
    assert found.is_complete
    assert await list_all(store) == before, "a dry run deletes nothing"
    listed = {item.prefix: item.objects_count for item in found.orphans}
    assert listed == {prefix: len(keys) for prefix, keys in orphaned.items()} | {multipart.key: 1}
    assert all(item.why for item in found.orphans)
    gone = await orphans.delete(found.token, at_most_s=60)
    assert (gone.prefixes_count, gone.kept_count, gone.is_complete) == (7, 0, True)
    assert await list_all(store) == set(kept)
    assert [item async for item in store.list_multiparts("")] == []
    assert (await orphans.delete(found.token, at_most_s=60)).objects_count <= 1
    assert (await orphans.find(at_most_s=60)).orphans == ()


async def test_staging_of_a_finished_job_is_an_orphan_a_day_later(
    hall: Hall, store: BlobStore
) -> None:
    _, job_id = await hall.start_job()
    await hall.publish(job_id)
    unit = await hall.find_unit(job_id, "video-0")
    result = f"staging/{unit.id}-{unit.fence}/a.mp4"
    await put(store, result)
    clock = in_a_while(25)
    orphans = Orphans(hall.database, store, clock, keep=WEEK)
    [item] = (await orphans.find(at_most_s=60)).orphans
    assert (item.prefix, item.why) == (f"staging/{unit.id}-{unit.fence}/", "转码任务已经结束")


async def test_only_what_was_listed_goes_and_only_if_it_is_still_nobodys(
    hall: Hall, store: BlobStore
) -> None:
    first, second = new_id(), new_id()
    await put(store, upload_key(first))
    orphans = Orphans(hall.database, store, in_a_while(25), keep=WEEK)
    token = (await orphans.find(at_most_s=60)).token
    await put(store, upload_key(second), upload_tail_key(first, received_bytes=1))
    soon = Orphans(hall.database, store, in_a_while(23.9), keep=WEEK)
    with pytest.raises(ConflictError):
        await soon.delete(new_id(), at_most_s=60)
    # Something young lies beside it by now: it is left alone.
    gone = await soon.delete(token, at_most_s=60)
    assert (gone.objects_count, gone.kept_count) == (0, 1)
    gone = await orphans.delete(token, at_most_s=60)
    assert gone.objects_count == 2
    assert await list_all(store) == {upload_key(second)}
    late = Orphans(hall.database, store, in_a_while(27), keep=WEEK)
    with pytest.raises(ConflictError):
        await late.delete(token, at_most_s=60)


async def test_an_owner_that_appears_after_the_dry_run_keeps_its_files(
    hall: Hall, store: BlobStore
) -> None:
    _, job_id = await hall.start_job()
    job = await hall.find_job(job_id)
    prefix = asset_prefix(job.asset_id, plan_hash=PLAN_HASH)
    await put(store, prefix + "a.mp4")
    orphans = Orphans(hall.database, store, in_a_while(25), keep=WEEK)
    row = orphans_module.OrphanListing(
        id=new_id(),
        prefixes=[{"prefix": prefix, "objects_count": 1, "size_bytes": 5, "why": "?"}],
        created_at=datetime.now(UTC) + timedelta(hours=25),
    )
    async with hall.database.write() as session:
        session.add(row)
    gone = await orphans.delete(row.id, at_most_s=60)
    assert (gone.objects_count, gone.kept_count) == (0, 1)
    assert await list_all(store) == {prefix + "a.mp4"}
    assert make_asset(job.asset_id).prefix == prefix


class EndlessStore:
    """A store with as many objects as wanted; the rest of the port is not asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    async def list_keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        if prefix != "assets/":
            return
        for number in range(self.count):
            asset_id = f"{number // 100:020}"
            yield BlobInfo(f"assets/{asset_id}/{PLAN_HASH}/{number % 100}.mp4", 1, self.at)

    async def list_multiparts(self, _prefix: str) -> AsyncIterator[object]:
        return
        yield  # pragma: no cover - makes it a generator


async def measure_walk(count: int) -> tuple[int, int]:
    """Walk so many objects: (groups, bytes of memory at the most)."""
    tracemalloc.start()
    groups = [group.objects_count async for group in iter_groups(EndlessStore(count), "assets/")]  # type: ignore[arg-type]
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(groups) == {100}
    return len(groups), peak_bytes


async def test_ten_times_the_objects_take_no_more_memory() -> None:
    few, little = await measure_walk(2_000)
    many, peak = await measure_walk(20_000)
    assert (few, many) == (20, 200)
    assert peak < little + 20_000  # The list of counts that the test itself keeps.


async def test_a_listing_is_limited_and_says_so(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans_module, "MAX_ORPHANS", 30)
    endless = EndlessStore(20_000)
    orphans = Orphans(hall.database, endless, FakeClock(), keep=WEEK)  # type: ignore[arg-type]
    found = await orphans.find(at_most_s=60)
    assert (len(found.orphans), found.is_complete) == (30, False)


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("staging/u-1/a.mp4", "staging/u-1/"),
        ("staging/u-1/deep/a.mp4", "staging/u-1/"),
        ("staging/u-1", None),
        ("assets/a/h/x.mp4", "assets/a/h/"),
        ("assets/a/x.mp4", None),
        ("uploads/06h0jtmxd29vkegahzxz", "uploads/06h0jtmxd29vkegahzxz"),
        ("uploads/06h0jtmxd29vkegahzxz.tail-7", "uploads/06h0jtmxd29vkegahzxz"),
        ("uploads/06h0jtmxd29vkegahzxz7", None),
        ("uploads/06h0jtmxd29vkegahzxz/a", None),
        ("live/b/0/av/1.m4s", None),
        ("else", None),
    ],
)
def test_keys_are_grouped_by_their_owner_and_foreign_ones_by_nobody(
    key: str, prefix: str | None
) -> None:
    assert find_prefix(key) == prefix


async def test_only_administrators_look_and_delete(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    blobs = vod.services.blobs
    key = upload_key(new_id())
    await put(blobs, key)
    # The clock of this vod stands still; the store's runs: make up for it.
    vod.clock.advance((datetime.now(UTC) - vod.clock.now()).total_seconds() + 25 * 3600)
    for role, status in ((None, 401), (Role.EDITOR, 403), (Role.MEMBER, 403)):
        assert (await vod.call("GET", "/storage/orphans", role=role)).status == status
        body = {"token": new_id()}
        answer = await vod.call("POST", "/storage/orphans/delete", role=role, json=body)
        assert answer.status == status
    found = (await vod.call("GET", "/storage/orphans", role=Role.ADMIN)).body
    assert [(item["prefix"], item["objects_count"]) for item in found["prefixes"]] == [(key, 1)]
    assert (found["objects_count"], found["size_bytes"], found["is_complete"]) == (1, 5, True)
    body = {"token": found["token"]}
    gone = await vod.call("POST", "/storage/orphans/delete", role=Role.ADMIN, json=body)
    assert (gone.status, gone.body["objects_count"]) == (200, 1)
    assert await list_all(blobs) == set()
    audit = (await vod.call("GET", "/audit", role=Role.ADMIN)).body["items"]
    assert audit[0]["action"] == "storage.orphans-deleted"
    wrong = await vod.call(
        "POST", "/storage/orphans/delete", role=Role.ADMIN, json={"token": new_id()}
    )
    assert wrong.status == 409
