"""The port: what the project asks of a place that keeps bytes under keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of one stored object.

    Attributes:
        modified_at: When it was stored, by the store's clock; ``list_keys`` says it.
    """

    key: str
    size_bytes: int
    modified_at: datetime | None = field(default=None, compare=False)


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
