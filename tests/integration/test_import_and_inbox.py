"""`hall import` and the watched folder, against a running vod."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from rich.console import Console

from hall import inbox as inbox_module
from hall import sending
from hall.importing import ImportReport, ImportWish, find_files, import_files, open_sender
from hall.inbox import Inbox, is_being_written_blocking
from hall.inbox_journal import Journal
from hall.sending import Sender
from kernel.errors import DependencyError, InputError
from kernel.layout import upload_key
from kernel.messages import UnitFailed
from tests.support.ports import find_free_port
from tests.support.tus_client import make_bytes, start, upload_whole
from tests.support.vod import Vod, databases, sqlite_url, sqlite_vod
from tests.support.waiting import eventually
from vod.accounts.roles import Role
from vod.jobs.models import Unit
from vod.jobs.service import JobService
from vod.uploads.digest import PART_BYTES

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.


@asynccontextmanager
async def open_sender_to(vod: Vod, origin: str = "") -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession() as session:
        yield Sender(session, origin or vod.base, token=await vod.token_of(Role.ADMIN))


async def run_import(vod: Vod, *paths: Path, **wish: object) -> tuple[ImportReport, str]:
    said = io.StringIO()
    values: dict[str, object] = {
        "series": None, "visibility": "members", "is_recursive": False, "is_moved": False,
    }  # fmt: skip
    async with open_sender_to(vod) as sender:
        report = await import_files(
            sender,
            ImportWish(paths=paths, **{**values, **wish}),  # type: ignore[arg-type]
            Console(file=said, width=200),
        )
    return report, said.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


async def test_a_folder_becomes_a_series_of_lectures(sqlite_vod: Vod, tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / f"第{number}讲.mp4", make_bytes(100_000, number))
    write(tmp_path / "notes.docx", b"not for us")
    write(tmp_path / ".hidden.mp4", b"x")
    write(tmp_path / "deeper" / "第3讲.MOV", make_bytes(10, 3))
    report, said = await run_import(sqlite_vod, tmp_path, series="党史", visibility="public")
    assert [path.name for path in report.done] == ["第1讲.mp4", "第2讲.mp4"]
    assert "新导入 2 个,已有 0 个,未能导入 0 个" in said
    report, said = await run_import(sqlite_vod, tmp_path, series="党史", is_recursive=True)
    assert [path.name for path in report.done] == ["第3讲.MOV"]
    assert [path.name for path in report.known] == ["第1讲.mp4", "第2讲.mp4"]
    assert "第1讲.mp4:已经有了,就是课程《第1讲》" in said
    listed = await sqlite_vod.call("GET", "/lectures", role=Role.EDITOR)
    assert {one["title"] for row in listed.body["items"] for one in row["series"]} == {"党史"}
    assert {row["title"]: row["visibility"] for row in listed.body["items"]} == {
        "第1讲": "public", "第2讲": "public", "第3讲": "members",
    }  # fmt: skip
    series = await sqlite_vod.call("GET", "/series")
    assert series.body["total"] == 1


async def test_a_file_named_itself_is_sent_whatever_its_name(
    sqlite_vod: Vod, tmp_path: Path
) -> None:
    odd, empty = write(tmp_path / "lesson.bin", b"12345"), write(tmp_path / "empty.mp4", b"")
    report, said = await run_import(sqlite_vod, odd, empty, is_moved=True)
    assert (report.done, report.refused) == ([odd], [empty])
    assert "empty.mp4:文件是空的" in said
    assert (odd.exists(), empty.exists()) == (False, True)


async def test_what_is_not_there_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        find_files([tmp_path / "nowhere.mp4"], is_recursive=False)


async def test_a_refusal_is_one_line_and_the_others_go_on(sqlite_vod: Vod, tmp_path: Path) -> None:
    sqlite_vod.services.uploads.max_bytes = 50
    large = write(tmp_path / "a.mp4", bytes(51))
    small = write(tmp_path / "b.mp4", b"small")
    report, said = await run_import(sqlite_vod, tmp_path)
    assert (report.refused, report.done) == ([large], [small])
    assert "a.mp4:文件太大,最大可上传 50 字节" in said


async def test_a_file_that_cannot_be_read_is_one_line(
    sqlite_vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, small = write(tmp_path / "a.mp4", b"closed"), write(tmp_path / "b.mp4", b"small")
    send = Sender.send

    async def refuse(self: Sender, path: Path, **options: object) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return await send(self, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sender, "send", refuse)
    report, said = await run_import(sqlite_vod, tmp_path)
    assert (report.refused, report.done) == ([closed], [small])
    assert "a.mp4:无法读取文件(Permission denied)" in said


async def test_an_import_goes_on_where_an_earlier_one_stopped(
    sqlite_vod: Vod, tmp_path: Path
) -> None:
    path = write(tmp_path / "long.mp4", make_bytes(2 * PART_BYTES + 17))
    told: list[int] = []

    class StopError(Exception):
        pass

    def stop(count: int) -> None:
        if count > PART_BYTES + 1_000_000:
            raise StopError

    async with open_sender_to(sqlite_vod) as sender:
        with pytest.raises((StopError, aiohttp.ClientError)):
            await sender.send(path, on_progress=stop)
    await eventually(lambda: sqlite_vod.services.uploads.is_idle)
    async with open_sender_to(sqlite_vod) as sender:
        sent = await sender.send(path, on_progress=told.append)
    assert sent.state == "done"
    assert told[0] >= PART_BYTES, "nothing was sent again that was there"
    assert told[-1] == path.stat().st_size
    stored = await sqlite_vod.services.blobs.get_bytes(upload_key(sent.upload_id or ""))
    assert stored == path.read_bytes()


class FlakyLine:
    """A TCP line to vod that breaks after some bytes, a few times."""

    def __init__(self, origin: str, *, breaks: int, after_bytes: int) -> None:
        self._target, self._after_bytes = urlsplit(origin), after_bytes
        self.left = breaks

    @asynccontextmanager
    async def run(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self._target.hostname, self._target.port)
        answers = asyncio.create_task(self._copy(back, writer, None))
        limit = self._after_bytes if self.left > 0 else None
        if not await self._copy(reader, forth, limit):
            self.left -= 1
        for line in (writer, forth):
            line.transport.abort()
        answers.cancel()
        await asyncio.gather(answers, return_exceptions=True)

    @staticmethod
    async def _copy(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_bytes: int | None
    ) -> bool:
        carried = 0
        try:
            while data := await reader.read(65_536):
                carried += len(data)
                writer.write(data)
                await writer.drain()
                if limit_bytes is not None and carried > limit_bytes:
                    return False
        except ConnectionError:
            return True
        return True


async def test_a_line_that_breaks_again_and_again_is_only_slower(
    sqlite_vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.05)
    path = write(tmp_path / "x.mp4", make_bytes(3_000_000))
    line = FlakyLine(sqlite_vod.base, breaks=3, after_bytes=900_000)
    async with line.run() as origin, open_sender_to(sqlite_vod, origin) as sender:
        sent = await sender.send(path, on_progress=lambda _count: None)
    assert (sent.state, line.left) == ("done", 0)
    stored = await sqlite_vod.services.blobs.get_bytes(upload_key(sent.upload_id or ""))
    assert stored == path.read_bytes()


async def test_a_hall_that_stays_away_is_an_error_in_the_end(
    sqlite_vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PATIENCE_S", 0.3)
    path = write(tmp_path / "x.mp4", b"x")
    origin = f"http://127.0.0.1:{find_free_port()}"
    async with open_sender_to(sqlite_vod, origin) as sender:
        with pytest.raises(DependencyError):
            await sender.send(path, on_progress=lambda _count: None)


async def test_bytes_that_changed_on_their_way_are_noticed(sqlite_vod: Vod, tmp_path: Path) -> None:
    data = make_bytes(1000)
    shown = await upload_whole(sqlite_vod, data, digest="t1:" + "0" * 64)
    assert (shown["state"], "不一致" in shown["reason"]) == ("expired", True)
    listed = await sqlite_vod.call("GET", "/lectures", role=Role.EDITOR)
    assert listed.body["total"] == 0


async def test_only_one_s_own_earlier_attempt_is_continued(sqlite_vod: Vod, tmp_path: Path) -> None:
    """Same name and size are not enough: the bytes must be the same."""
    await start(sqlite_vod, 1000, role=Role.ADMIN, filename="x.mp4", digest="t1:" + "0" * 64)
    path = write(tmp_path / "x.mp4", make_bytes(1000))
    async with open_sender_to(sqlite_vod) as sender:
        assert (await sender.send(path, on_progress=lambda _count: None)).state == "done"


# ---- The inbox -----------------------------------------------------------------------------------


@pytest.fixture
async def inbox(sqlite_vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """One that looks at a temporary folder; files settle at once unless a test says otherwise."""
    await sqlite_vod.token_of(Role.ADMIN)
    port = urlsplit(sqlite_vod.base).port
    settings = sqlite_vod.services.settings.model_copy(
        update={"inbox": tmp_path / "in", "inbox_settle_s": 0, "http_port": port}
    )
    made = Inbox(settings, tmp_path / "in")
    made._prepare_blocking()

    @asynccontextmanager
    async def of_the_test(_settings: object) -> AsyncIterator[Sender]:
        async with open_sender_to(sqlite_vod) as sender:  # The same clock as the session's.
            yield sender

    monkeypatch.setattr(inbox_module, "open_sender", of_the_test)
    return made


def start_again(inbox: Inbox) -> Inbox:
    """As after a restart: only what is on the disk is known."""
    made = Inbox(inbox.settings, inbox.folder)
    made._prepare_blocking()
    return made


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_a_file_in_the_inbox_becomes_a_lecture(sqlite_vod: Vod, inbox: Inbox) -> None:
    write(inbox.folder / "第一讲.mp4", b"one")
    write(inbox.folder / "党史" / "第二讲.mp4", b"two")
    write(inbox.folder / "still.mp4.part", b"x")
    write(inbox.folder / ".hidden", b"x")
    await inbox.look()
    assert listed(inbox.folder) == {
        "done/第一讲.mp4", "done/第二讲.mp4", "still.mp4.part", ".hidden",
    }  # fmt: skip
    lectures = (await sqlite_vod.call("GET", "/lectures", role=Role.EDITOR)).body["items"]
    assert {row["title"]: [one["title"] for one in row["series"]] for row in lectures} == {
        "第一讲": [], "第二讲": ["党史"],
    }  # fmt: skip


async def test_a_file_that_still_grows_or_is_open_is_left_alone(
    sqlite_vod: Vod, inbox: Inbox
) -> None:
    path = write(inbox.folder / "a.mp4", b"1")
    inbox.settings = inbox.settings.model_copy(update={"inbox_settle_s": 3600})
    await inbox.look()
    await inbox.look()
    assert path.exists()
    inbox.settings = inbox.settings.model_copy(update={"inbox_settle_s": 0})
    with path.open("ab"):
        assert await asyncio.to_thread(is_being_written_blocking, path)
        await inbox.look()
        assert path.exists()
    with path.open("rb"):  # Whoever only reads does not matter.
        await inbox.look()
    assert not path.exists()


async def test_what_is_refused_lies_beside_the_reason(sqlite_vod: Vod, inbox: Inbox) -> None:
    write(inbox.folder / "a.mp4", b"same")
    write(inbox.folder / "b.mp4", b"same")
    write(inbox.folder / "empty.mp4", b"")
    await inbox.look()
    assert listed(inbox.folder) == {
        "done/a.mp4", "refused/b.mp4", "refused/b.mp4.txt", "refused/empty.mp4",
        "refused/empty.mp4.txt",
    }  # fmt: skip
    refused = inbox.folder / "refused"
    assert (refused / "b.mp4.txt").read_text() == "已经有了,就是课程《a》\n"
    assert (refused / "empty.mp4.txt").read_text() == "文件是空的\n"


async def test_one_file_that_cannot_be_taken_holds_nobody_up(
    sqlite_vod: Vod, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable file, and a folder whose name no series may have, come first by name."""
    closed = write(inbox.folder / "a.mp4", b"not for us")
    write(inbox.folder / ("b" * 201) / "in.mp4", b"one")
    write(inbox.folder / "c.mp4", b"two")
    send = Sender.send

    async def refuse(self: Sender, path: Path, **options: object) -> object:
        if path == closed:  # As root every file can be opened.
            raise PermissionError(13, "Permission denied", str(path))
        return await send(self, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sender, "send", refuse)
    await inbox.look()
    assert listed(inbox.folder) == {
        "a.mp4", "refused/in.mp4", "refused/in.mp4.txt", "done/c.mp4",
    }  # fmt: skip


