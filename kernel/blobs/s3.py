"""The blob store on any S3, through ``minio``: path-style addresses, no ACL calls.

Each call has a deadline and three attempts; the client's own retries are off, so that a store
that is down is known within seconds. Errors are translated here, once.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from kernel.blobs.executor import BoundedExecutor
from kernel.blobs.keys import check_key, check_prefix
from kernel.blobs.port import BlobInfo, Multipart, MultipartInfo
from kernel.errors import (
    BlobMissingError,
    DependencyError,
    HallError,
    InputError,
    StorageFullError,
)
from kernel.ids import new_id

CHUNK_BYTES: Final = 256 * 1024
WORKERS: Final = 8
CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 15.0  # Between two reads of one answer.
CALL_TIMEOUT_S: Final = 30.0
SLOWEST_BYTES_PER_S: Final = 512 * 1024  # Deadlines of whole files assume at least this much.
RETRY_WAITS_S: Final = (0.2, 1.0)  # Between three attempts.
COMPLETE_TIMEOUT_S: Final = 120.0  # Some stores copy the parts together.
PART_BYTES: Final = 16 * 1024 * 1024  # Multipart above it; three parts in memory at most.
LIST_PAGE: Final = 1000

_MISSING: Final = {
    "NoSuchKey",
    "NoSuchObject",
    "NotFound",
    "NoSuchUpload",
    "NoSuchBucket",
}  # The first put makes it.
_NO_ROOM: Final = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage"}
_TRANSIENT: Final = {
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "OperationAborted",
    "RequestTimeTooSkewed",
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where the bucket is.

    Attributes:
        endpoint: ``host:port`` without a scheme.
    """

    endpoint: str
    bucket: str
    is_secure: bool
    region: str


