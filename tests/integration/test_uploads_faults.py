"""Uploads when things break: lines, stores, disks, vod itself. Both databases, both stores."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import select
from tusclient.client import TusClient

from hall.backup import make_backup, restore_backup
from kernel.blobs.directory import DirectoryBlobStore
from kernel.blobs.port import Multipart
from kernel.config import Settings
from kernel.errors import DependencyError
from kernel.layout import upload_key
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer
from tests.support.tus_client import (
    OCTETS,
    TUS,
    checksum,
    make_bytes,
    offset_of,
    patch,
    start,
    upload_whole,
)
from tests.support.vod import Databases, Vod, databases, run_vod, sqlite_url, sqlite_vod
from tests.support.waiting import eventually
from vod.accounts.roles import Role
from vod.db.engine import open_database
from vod.uploads import admission, bodies, receiving, service
from vod.uploads.digest import PART_BYTES
from vod.uploads.models import Upload, UploadState
from vod.uploads.queries import take_lease
from vod.uploads.sweep import UploadSweeper

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.


@pytest.fixture(params=["sqlite-directory", "postgresql-s3"])
def installation(
    request: pytest.FixtureRequest, databases: Databases
) -> tuple[str, dict[str, Any]]:
    """The embedded installation, and the one that is scaled out: database and settings."""
    database, _, store = request.param.partition("-")
    if store == "directory":
        return databases.make(database), {}
    server: SeaweedServer = request.getfixturevalue("seaweed")
    return databases.make(database), {
        "blobs_url": server.blobs_url(f"uploads-{uuid4().hex[:12]}"),
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
    }


@pytest.fixture
async def both(installation: tuple[str, dict[str, Any]], short_dir: Path) -> AsyncIterator[Vod]:
    url, values = installation
    async with run_vod(url, short_dir, **values) as running:
        yield running


@asynccontextmanager
async def broken_patch(
    vod: Vod, path: str, offset: int, *, announced: int, sent: bytes, checksum: str = ""
) -> AsyncIterator[asyncio.StreamWriter]:
    """A PATCH of which only ``sent`` arrives; the line is cut at the end of the block."""
    address = urlsplit(vod.base)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = [
        f"PATCH {path} HTTP/1.1", f"Host: {address.netloc}", "Tus-Resumable: 1.0.0",
        f"Authorization: Bearer {await vod.token_of(Role.EDITOR)}",
        f"Content-Type: {OCTETS}", f"Upload-Offset: {offset}", f"Content-Length: {announced}",
        *([f"Upload-Checksum: {checksum}"] if checksum else []),
    ]  # fmt: skip
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + sent)
    await writer.drain()
    try:
        yield writer
    finally:
        writer.transport.abort()
        del reader


async def wait_until_held(vod: Vod, path: str) -> None:
    async def is_held() -> bool:
        return (await patch(vod, path, 0, b"")).status == 423

    await eventually(is_held, message="nobody holds the upload")


async def read_object(vod: Vod, path: str) -> bytes:
    key = upload_key(path.rpartition("/")[2])
    return b"".join([piece async for piece in vod.services.blobs.iter_bytes(key)])


async def go_on(vod: Vod, path: str, data: bytes) -> None:
    """Do as a client does: ask for the offset, send the rest."""
    offset = await offset_of(vod, path)
    answer = await patch(vod, path, offset, data[offset:])
    assert answer.status == 204, (answer.status, answer.body)


async def test_a_client_that_vanishes_loses_at_most_a_part(both: Vod) -> None:
    data = make_bytes(2 * PART_BYTES + 1000)
    path = await start(both, len(data))
    sent = data[: PART_BYTES + 300_000]
    async with broken_patch(both, path, 0, announced=len(data), sent=sent):
        await eventually(
            lambda: _is_at_least(both, path, PART_BYTES), message="no part was committed"
        )
    await eventually(lambda: _is_at_least(both, path, PART_BYTES + 1), message="the rest is lost")
    offset = await offset_of(both, path)
    assert PART_BYTES < offset <= len(sent)
    await go_on(both, path, data)
    assert hashlib.sha256(await read_object(both, path)).digest() == hashlib.sha256(data).digest()


async def _is_at_least(vod: Vod, path: str, offset: int) -> bool:
    return await offset_of(vod, path) >= offset


async def test_of_a_broken_body_with_a_checksum_nothing_is_kept(both: Vod) -> None:
    data = make_bytes(PART_BYTES + 100_000)
    path = await start(both, len(data))
    async with broken_patch(
        both, path, 0, announced=len(data), sent=data[: PART_BYTES + 10], checksum=checksum(data)
    ):
        await wait_until_held(both, path)
    await eventually(lambda: _is_free(both, path), message="the dead connection holds the upload")
    assert await offset_of(both, path) == 0
    await go_on(both, path, data)
    assert await read_object(both, path) == data


async def _is_free(vod: Vod, path: str) -> bool:
    return (await patch(vod, path, 10**6, b"")).status == 409


async def test_two_do_not_send_at_once_and_a_dead_line_frees_it(both: Vod) -> None:
    data = make_bytes(200_000)
    path = await start(both, len(data))
    async with broken_patch(both, path, 0, announced=len(data), sent=data[:100_000]):
        await wait_until_held(both, path)
        answer = await patch(both, path, 0, data)
        assert (answer.status, answer.headers["Tus-Resumable"]) == (423, "1.0.0")
    await eventually(lambda: _is_free(both, path), message="the dead connection holds the upload")
    await go_on(both, path, data)
    assert await read_object(both, path) == data


async def test_several_files_at_once_do_not_mix(both: Vod) -> None:
    await both.token_of(Role.EDITOR)
    files = [make_bytes(700_000 + 1000 * number, number) for number in range(6)]

    async def send(data: bytes) -> str:
        path = await start(both, len(data))
        for offset in range(0, len(data), 150_000):
            answer = await patch(both, path, offset, data[offset : offset + 150_000])
            assert answer.status == 204
        return path

    paths = await asyncio.gather(*(send(data) for data in files))
    for path, data in zip(paths, files, strict=True):
        assert await read_object(both, path) == data
    listed = await both.call("GET", "/uploads?state=done", role=Role.EDITOR)
    assert len({row["lecture_id"] for row in listed.body["items"]}) == len(files)


async def test_a_silent_line_is_given_up_and_what_came_is_kept(
    sqlite_vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.2)
    path = await start(sqlite_vod, 1000)
    async with broken_patch(sqlite_vod, path, 0, announced=1000, sent=b"x" * 400):
        await eventually(lambda: _is_at_least(sqlite_vod, path, 400), message="nothing was kept")
    assert await offset_of(sqlite_vod, path) == 400


async def test_cancelling_stops_whoever_sends(both: Vod) -> None:
    data = make_bytes(PART_BYTES + 5)
    path = await start(both, len(data))
    async with broken_patch(both, path, 0, announced=len(data), sent=data[:1000]) as writer:
        await wait_until_held(both, path)
        answer = await both.call("DELETE", path, role=Role.EDITOR, headers=TUS)
        assert answer.status == 204
        writer.write(data[1000:])
        await writer.drain()
    await eventually(lambda: both.services.uploads.is_idle, message="it is still being received")
    assert [i.key async for i in both.services.blobs.list_keys("uploads/")] == []
    assert [i.key async for i in both.services.blobs.list_multiparts("uploads/")] == []


async def test_a_vod_that_was_killed_holds_an_upload_for_one_lease(sqlite_vod: Vod) -> None:
    """The lease of whoever cannot give it back runs out; at a restart on SQLite it goes at once."""
    database, clock = sqlite_vod.services.database, sqlite_vod.clock
    for is_restart in (False, True):
        path = await start(sqlite_vod, 10)
        async with database.write() as session:
            until = clock.now() + receiving.LEASE
            upload_id = path.rpartition("/")[2]
            await take_lease(session, upload_id, token="dead", until=until, now=clock.now())
        assert (await patch(sqlite_vod, path, 0, b"x")).status == 423
        if is_restart:
            await UploadSweeper(sqlite_vod.services.uploads).free_leases()
        else:
            clock.advance(receiving.LEASE.total_seconds())
        assert (await patch(sqlite_vod, path, 0, b"x")).status == 204


async def test_too_many_senders_are_asked_to_come_again(
    sqlite_vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_RECEIVING", 1)
    first, second = await start(sqlite_vod, 1000), await start(sqlite_vod, 1000)
    async with broken_patch(sqlite_vod, first, 0, announced=1000, sent=b"x"):
        await wait_until(lambda: not sqlite_vod.services.uploads.is_idle)
        answer = await patch(sqlite_vod, second, 0, b"x")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    await wait_until(lambda: sqlite_vod.services.uploads.is_idle)
    assert (await patch(sqlite_vod, second, 0, b"x")).status == 204


async def wait_until(condition: Any) -> None:
    await eventually(condition)


async def test_a_full_disk_is_507_and_what_was_stored_stays(sqlite_vod: Vod) -> None:
    data = make_bytes(2 * PART_BYTES)
    path = await start(sqlite_vod, len(data))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PART_BYTES + 1_000_000, before[1]))
    try:
        answer = await patch(sqlite_vod, path, 0, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.status == 507
    assert "存储空间不足" in answer.body["title"]
    assert await offset_of(sqlite_vod, path) == PART_BYTES
    await go_on(sqlite_vod, path, data)
    assert await read_object(sqlite_vod, path) == data


async def test_a_file_that_will_not_fit_is_refused_at_once(
    sqlite_vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "SPARE_BYTES", 10**16)
    answer = await sqlite_vod.call(
        "POST", "/uploads", role=Role.EDITOR,
        headers={**TUS, "Upload-Length": "5", "Upload-Metadata": "filename YQ=="},
    )  # fmt: skip
    assert answer.status == 507


class SlowStore(DirectoryBlobStore):
    """A directory whose parts wait for the test."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.may_store, self.asked = asyncio.Event(), asyncio.Event()

    async def put_part(self, multipart: Multipart, number: int, data: bytes) -> str:
        self.asked.set()
        await self.may_store.wait()
        return await super().put_part(multipart, number, data)


