"""The watched folder: whatever is copied into ``HALL_INBOX`` becomes a lecture.

A file is taken when it has not changed for a while and nobody writes to it. Afterwards it lies in
``done/``, or in ``refused/`` beside a text that says why, also when planning refuses it later and
whatever restarts meanwhile (``inbox_journal``). Files in a folder of their own belong to the series
of the folder's name. A hall that cannot be reached is waited for; nothing is lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from hall import inbox_journal
from hall.importing import open_sender
from hall.inbox_journal import Journal
from hall.sending import RefusedError, Sender, Sent
from kernel.config import Settings
from kernel.errors import HallError
from kernel.ids import new_id
from vod.jobs.background import keep_running

POLL_S: Final = 2.0  # A few stat calls.
DONE: Final = "done"
REFUSED: Final = "refused"
PARTIAL_SUFFIXES: Final = frozenset(
    {".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart", ".!ut", ".aria2"}
)

Mark = tuple[int, int]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Inbox:
    """Looks at one folder again and again.

    Attributes:
        settings: Of the hall that gets the files.
        seen: Size and time of change of each waiting file, and since when it has them.
        journal: What was taken and may still turn out to be no media.
    """

    settings: Settings
    folder: Path
    seen: dict[Path, tuple[Mark, float]] = field(default_factory=dict)
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(self.settings.data / inbox_journal.NAME)

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.to_thread(self._prepare_blocking)
        log.info("inbox_watched", folder=str(self.folder))
        while True:
            try:
                await self.look()
            except (HallError, OSError) as error:
                log.warning("inbox_waits", detail=str(error))
            await asyncio.sleep(POLL_S)

    async def look(self) -> None:
        """Take every file that is ready, and see what became of earlier ones.

        Raises:
            DependencyError: The hall cannot be reached; the files stay where they are.
            OSError: The folder cannot be read.
        """
        now_s = asyncio.get_running_loop().time()
        ready = await asyncio.to_thread(self._find_ready_blocking, now_s)
        if not ready and not self.journal.planned:
            return
        async with open_sender(self.settings) as sender:
            for path in ready:
                try:
                    await self._take(sender, path)
                except OSError as error:  # It cannot be moved; it is known by now.
                    log.warning("inbox_file_not_moved", path=str(path), detail=str(error))
            await self._follow(sender)

    def _prepare_blocking(self) -> None:
        for name in (DONE, REFUSED):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.journal.load_blocking()
        self.journal.sending = {n for n in self.journal.sending if (self.folder / n).exists()}

    def _find_ready_blocking(self, now_s: float) -> list[Path]:
        marks = dict(_scan_blocking(self.folder))
        before = self.seen
        self.seen = {
            path: before[path] if path in before and before[path][0] == mark else (mark, now_s)
            for path, mark in marks.items()
        }
        settled = [
            path
            for path, (_, since) in self.seen.items()
            if now_s - since >= self.settings.inbox_settle_s
        ]
        return sorted(path for path in settled if not is_being_written_blocking(path))

    async def _take(self, sender: Sender, path: Path) -> None:
        name = str(path.relative_to(self.folder))
        was_cut_off = name in self.journal.sending
        await asyncio.to_thread(self.journal.begin_blocking, name)
        metadata: dict[str, str] = {}
        try:
            if path.parent != self.folder:
                metadata["series_id"] = await sender.find_series(path.parent.name)
            sent = await sender.send(path, on_progress=lambda _count: None, **metadata)
        except RefusedError as error:
            sent = Sent("refused", None, None, error.title)
        except OSError as error:  # It went away, or is not ours to read: the others go on.
            log.warning("inbox_file_not_read", path=str(path), detail=str(error))
            await asyncio.to_thread(self.journal.end_blocking, name)
            return
        log.info("inbox_file_taken", path=str(path), state=sent.state, lecture_id=sent.lecture_id)
        # All of it had arrived when an earlier process ended: the lecture that is known is its own.
        is_own = sent.state == "duplicate" and was_cut_off
        await asyncio.to_thread(self._settle_blocking, path, sent, is_done=is_own)

    def _settle_blocking(self, path: Path, sent: Sent, *, is_done: bool) -> None:
        """Put a file aside; whoever is cut off here does the rest after the restart."""
        is_done = is_done or sent.state == "done"
        target = self._choose_target_blocking(path, DONE if is_done else REFUSED)
        if sent.state == "done" and sent.upload_id is not None:
            self.journal.expect_blocking(sent.upload_id, str(target.relative_to(self.folder)))
        self._move_blocking(path, target, "" if is_done else sent.reason)
        self.journal.end_blocking(str(path.relative_to(self.folder)))

    async def _follow(self, sender: Sender) -> None:
        """Put files aside that planning has refused; forget those that it has accepted."""
        for upload_id, name in list(self.journal.planned.items()):
            try:
                row = await sender.find_outcome(upload_id)
                is_open = row["state"] == "done" and await sender.is_planning(row["lecture_id"])
            except RefusedError:  # Deleted meanwhile.
                is_open, row = False, {"state": "gone"}
            if is_open:
                continue
            if row["state"] == "refused":
                await asyncio.to_thread(self._refuse_blocking, name, row["reason"] or "")
            await asyncio.to_thread(self.journal.forget_blocking, upload_id)

    def _refuse_blocking(self, name: str, reason: str) -> None:
        path = self.folder / name
        if path.exists():  # Nobody has cleared it away.
            self._move_blocking(path, self._choose_target_blocking(path, REFUSED), reason)

    def _choose_target_blocking(self, path: Path, folder: str) -> Path:
        target = self.folder / folder / path.name
        if target.exists():
            target = target.with_name(f"{path.stem}-{new_id()}{path.suffix}")
        return target

    def _move_blocking(self, path: Path, target: Path, reason: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        self.seen.pop(path, None)
        if reason:
            target.with_name(target.name + ".txt").write_text(reason + "\n", encoding="utf-8")


def _scan_blocking(folder: Path) -> Iterator[tuple[Path, Mark]]:
    """Yield the files that wait: of the folder itself and of its own folders, one level deep."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in {DONE, REFUSED}:
            continue
        if path.is_dir():
            yield from _scan_files_blocking(path)
        else:
            yield from _mark_blocking(path)


