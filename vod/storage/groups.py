"""Walk the blob store by owner: one group of objects at a time, whatever their number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kernel.blobs.port import BlobInfo, BlobStore
from kernel.ids import is_id

UPLOAD_ID_CHARS: Final = 20
FOLDERS: Final[Mapping[str, int]] = {"staging": 1, "assets": 2, "posters": 1, "clips": 2}
"""How many folders below each root name the owner."""


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive objects of one owner.

    Attributes:
        prefix: Of all their keys; nothing of another owner begins with it.
        newest_at: Of the one stored last; ``None`` when the store does not say.
    """

    prefix: str
    objects_count: int
    size_bytes: int
    newest_at: datetime | None


def find_prefix(key: str) -> str | None:
    """Find what belongs together: an attempt, a published set, an upload, pictures, a clip.

    Returns:
        ``None`` for a key that is none of ours: whoever put it there may know why.
    """
    root, *rest = key.split("/")
    if root == "uploads":
        upload_id = rest[0][:UPLOAD_ID_CHARS]
        tail = rest[0][UPLOAD_ID_CHARS:]
        is_ours = len(rest) == 1 and is_id(upload_id) and (not tail or tail.startswith(".tail-"))
        return f"uploads/{upload_id}" if is_ours else None
    depth = FOLDERS.get(root)
    if depth is None or len(rest) <= depth:
        return None
    return "/".join([root, *rest[:depth]]) + "/"


async def iter_groups(blobs: BlobStore, root: str) -> AsyncIterator[Group]:
    """Group the objects below ``root`` as they come.

    Cost: one group in memory. A store that does not list in order of the keys yields a prefix more
    than once, each time with a share of its objects.
    """
    current: Group | None = None
    async for info in blobs.list_keys(root):
        prefix = find_prefix(info.key)
        if prefix is None:
            continue
        if current is not None and current.prefix == prefix:
            current = _add(current, info)
            continue
        if current is not None:
            yield current
        current = Group(prefix, 1, info.size_bytes, info.modified_at)
    if current is not None:
        yield current


def _add(group: Group, info: BlobInfo) -> Group:
    times = [group.newest_at, info.modified_at]
    known = [moment for moment in times if moment is not None]
    return Group(
        group.prefix,
        group.objects_count + 1,
        group.size_bytes + info.size_bytes,
        max(known) if len(known) == len(times) else None,
    )
