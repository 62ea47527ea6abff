"""What a blob key may look like. Pure."""

from __future__ import annotations

import mimetypes
import re
from typing import Final

from kernel.errors import InputError
from kernel.layout import MAX_KEY_CHARS

_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_PREFIX: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*(?:[A-Za-z0-9_-][A-Za-z0-9._-]*)?")

_CONTENT_TYPES: Final = {
    ".m4s": "video/mp4",
    ".mp4": "video/mp4",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
}


def check_key(key: str) -> str:
    """Return ``key``.

    Parts that begin with a dot are refused too: they hide ``..`` and our temporary files.

    Raises:
        InputError: The key is empty, too long, or has a character or part that we refuse.
    """
    if len(key) > MAX_KEY_CHARS or _KEY.fullmatch(key) is None:
        raise InputError(f"not a blob key: {key[:MAX_KEY_CHARS]!r}", field="key")
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix``, which may be empty or end within a part.

    Raises:
        InputError: No key could start with it.
    """
    if len(prefix) > MAX_KEY_CHARS or _PREFIX.fullmatch(prefix) is None:
        raise InputError(f"not a blob prefix: {prefix[:MAX_KEY_CHARS]!r}", field="prefix")
    return prefix


def guess_content_type(key: str) -> str:
    """Media type of an object by its name; the ``audio`` rendition's segments are ``audio/mp4``."""
    dot = key.rfind(".")
    suffix = key[dot:] if dot > key.rfind("/") else ""
    if suffix in {".m4s", ".mp4"} and "/audio/" in key:
        return "audio/mp4"
    known = _CONTENT_TYPES.get(suffix)
    return known or mimetypes.types_map.get(suffix, "application/octet-stream")
