"""The blob store in a folder: temporary file, fsync, rename within the same tree."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from kernel.blobs.executor import BoundedExecutor
from kernel.blobs.keys import check_key, check_prefix
from kernel.blobs.port import BlobInfo, Multipart, MultipartInfo
from kernel.errors import BlobMissingError, DependencyError, InputError, StorageFullError
from kernel.ids import is_id, new_id

CHUNK_BYTES: Final = 256 * 1024
CALL_TIMEOUT_S: Final = 20.0  # A local disk that takes longer is broken.
COPY_TIMEOUT_S: Final = 600.0  # Whole files of some GiB.
STALE_TEMPORARY_S: Final = 24 * 3600  # Left by a crash; no write of ours takes that long.
LIST_PAGE: Final = 1000
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Result = TypeVar("Result")


class DirectoryBlobStore:
    """Keys are paths below ``root``. Several processes may share it.

    Runs on: the event loop; all disk work on four threads of its own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / ".tmp"
        self._multiparts = root / ".multipart"
        self._executor = BoundedExecutor("blobs-directory", workers=4, max_pending=256)
        self._is_ready = False

    # ---- writing -------------------------------------------------------------------------------

    async def put_bytes(self, key: str, data: bytes, *, content_type: str) -> BlobInfo:  # noqa: ARG002 - a folder keeps no types
        check_key(key)

        def write_blocking(target: BinaryIO) -> None:
            target.write(data)

        return await self._run(key, lambda: self._put_blocking(key, write_blocking, len(data)))

    async def put_file(self, key: str, path: Path, *, content_type: str) -> BlobInfo:  # noqa: ARG002
        check_key(key)

        def put_blocking() -> BlobInfo:
            try:
                source = path.open("rb")
            except FileNotFoundError as error:
                raise InputError(f"no local file {path}", field="path") from error
            with source:
                size_bytes = os.fstat(source.fileno()).st_size
                return self._put_blocking(
                    key, lambda target: shutil.copyfileobj(source, target, CHUNK_BYTES), size_bytes
                )

        return await self._run(key, put_blocking, timeout_s=COPY_TIMEOUT_S)

    def _put_blocking(
        self, key: str, write: Callable[[BinaryIO], None], size_bytes: int
    ) -> BlobInfo:
        self._prepare_blocking()
        temporary = self._temporary / new_id()
        try:
            with temporary.open("wb") as target:
                write(target)
                target.flush()
                os.fsync(target.fileno())
            stored = temporary.stat().st_size
            if stored != size_bytes:
                raise DependencyError(f"{key}: wrote {stored} of {size_bytes} bytes")
            _rename_blocking(temporary, self._root / key)
        finally:
            temporary.unlink(missing_ok=True)
        return BlobInfo(key, stored)

    def _prepare_blocking(self) -> None:
        if self._is_ready:
            return
        self._temporary.mkdir(parents=True, exist_ok=True)
        oldest = time.time() - STALE_TEMPORARY_S
        for path in self._temporary.iterdir():
            with contextlib.suppress(FileNotFoundError):  # Another process was quicker.
                if path.stat().st_mtime < oldest:
                    path.unlink()
        self._is_ready = True

    async def delete(self, key: str) -> None:
        check_key(key)

        def delete_blocking() -> None:
            path = self._root / key
            path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == self._root:
                    break
                try:
                    parent.rmdir()
                except OSError:  # Not empty, or gone: either way nothing is left to do above it.
                    break

        await self._run(key, delete_blocking, missing_is_fine=True)

    # ---- objects in parts ----------------------------------------------------------------------
    # ``.multipart/{id}/data`` has every part at its place, ``.multipart/{id}/key`` says what it
    # becomes: completing is a rename, however large it is.

    async def start_multipart(self, key: str, *, content_type: str, part_bytes: int) -> Multipart:  # noqa: ARG002 - a folder keeps no types
        check_key(key)
        multipart = Multipart(key, new_id(), part_bytes)

        def start_blocking() -> Multipart:
            folder = self._multiparts / multipart.id
            folder.mkdir(parents=True)
            (folder / "key").write_text(key)
            (folder / "data").touch()
            _sync_folder_blocking(folder)
            _sync_folder_blocking(self._multiparts)
            return multipart

        return await self._run(key, start_blocking)

    async def put_part(self, multipart: Multipart, number: int, data: bytes) -> str:
        data_path = self._find_multipart(multipart) / "data"

        def put_blocking() -> str:
            descriptor = os.open(data_path, os.O_WRONLY)  # Never made anew: it may be aborted.
            try:
                _write_at_blocking(descriptor, data, (number - 1) * multipart.part_bytes)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            return f"{number}-{len(data)}"

        return await self._run(multipart.key, put_blocking)

    async def complete_multipart(
        self, multipart: Multipart, receipts: Sequence[str], *, size_bytes: int
    ) -> BlobInfo:
        folder, target = self._find_multipart(multipart), self._root / multipart.key
        _check_receipts(multipart, receipts, size_bytes=size_bytes)

        def complete_blocking() -> BlobInfo:
            try:
                stored = (folder / "data").stat().st_size
            except FileNotFoundError:
                if target.is_file() and target.stat().st_size == size_bytes:
                    shutil.rmtree(folder, ignore_errors=True)
                    return BlobInfo(multipart.key, size_bytes)  # It went well before.
                raise
            if stored != size_bytes:
                raise DependencyError(f"{multipart.key}: the parts have {stored} of {size_bytes}")
            _rename_blocking(folder / "data", target)
            shutil.rmtree(folder, ignore_errors=True)
            return BlobInfo(multipart.key, size_bytes)

        return await self._run(multipart.key, complete_blocking)

    async def abort_multipart(self, multipart: Multipart) -> None:
        folder = self._find_multipart(multipart)

        def abort_blocking() -> None:
            if folder.is_dir():
                shutil.rmtree(folder)

        await self._run(multipart.key, abort_blocking, missing_is_fine=True)

    async def list_multiparts(self, prefix: str) -> AsyncIterator[MultipartInfo]:
        check_prefix(prefix)
        walk = _walk_multiparts_blocking(self._multiparts)
        while page := await self._run(prefix, lambda: list(islice(walk, LIST_PAGE))):
            for found in page:
                if found.key.startswith(prefix):
                    yield found

    def _find_multipart(self, multipart: Multipart) -> Path:
        check_key(multipart.key)
        if not is_id(multipart.id):
            raise InputError(f"not an unfinished object: {multipart.id[:40]!r}", field="id")
        return self._multiparts / multipart.id

    async def free_bytes(self) -> int | None:
        def measure_blocking() -> int:
            folder = self._root
            while not folder.exists():  # Made by the first write.
                folder = folder.parent
            return shutil.disk_usage(folder).free

        return await self._run("free space", measure_blocking)

    # ---- reading -------------------------------------------------------------------------------

    async def get_bytes(self, key: str, *, limit_bytes: int = 64 * 1024 * 1024) -> bytes:
        check_key(key)

        def read_blocking() -> bytes:
            with (self._root / key).open("rb") as source:
                data = source.read(limit_bytes + 1)
            if len(data) > limit_bytes:
                raise InputError(f"{key} is larger than {limit_bytes} bytes")
            return data

        return await self._run(key, read_blocking)

    async def iter_bytes(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        check_key(key)

        def open_blocking() -> BinaryIO:
            source = (self._root / key).open("rb")
            source.seek(start)
            return source

        left = None if end is None else max(0, end - start)
        source = await self._run(key, open_blocking, give_back=lambda opened: opened.close())
        try:
            while left is None or left > 0:
                wanted = CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)
                chunk = await self._run(key, lambda n=wanted: source.read(n))  # type: ignore[misc]
                if not chunk:
                    return
                if left is not None:
                    left -= len(chunk)
                yield chunk
        finally:
            source.close()

    async def download(self, key: str, path: Path) -> BlobInfo:
        check_key(key)

        def copy_blocking() -> BlobInfo:
            partial = path.with_name(f".{path.name}.{new_id()}")
            try:
                with (self._root / key).open("rb") as source, partial.open("wb") as target:
                    shutil.copyfileobj(source, target, CHUNK_BYTES)
                size_bytes = partial.stat().st_size
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            return BlobInfo(key, size_bytes)

        return await self._run(key, copy_blocking, timeout_s=COPY_TIMEOUT_S)

    async def head(self, key: str) -> BlobInfo:
        check_key(key)

        def stat_blocking() -> BlobInfo:
            path = self._root / key
            if not path.is_file():
                raise BlobMissingError(key)
            return BlobInfo(key, path.stat().st_size)

        return await self._run(key, stat_blocking)

    async def list_keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        check_prefix(prefix)
        walk = _walk_blocking(self._root, prefix)
        while page := await self._run(prefix, lambda: list(islice(walk, LIST_PAGE))):
            for info in page:
                yield info

    def local_path(self, key: str) -> Path | None:
        return self._root / check_key(key)

    async def read_url(self, key: str, *, expires_s: int) -> str | None:  # noqa: ARG002 - see below
        check_key(key)
        return None  # Files are opened by their path.

    async def close(self) -> None:
        await self._executor.close()

    async def _run(
        self,
        key: str,
        function: Callable[[], Result],
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        missing_is_fine: bool = False,
        give_back: Callable[[Result], None] | None = None,
    ) -> Result:
        try:
            return await self._executor.run(function, timeout_s=timeout_s, give_back=give_back)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            if missing_is_fine:
                return None  # type: ignore[return-value]  # only delete asks for it
            raise BlobMissingError(key) from error
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StorageFullError(f"{key}: {error}") from error
            raise DependencyError(f"{key}: {error}") from error


