"""The port: what the project asks of a place that keeps bytes under keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

MIN_PART_BYTES: Final = 5 * 1024 * 1024  # S3 refuses smaller ones, the last excepted.
MAX_PARTS: Final = 10_000  # Of S3.


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of one stored object.

    Attributes:
        modified_at: When it was stored, by the store's clock; ``list_keys`` says it.
    """

    key: str
    size_bytes: int
    modified_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Multipart:
    """An object that comes in parts, for hours perhaps; whoever keeps these three may go on.

    Attributes:
        id: The store's own name of it.
        part_bytes: Size of every part but the last, at least ``MIN_PART_BYTES``.
    """

    key: str
    id: str
    part_bytes: int


@dataclass(frozen=True, slots=True)
class MultipartInfo:
    """One that was begun and neither completed nor aborted."""

    key: str
    id: str
    started_at: datetime


class BlobStore(Protocol):
    """Bytes under slash-separated keys; whole objects appear at once or not at all.

    Keys are relative, match ``[A-Za-z0-9._/-]+``, contain no ``..`` and no empty part; others are
    refused with ``InputError`` before anything is touched. Blocking work runs on the store's own
    bounded executor, so a store that hangs costs nobody else (DESIGN §6).

    Raises:
        BlobMissingError: Nothing under the key.
        DependencyError: The store failed or hung past its deadline; retryable.
    """

    async def put_bytes(self, key: str, data: bytes, *, content_type: str) -> BlobInfo:
        """Store ``data``; the stored size is verified before this returns."""

    async def put_file(self, key: str, path: Path, *, content_type: str) -> BlobInfo:
        """Store a local file without holding it in memory; the stored size is verified."""

    async def start_multipart(self, key: str, *, content_type: str, part_bytes: int) -> Multipart:
        """Begin an object that is sent in parts; nothing is under ``key`` until it is complete."""

    async def put_part(self, multipart: Multipart, number: int, data: bytes) -> str:
        """Store part ``number`` (from 1) for good; doing so again replaces it.

        Returns:
            The receipt that :meth:`complete_multipart` wants.

        Raises:
            BlobMissingError: It was completed or aborted meanwhile.
            StorageFullError: There is no room.
        """

    async def complete_multipart(
        self, multipart: Multipart, receipts: Sequence[str], *, size_bytes: int
    ) -> BlobInfo:
        """Make the object of its parts; ``receipts`` in the order of their numbers.

        Doing so again after it went well is fine; the size is verified.

        Raises:
            BlobMissingError: It was aborted, or never begun.
            DependencyError: A part is missing or is not the one of its receipt.
        """

    async def abort_multipart(self, multipart: Multipart) -> None:
        """Forget an unfinished object and its parts; one that is gone is fine."""

    def list_multiparts(self, prefix: str) -> AsyncIterator[MultipartInfo]:
        """All unfinished objects whose key starts with ``prefix``, in any order."""

    async def free_bytes(self) -> int | None:
        """How much more fits, where that can be known."""

    async def get_bytes(self, key: str, *, limit_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Read a whole small object; larger than ``limit_bytes`` is an ``InputError``."""

    def iter_bytes(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Stream the half-open byte range ``[start, end)`` in chunks of <= 256 KiB."""

    async def download(self, key: str, path: Path) -> BlobInfo:
        """Copy an object to a local file that appears only when complete."""

    async def head(self, key: str) -> BlobInfo:
        """Size of an object."""

    def list_keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """All objects whose key starts with ``prefix``; the order is the store's own."""

    async def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""

    def local_path(self, key: str) -> Path | None:
        """Where the object lies on this machine, if it does: ffmpeg and nginx read it in place."""

    async def read_url(self, key: str, *, expires_s: int) -> str | None:
        """Make an address that reads the object without any other secret until it expires.

        For programs that open addresses themselves (ffmpeg). Whoever has it may read; never log it.

        Args:
            expires_s: 1 to 604 800 (a week, the most that S3 signs for).

        Returns:
            ``None`` where objects are files of this machine; see ``local_path``.
        """

    async def close(self) -> None:
        """Stop the executor; running calls finish."""
