"""`hall storage`: what lies in the blob store and belongs to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kernel.blobs.open import open_blob_store
from kernel.clock import SystemClock
from kernel.config import Settings

if TYPE_CHECKING:
    from vod.storage.orphans import Orphans

SLICE_S: Final = 60.0  # Of looking or deleting; then we say how far we are and go on.
KIB: Final = 1024


async def examine_orphans(settings: Settings, *, deletes: bool, tell: Callable[[str], None]) -> int:
    """Tell what nobody owns, and delete it if asked to; works beside a running hall.

    Returns:
        How many prefixes nobody owns.

    Raises:
        DependencyError: The database or the store cannot be reached.
    """
    from vod.db.engine import open_database
    from vod.storage.orphans import Orphans  # Only this command needs the database.

    store = open_blob_store(settings)
    try:
        async with open_database(settings.database) as database:
            keep = timedelta(days=settings.live_retention_days)
            orphans = Orphans(database, store, SystemClock(), keep=keep)
            found_count = 0
            while True:
                found = await orphans.find(at_most_s=3600 if not deletes else SLICE_S)
                for item in found.orphans:
                    size = format_size(item.size_bytes)
                    tell(f"{item.prefix}  {item.objects_count} objects  {size}  {item.why}")
                found_count += len(found.orphans)
                gone_count = await _delete(orphans, found.token, tell) if deletes else 0
                # What could not be deleted would be found again for ever.
                if found.is_complete or not gone_count:
                    return found_count
                await asyncio.sleep(0)
    finally:
        await store.close()


async def _delete(orphans: Orphans, token: str, tell: Callable[[str], None]) -> int:
    count = 0
    while True:
        gone = await orphans.delete(token, at_most_s=SLICE_S)
        count += gone.prefixes_count
        if gone.objects_count:
            tell(f"deleted {gone.objects_count} objects, {format_size(gone.size_bytes)}")
        if gone.is_complete:
            if gone.kept_count:
                tell(f"kept {gone.kept_count}: somebody owns them by now")
            return count


def format_size(size_bytes: int) -> str:
    """1536 -> ``1.5 KiB``. Pure."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} TiB"