def _rename_blocking(temporary: Path, target: Path) -> None:
    for attempt in range(3):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
            break
        except FileNotFoundError:  # A delete removed the empty folder between the two calls.
            if attempt == 2:  # noqa: PLR2004 - the last of three
                raise
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            # A folder cannot hold both "a" and "a/b"; our layout never asks for it.
            raise InputError(f"{target.name}: a key is a folder of another key") from error
    _sync_folder_blocking(target.parent)


def _sync_folder_blocking(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_at_blocking(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _check_receipts(multipart: Multipart, receipts: Sequence[str], *, size_bytes: int) -> None:
    whole = [f"{number}-{multipart.part_bytes}" for number in range(1, len(receipts))]
    rest = size_bytes - len(whole) * multipart.part_bytes
    expected = [*whole, f"{len(receipts)}-{rest}"] if receipts else []
    if list(receipts) != expected or not 0 < rest <= multipart.part_bytes:
        raise DependencyError(f"{multipart.key}: not all its parts are there", retryable=False)


def _walk_multiparts_blocking(root: Path) -> Iterator[MultipartInfo]:
    try:
        entries = os.scandir(root)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            try:
                key = (root / entry.name / "key").read_text()
                started = entry.stat().st_mtime
            except (FileNotFoundError, NotADirectoryError):  # Finished while we looked.
                continue
            yield MultipartInfo(key, entry.name, datetime.fromtimestamp(started, UTC))


def _walk_blocking(root: Path, prefix: str) -> Iterator[BlobInfo]:
    """Yield the files whose key starts with ``prefix``, in key order, one folder in memory."""
    folder = prefix.rpartition("/")[0]
    yield from _scan_blocking(root / folder, folder + "/" if folder else "", prefix)


def _scan_blocking(folder: Path, base: str, prefix: str) -> Iterator[BlobInfo]:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not entry.name.startswith(".")
            ]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in sorted(names):
        key = base + name
        if name.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from _scan_blocking(folder / name, key, prefix)
        elif key.startswith(prefix):
            try:
                found = (folder / name).stat()
            except FileNotFoundError:  # Deleted while we listed.
                continue
            modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
            yield BlobInfo(key, found.st_size, modified_at)
