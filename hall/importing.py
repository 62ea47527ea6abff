"""`hall import`: files and folders of this machine become lectures of the running hall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hall.sending import RefusedError, Sender, Sent
from hall.up import local_origin
from kernel.config import Settings
from kernel.errors import DependencyError, InputError

# What lessons come as; a file that is named itself is sent whatever its name.
MEDIA_SUFFIXES: Final = frozenset(
    f".{name}"
    for line in (
        "mp4 m4v mov mkv webm avi wmv asf flv f4v mpg mpeg vob ts mts m2ts 3gp 3g2 ogv rm rmvb mxf",
        "mp3 m4a aac wav flac ogg oga opus wma amr aiff ac3",
    )
    for name in line.split()
)


@dataclass(frozen=True, slots=True)
class ImportWish:
    """What is to be imported, and how."""

    paths: Sequence[Path]
    series: str | None
    visibility: str
    is_recursive: bool
    is_moved: bool


@dataclass(slots=True)
class ImportReport:
    """What became of the files."""

    done: list[Path] = field(default_factory=list)
    known: list[Path] = field(default_factory=list)
    refused: list[Path] = field(default_factory=list)


def find_files(paths: Sequence[Path], *, is_recursive: bool) -> list[Path]:
    """List the files to send, in the order of their names; of folders only what looks like media.

    Raises:
        InputError: A path is not there.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(_walk(path, is_recursive=is_recursive))))
        elif path.is_file():
            found[path] = None
        else:
            raise InputError(f"no file or folder {path}", field="path")
    return list(found)


def _walk(folder: Path, *, is_recursive: bool) -> Iterator[Path]:
    for path in folder.rglob("*") if is_recursive else folder.iterdir():
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not is_hidden and path.suffix.lower() in MEDIA_SUFFIXES and path.is_file():
            yield path


@asynccontextmanager
async def open_sender(
    settings: Settings, *, url: str | None = None, token: str | None = None
) -> AsyncIterator[Sender]:
    """Open a connection to the hall: that of this machine as its administrator, or any other.

    Raises:
        NotFoundError: There is no administrator here.
        InputError: An address without a token.
    """
    if url is not None and token is None:
        raise InputError("--url needs --token", field="token")
    connector = aiohttp.TCPConnector(ssl=url is not None)  # Here it is made out for another name.
    async with aiohttp.ClientSession(connector=connector) as session:
        if token is not None:
            yield Sender(session, (url or local_origin(settings)).rstrip("/"), token=token)
            return
        from vod.accounts.operator import open_operator_session
        from vod.db.engine import open_database

        async with (
            open_database(settings.database) as database,
            open_operator_session(database) as operator,
        ):
            yield Sender(session, local_origin(settings), token=operator)


async def import_files(sender: Sender, wish: ImportWish, console: Console) -> ImportReport:
    """Send every file, one after the other; each ends in one line.

    Raises:
        InputError: A path is not there.
        DependencyError: The hall cannot be reached.
    """
    files = find_files(wish.paths, is_recursive=wish.is_recursive)
    report = ImportReport()
    if not files:
        console.print("没有找到音视频文件")
        return report
    metadata = {"visibility": wish.visibility}
    if wish.series:
        metadata["series_id"] = await sender.find_series(wish.series)
    with _build_progress(console) as progress:
        for number, path in enumerate(files, start=1):
            label = f"{number}/{len(files)} {path.name}"
            task = progress.add_task(label, total=None)
            try:
                progress.update(task, total=path.stat().st_size or None)
                sent = await sender.send(
                    path,
                    on_progress=lambda count, task=task: progress.update(task, completed=count),  # type: ignore[misc]
                    **metadata,
                )
            except RefusedError as error:
                sent = Sent("refused", None, None, error.title)
            except OSError as error:  # It went away, or is not ours to read; the others go on.
                sent = Sent("refused", None, None, f"无法读取文件({error.strerror or error})")
            except DependencyError:
                progress.console.print(f"✗ {path}:连接不上服务,已停止;再次运行会从断点继续")
                raise
            finally:
                progress.remove_task(task)
            _tell(progress.console, path, sent, report)
            if wish.is_moved and sent.state == "done":
                await asyncio.to_thread(path.unlink)
    console.print(
        f"新导入 {len(report.done)} 个,已有 {len(report.known)} 个,"
        f"未能导入 {len(report.refused)} 个"
    )
    return report


def _build_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _tell(console: Console, path: Path, sent: Sent, report: ImportReport) -> None:
    if sent.state == "done":
        report.done.append(path)
        text = f"✓ {path}:已上传,正在转码,课程 {sent.lecture_id}"
    elif sent.state == "duplicate":
        report.known.append(path)
        text = f"= {path}:{sent.reason}"
    else:
        report.refused.append(path)
        text = f"✗ {path}:{sent.reason}"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