def _scan_files_blocking(folder: Path) -> Iterator[tuple[Path, Mark]]:
    for path in folder.iterdir():
        if not path.name.startswith("."):
            yield from _mark_blocking(path)


def _mark_blocking(path: Path) -> Iterator[tuple[Path, Mark]]:
    if path.suffix.lower() in PARTIAL_SUFFIXES or not path.is_file():
        return
    try:
        found = path.stat()
    except FileNotFoundError:  # Renamed by whoever copies it.
        return
    yield path, (found.st_size, found.st_mtime_ns)


def is_being_written_blocking(path: Path) -> bool:
    """Tell whether a process has the file open for writing, as far as Linux lets us see."""
    target = os.path.realpath(path)
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) != target:  # noqa: PTH115 - a plain text is what we compare
                continue
            info = (descriptor.parent.parent / "fdinfo" / descriptor.name).read_text()
        except OSError:  # Another user's process, or one that ended just now.
            continue
        flags = next(line.split()[1] for line in info.splitlines() if line.startswith("flags:"))
        if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
            return True
    return False


@asynccontextmanager
async def watch_inbox(settings: Settings) -> AsyncIterator[None]:
    """Watch ``HALL_INBOX`` while the block runs, if it is set."""
    if settings.inbox is None:
        yield
        return
    inbox = Inbox(settings, settings.inbox)
    task = asyncio.create_task(keep_running("inbox", inbox.run), name="inbox")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