class S3BlobStore:
    """Keys are object names in one bucket, which is made when it does not exist.

    Runs on: the event loop; every request on eight threads of its own.
    """

    def __init__(self, location: S3Location, *, access_key: str, secret_key: str) -> None:
        self._bucket = location.bucket
        self._region = location.region
        self._http = urllib3.PoolManager(
            maxsize=WORKERS * 4,
            block=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            cert_reqs="CERT_REQUIRED",
        )
        self._client = Minio(
            location.endpoint,
            access_key=access_key,
            secret_key=secret_key,
            secure=location.is_secure,
            region=location.region,  # Spares a GetBucketLocation call that some servers refuse.
            http_client=self._http,
        )
        self._client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        self._executor = BoundedExecutor("blobs-s3", workers=WORKERS, max_pending=256)

    # ---- writing -------------------------------------------------------------------------------

    async def put_bytes(self, key: str, data: bytes, *, content_type: str) -> BlobInfo:
        check_key(key)

        def put_blocking() -> BlobInfo:
            self._client.put_object(
                self._bucket, key, io.BytesIO(data), len(data), content_type=content_type
            )
            return self._verify_blocking(key, len(data))

        return await self._put(key, put_blocking, size_bytes=len(data))

    async def put_file(self, key: str, path: Path, *, content_type: str) -> BlobInfo:
        check_key(key)

        def measure_blocking() -> int:
            try:
                return path.stat().st_size
            except FileNotFoundError as error:
                raise InputError(f"no local file {path}", field="path") from error

        def put_blocking() -> BlobInfo:
            size_bytes = path.stat().st_size
            self._client.fput_object(
                self._bucket, key, str(path), content_type=content_type, part_size=PART_BYTES
            )
            return self._verify_blocking(key, size_bytes)

        size_bytes = await self._executor.run(measure_blocking, timeout_s=CALL_TIMEOUT_S)
        return await self._put(key, put_blocking, size_bytes=size_bytes)

    def _verify_blocking(self, key: str, size_bytes: int) -> BlobInfo:
        stored = self._client.stat_object(self._bucket, key).size
        if stored != size_bytes:
            raise DependencyError(f"{key}: the store holds {stored} of {size_bytes} bytes")
        return BlobInfo(key, size_bytes)

    async def _put(
        self, key: str, put_blocking: Callable[[], Result], *, size_bytes: int
    ) -> Result:
        def put_making_bucket_blocking() -> Result:
            try:
                return put_blocking()
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise
            self._make_bucket_blocking()
            return put_blocking()

        return await self._call(
            key, put_making_bucket_blocking, timeout_s=_deadline_s(size_bytes=size_bytes)
        )

    def _make_bucket_blocking(self) -> None:
        try:
            self._client.make_bucket(self._bucket, self._region)
        except S3Error as error:
            if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    async def delete(self, key: str) -> None:
        check_key(key)

        def delete_blocking() -> None:
            try:
                self._client.remove_object(self._bucket, key)
            except S3Error as error:
                if error.code not in _MISSING:
                    raise

        await self._call(key, delete_blocking)

    # ---- objects in parts ----------------------------------------------------------------------
    # The client has calls for each step, but only for itself; the contract suite watches them.

    async def start_multipart(self, key: str, *, content_type: str, part_bytes: int) -> Multipart:
        check_key(key)

        def start_blocking() -> str:
            headers: dict[str, str | list[str] | tuple[str]] = {"Content-Type": content_type}
            return self._client._create_multipart_upload(self._bucket, key, headers)  # noqa: SLF001 - see above

        return Multipart(key, await self._put(key, start_blocking, size_bytes=0), part_bytes)

    async def put_part(self, multipart: Multipart, number: int, data: bytes) -> str:
        check_key(multipart.key)

        def put_blocking() -> str:
            return self._client._upload_part(  # noqa: SLF001 - see above
                self._bucket, multipart.key, data, None, multipart.id, number
            )

        timeout_s = _deadline_s(size_bytes=len(data))
        return await self._call(multipart.key, put_blocking, timeout_s=timeout_s)

    async def complete_multipart(
        self, multipart: Multipart, receipts: Sequence[str], *, size_bytes: int
    ) -> BlobInfo:
        key = check_key(multipart.key)
        parts = [Part(number, etag) for number, etag in enumerate(receipts, start=1)]

        def complete_blocking() -> BlobInfo:
            try:
                self._client._complete_multipart_upload(  # noqa: SLF001 - see above
                    self._bucket, key, multipart.id, parts
                )
            except S3Error as error:
                if error.code != "NoSuchUpload":
                    raise
                stored = self._client.stat_object(self._bucket, key).size
                if stored != size_bytes:
                    raise BlobMissingError(key) from error
            return self._verify_blocking(key, size_bytes)

        return await self._call(key, complete_blocking, timeout_s=COMPLETE_TIMEOUT_S)

    async def abort_multipart(self, multipart: Multipart) -> None:
        check_key(multipart.key)

        def abort_blocking() -> None:
            try:
                self._client._abort_multipart_upload(  # noqa: SLF001 - see above
                    self._bucket, multipart.key, multipart.id
                )
            except S3Error as error:
                if error.code not in _MISSING:
                    raise

        await self._call(multipart.key, abort_blocking)

    async def list_multiparts(self, prefix: str) -> AsyncIterator[MultipartInfo]:
        check_prefix(prefix)
        markers: tuple[str | None, str | None] | None = (None, None)
        while markers is not None:
            key_marker, id_marker = markers

            def page_blocking(
                key_marker: str | None = key_marker, id_marker: str | None = id_marker
            ) -> Any:
                try:
                    return self._client._list_multipart_uploads(  # noqa: SLF001 - see above
                        self._bucket,
                        prefix=prefix,
                        key_marker=key_marker,
                        upload_id_marker=id_marker,
                        max_uploads=LIST_PAGE,
                    )
                except S3Error as error:
                    if error.code == "NoSuchBucket":
                        return None
                    raise

            page = await self._call(prefix, page_blocking)
            for found in page.uploads if page else []:
                if found.object_name.startswith(prefix):
                    yield MultipartInfo(found.object_name, found.upload_id, found.initiated_time)
            is_last = page is None or not page.is_truncated
            markers = None if is_last else (page.next_key_marker, page.next_upload_id_marker)

    async def free_bytes(self) -> int | None:
        return None  # S3 does not say.

    # ---- reading -------------------------------------------------------------------------------

    async def get_bytes(self, key: str, *, limit_bytes: int = 64 * 1024 * 1024) -> bytes:
        check_key(key)

        def get_blocking() -> bytes:
            response = self._client.get_object(self._bucket, key)
            try:
                data = bytes(response.read(limit_bytes + 1))
            finally:
                _release(response)
            if len(data) > limit_bytes:
                raise InputError(f"{key} is larger than {limit_bytes} bytes")
            return data

        return await self._call(key, get_blocking)

    async def iter_bytes(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        check_key(key)
        if end is not None and end <= start:
            return
        size_bytes = (await self.head(key)).size_bytes
        stop = size_bytes if end is None else min(end, size_bytes)
        if stop <= start:
            return
        response = await self._call(
            key,
            lambda: self._client.get_object(self._bucket, key, offset=start, length=stop - start),
            give_back=_release,
        )
        left = stop - start
        try:
            while left > 0:
                chunk = await self._call(key, lambda: response.read(CHUNK_BYTES), attempts_count=1)
                if not chunk:
                    raise DependencyError(f"{key}: the store sent {left} bytes too few")
                left -= len(chunk)
                yield chunk
        finally:
            _release(response)

    async def download(self, key: str, path: Path) -> BlobInfo:
        info = await self.head(key)

        def download_blocking() -> BlobInfo:
            partial = path.with_name(f".{path.name}.{new_id()}")
            response = self._client.get_object(self._bucket, key)
            try:
                with partial.open("wb") as target:
                    while chunk := response.read(CHUNK_BYTES):
                        target.write(chunk)
                size_bytes = partial.stat().st_size
                if size_bytes != info.size_bytes:
                    raise DependencyError(f"{key}: got {size_bytes} of {info.size_bytes} bytes")
                partial.replace(path)
            finally:
                _release(response)
                partial.unlink(missing_ok=True)
            return BlobInfo(key, size_bytes)

        return await self._call(
            key, download_blocking, timeout_s=_deadline_s(size_bytes=info.size_bytes)
        )

    async def head(self, key: str) -> BlobInfo:
        check_key(key)
        found = await self._call(key, lambda: self._client.stat_object(self._bucket, key))
        return BlobInfo(key, found.size or 0)

    async def list_keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        check_prefix(prefix)
        objects = iter(self._client.list_objects(self._bucket, prefix=prefix, recursive=True))

        def page_blocking() -> list[Any]:
            try:
                return list(islice(objects, LIST_PAGE))
            except S3Error as error:
                if error.code == "NoSuchBucket":
                    return []
                raise

        while page := await self._call(prefix, page_blocking, attempts_count=1):
            for found in page:
                yield BlobInfo(str(found.object_name), int(found.size), found.last_modified)

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    async def read_url(self, key: str, *, expires_s: int) -> str | None:
        check_key(key)
        # Signed here: with the region known no request is sent.
        return await self._call(
            key,
            lambda: str(
                self._client.presigned_get_object(
                    self._bucket, key, expires=timedelta(seconds=expires_s)
                )
            ),
        )

    async def close(self) -> None:
        await self._executor.close()
        self._http.clear()

    async def _call(
        self,
        key: str,
        function: Callable[[], Result],
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        attempts_count: int = len(RETRY_WAITS_S) + 1,
        give_back: Callable[[Result], None] | None = None,
    ) -> Result:
        """Run ``function`` with retries; all attempts together take at most ``timeout_s``."""
        deadline = time.monotonic() + timeout_s

        def translated_blocking() -> Result:
            try:
                return function()
            except HallError:
                raise
            except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise _translate(key, error) from error

        for attempt in range(attempts_count):
            left_s = max(0.1, deadline - time.monotonic())
            try:
                return await self._executor.run(
                    translated_blocking, timeout_s=left_s, give_back=give_back
                )
            except DependencyError as error:
                is_last = attempt + 1 >= attempts_count or time.monotonic() + 1 > deadline
                if is_last or not error.retryable:
                    raise
            await asyncio.sleep(RETRY_WAITS_S[attempt])
        raise AssertionError("unreachable: the last attempt returns or raises")


def _deadline_s(*, size_bytes: int) -> float:
    return CALL_TIMEOUT_S + size_bytes / SLOWEST_BYTES_PER_S


def _release(response: urllib3.BaseHTTPResponse) -> None:
    response.close()
    response.release_conn()


def _translate(key: str, error: Exception) -> HallError:
    if isinstance(error, S3Error):
        if error.code in _MISSING:
            return BlobMissingError(key)
        if error.code in _NO_ROOM:
            return StorageFullError(f"{key}: S3 answered {error.code}")
        status = getattr(error.response, "status", 0) or 0
        return DependencyError(
            f"{key}: S3 answered {error.code}",
            retryable=error.code in _TRANSIENT or status >= 500,  # noqa: PLR2004 - server error
        )
    if isinstance(error, (ServerError, InvalidResponseError)):
        return DependencyError(f"{key}: S3 is not well: {error}")
    return DependencyError(f"{key}: {error}")