async def test_a_file_that_planning_refuses_is_put_aside_later(
    sqlite_vod: Vod, inbox: Inbox
) -> None:
    write(inbox.folder / "a.mp4", b"no media")
    await inbox.look()
    assert listed(inbox.folder) == {"done/a.mp4"}
    inbox = start_again(inbox)
    await inbox.look()
    assert len(inbox.journal.planned) == 1
    async with sqlite_vod.services.database.read() as session:
        unit_id = await session.scalar(Unit.__table__.select().with_only_columns(Unit.id))
    service = JobService(sqlite_vod.services.database, sqlite_vod.clock)
    claimed = await service.claim(str(unit_id), worker="w")
    failed = UnitFailed(
        fence=claimed.fence, reason="这不是音视频文件", is_permanent=True, cause="media"
    )
    await service.fail(claimed.unit_id, failed)
    inbox = start_again(inbox)
    await inbox.look()
    assert listed(inbox.folder) == {"refused/a.mp4", "refused/a.mp4.txt"}
    assert (inbox.folder / "refused/a.mp4.txt").read_text() == "这不是音视频文件\n"
    assert start_again(inbox).journal.planned == {}


async def test_a_file_whose_sending_was_cut_off_is_not_its_own_duplicate(
    sqlite_vod: Vod, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hall had all of it when `hall up` was killed, just before the file was put aside."""
    write(inbox.folder / "a.mp4", b"one")

    def die(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Inbox, "_settle_blocking", die)
        with pytest.raises(RuntimeError, match="killed"):
            await inbox.look()
    assert listed(inbox.folder) == {"a.mp4"}
    inbox = start_again(inbox)
    await inbox.look()
    assert listed(inbox.folder) == {"done/a.mp4"}
    assert inbox.journal.sending == set()


def test_a_damaged_journal_is_as_none(tmp_path: Path) -> None:
    journal = Journal(write(tmp_path / "inbox.json", b'{"planned": 3'))
    journal.load_blocking()
    journal.expect_blocking("u1", "done/a.mp4")
    again = Journal(tmp_path / "inbox.json")
    again.load_blocking()
    assert (again.planned, again.sending) == ({"u1": "done/a.mp4"}, set())


async def test_names_that_are_taken_are_changed_not_overwritten(
    sqlite_vod: Vod, inbox: Inbox
) -> None:
    for data in (b"one", b"two"):
        write(inbox.folder / "a.mp4", data)
        await inbox.look()
    stored = [path.read_bytes() for path in (inbox.folder / "done").iterdir()]
    assert sorted(stored) == [b"one", b"two"]


async def test_here_the_administrator_of_the_data_folder_sends(sqlite_vod: Vod) -> None:
    await sqlite_vod.token_of(Role.ADMIN)
    async with open_sender(sqlite_vod.services.settings):
        pass
    with pytest.raises(InputError):
        async with open_sender(sqlite_vod.services.settings, url="http://x"):
            pass
