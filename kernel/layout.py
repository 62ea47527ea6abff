"""Where things lie in the blob store and under which URL. Pure.

```
live/{broadcast_id}/{epoch}/{rendition}/init-{hash}.mp4
live/{broadcast_id}/{epoch}/{rendition}/{msn}.m4s
live/{broadcast_id}/journal.jsonl            the recorder's journal, stored at the end of the class
assets/{asset_id}/{plan_hash}/...            immutable, manifest.json written last
assets/{asset_id}/{plan_hash}-first/...      the same with the first rungs only, for the meantime
posters/{lecture_id}/{hash}.jpg              pictures that editors uploaded
clips/{lecture_id}/{clip_id}/{fence}.mp4     short films for other platforms
staging/{fence_token}/...                    what a worker has not finished yet
uploads/{upload_id}                          a whole file as it was sent
uploads/{upload_id}.tail-{received_bytes}    bytes after its last whole part, unfinished
```
A recorded segment has one URL for ever, its blob key behind a slash: ``/live/...``.
"""

from __future__ import annotations

from typing import Final, Literal

Rendition = Literal["av", "audio"]
RENDITIONS: Final[tuple[Rendition, ...]] = ("av", "audio")

MAX_KEY_CHARS: Final = 512  # Far above any key we build; caps what a stranger can make us look up.


def broadcast_prefix(broadcast_id: str) -> str:
    return f"live/{broadcast_id}/"


def init_key(broadcast_id: str, *, epoch: int, rendition: Rendition, name: str) -> str:
    """Key of an init segment; ``name`` is ``init-{hash}.mp4``."""
    return f"live/{broadcast_id}/{epoch}/{rendition}/{name}"


def segment_key(broadcast_id: str, *, epoch: int, rendition: Rendition, msn: int) -> str:
    return f"live/{broadcast_id}/{epoch}/{rendition}/{msn}.m4s"


def journal_key(broadcast_id: str) -> str:
    return f"live/{broadcast_id}/journal.jsonl"


def asset_prefix(asset_id: str, *, plan_hash: str, is_partial: bool = False) -> str:
    """Folder of a published set; what is published before all rungs are made has its own."""
    suffix = "-first" if is_partial else ""
    return f"assets/{asset_id}/{plan_hash}{suffix}/"


def poster_key(lecture_id: str, name: str) -> str:
    """Key of a picture that an editor uploaded; ``name`` is ``{hash}.jpg``."""
    return f"posters/{lecture_id}/{name}"


def clip_prefix(lecture_id: str, clip_id: str) -> str:
    """Folder of a clip; each attempt at it writes a file of its own."""
    return f"clips/{lecture_id}/{clip_id}/"


def upload_key(upload_id: str) -> str:
    return f"uploads/{upload_id}"


def upload_tail_key(upload_id: str, *, received_bytes: int) -> str:
    """Key of bytes that wait for the rest of their part; ``received_bytes`` after them."""
    return f"uploads/{upload_id}.tail-{received_bytes}"


def staging_prefix(token: str) -> str:
    return f"staging/{token}/"