async def test_a_slow_store_slows_the_sender_down(
    sqlite_url: str, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SlowStore(short_dir / "blobs")
    monkeypatch.setattr("vod.app.open_blob_store", lambda _settings: store)
    data, handed_over = make_bytes(5 * PART_BYTES), 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal handed_over
        for offset in range(0, len(data), 65_536):
            yield data[offset : offset + 65_536]
            handed_over = offset

    async with run_vod(sqlite_url, short_dir) as vod:
        path = await start(vod, len(data))
        sending = asyncio.create_task(patch(vod, path, 0, body()))
        async with asyncio.timeout(10):
            await store.asked.wait()
        seen = -1
        while seen != handed_over:  # Until nothing moves any more.
            seen = handed_over
            await asyncio.sleep(0.2)
        # One part waits for the store, a little is on its way in sockets; the rest stays outside.
        assert PART_BYTES - 65_536 <= handed_over < 2 * PART_BYTES
        store.may_store.set()
        assert (await sending).status == 204
        assert await read_object(vod, path) == data


class FlakyStore(DirectoryBlobStore):
    """A directory that cannot complete an object ``failures`` times, nor take so many parts."""

    failures = part_failures = 0

    async def put_part(self, multipart: Multipart, number: int, data: bytes) -> str:
        if number > 1 and self.part_failures:
            self.part_failures -= 1
            raise DependencyError("S3 is away")
        return await super().put_part(multipart, number, data)

    async def complete_multipart(self, *arguments: Any, **options: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise DependencyError("S3 is away")
        return await super().complete_multipart(*arguments, **options)


async def test_a_store_that_fails_in_the_middle_is_503_and_costs_one_part(
    sqlite_url: str, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FlakyStore(short_dir / "blobs")
    store.part_failures = 1
    monkeypatch.setattr("vod.app.open_blob_store", lambda _settings: store)
    data = make_bytes(2 * PART_BYTES)
    async with run_vod(sqlite_url, short_dir) as vod:
        path = await start(vod, len(data))
        assert (await patch(vod, path, 0, data)).status == 503
        assert await offset_of(vod, path) == PART_BYTES
        await go_on(vod, path, data)
        assert await read_object(vod, path) == data


async def test_an_upload_that_could_not_be_finished_is_finished_later(
    sqlite_url: str, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FlakyStore(short_dir / "blobs")
    monkeypatch.setattr("vod.app.open_blob_store", lambda _settings: store)
    async with run_vod(sqlite_url, short_dir) as vod:
        store.failures = 2
        shown = await upload_whole(vod, make_bytes(100))
        assert (shown["state"], shown["received_bytes"]) == ("receiving", 100)
        sweeper = UploadSweeper(vod.services.uploads)
        vod.clock.advance(1000 * 3600)  # Complete is complete, however long ago.
        await sweeper.sweep_once()
        await sweeper.sweep_once()
        token = (await vod.sign_in("editor")).body["token"]
        shown = (await vod.call("GET", f"/uploads/{shown['id']}", token=token)).body
        assert shown["state"] == "done"
        await sweeper.sweep_once()
        listed = await vod.call("GET", "/lectures", token=token)
        assert listed.body["total"] == 1


async def test_bytes_that_the_store_will_not_remove_hold_no_others_up(
    sqlite_vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sorted([(await start(sqlite_vod, 10)).rpartition("/")[2] for _ in range(2)])
    uploads = sqlite_vod.services.uploads
    discard = service.Uploads.discard

    async def refuse_first(self: service.Uploads, upload_id: str, *, is_row_wanted: bool) -> None:
        if upload_id == ids[0]:
            raise DependencyError("S3 answered AccessDenied", retryable=False)
        await discard(self, upload_id, is_row_wanted=is_row_wanted)

    monkeypatch.setattr(service.Uploads, "discard", refuse_first)
    sqlite_vod.clock.advance(1000 * 3600)
    await UploadSweeper(uploads).sweep_once()
    async with sqlite_vod.services.database.read() as session:
        rows = list(await session.scalars(select(Upload).order_by(Upload.id)))
    assert [row.state for row in rows] == [UploadState.EXPIRED] * 2
    assert [row.bytes_deleted_at is None for row in rows] == [True, False]


async def test_a_client_library_uploads_breaks_off_and_goes_on(both: Vod, tmp_path: Path) -> None:
    data = make_bytes(PART_BYTES + 777_777)
    source = tmp_path / "source.mp4"
    source.write_bytes(data)
    headers = {"Authorization": f"Bearer {await both.token_of(Role.EDITOR)}"}
    client = TusClient(f"{both.base}/api/v1/uploads", headers=headers)

    def send_some_blocking() -> str:
        with source.open("rb") as stream:
            uploader = client.uploader(
                file_stream=stream, chunk_size=3_000_000, upload_checksum=True,
                metadata={"filename": "source.mp4", "title": "断点续传"},
            )  # fmt: skip
            uploader.upload_chunk()
            uploader.upload_chunk()
            return str(uploader.url)

    def send_rest_blocking(url: str) -> None:
        other = TusClient(f"{both.base}/api/v1/uploads", headers=headers)
        with source.open("rb") as stream:
            uploader = other.uploader(file_stream=stream, chunk_size=2_000_000, url=url)
            assert uploader.offset == 6_000_000
            uploader.upload()

    url = await asyncio.to_thread(send_some_blocking)
    await asyncio.to_thread(send_rest_blocking, url)
    path = urlsplit(url).path
    assert await read_object(both, path) == data
    shown = (await both.call("GET", path, role=Role.EDITOR)).body
    assert (shown["state"], shown["title"]) == ("done", "断点续传")


async def test_an_unfinished_upload_of_a_backup_is_sent_again(
    sqlite_url: str, short_dir: Path
) -> None:
    """Its bytes and what the database says of them are not of the same moment."""
    data, backup = short_dir / "data", short_dir / "backup"
    data.mkdir()
    shutil.copy(sqlite_url.partition("///")[2], data / "hall.db")
    url = f"sqlite+aiosqlite:///{data / 'hall.db'}"
    async with run_vod(url, data) as vod:
        await start(vod, 1000)
        done = await upload_whole(vod, b"whole")
        settings = Settings(data=data, run_dir=short_dir)
        await make_backup(settings, backup)
    restored = short_dir / "restored"
    await restore_backup(Settings(data=restored, run_dir=short_dir), backup)
    url = f"sqlite+aiosqlite:///{restored / 'hall.db'}"
    async with open_database(url) as database, database.read() as session:
        states = {row.id: row.state for row in await session.scalars(select(Upload))}
    assert states.pop(done["id"]) is UploadState.DONE
    assert list(states.values()) == [UploadState.EXPIRED]


async def test_what_arrives_is_counted(sqlite_vod: Vod) -> None:
    await upload_whole(sqlite_vod, make_bytes(1234))
    path = await start(sqlite_vod, 100)
    await patch(sqlite_vod, path, 0, b"x" * 101)
    found = await sqlite_vod.internal.fetch_text("/metrics")
    assert "hall_vod_upload_stored_bytes_total 1234.0" in found
    assert 'hall_vod_upload_bodies_total{outcome="whole"} 1.0' in found
    assert 'hall_vod_upload_bodies_total{outcome="broken"} 1.0' in found
    assert "hall_vod_uploads_receiving 0.0" in found
