"""Which object a media URL belongs to. Pure. No I/O, no clock.

The gate routes by the normalised path but shows us the raw one. A raw path that normalising
would change could be judged as one object and served as another, so everything outside a small
alphabet is refused: percent escapes, dot segments, empty segments, back-slashes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from kernel.ids import is_id

MAX_URI_CHARS: Final = 2_048  # Ours are < 400 with a signed prefix and LL-HLS directives.
MAX_TOKEN_CHARS: Final = 256
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")  # Never "." or "..".
_TOKEN = re.compile(rf"[A-Za-z0-9][A-Za-z0-9.]{{0,{MAX_TOKEN_CHARS - 1}}}")
_ROOTS: Final[dict[str, Literal["live", "media", "channel"]]] = {
    "live": "live",
    "whep": "live",
    "media": "media",
    "channel": "channel",
}


@dataclass(frozen=True, slots=True)
class MediaTarget:
    """What a request is about.

    Attributes:
        kind: ``live`` is a broadcast, ``media`` a lecture, ``channel`` a channel.
        object_id: Has the shape of one of our ids.
        token: Of a ``/signed/{token}`` prefix.
    """

    kind: Literal["live", "media", "channel"]
    object_id: str
    token: str | None


def parse_media_uri(uri: str) -> MediaTarget | None:
    """Read a raw request target (``X-Original-URI``); anything doubtful is ``None``. Total."""
    if not uri or len(uri) > MAX_URI_CHARS or not uri.isascii() or not uri.isprintable():
        return None
    path, _, _query = uri.partition("?")
    if not path.startswith("/") or "#" in path:
        return None
    segments = path[1:].split("/")
    token = None
    if segments[0] == "signed":
        if len(segments) < 2 or not _TOKEN.fullmatch(segments[1]):  # noqa: PLR2004 - prefix and token
            return None
        token, segments = segments[1], segments[2:]
    return _read_object(segments, token=token)


def _read_object(segments: list[str], *, token: str | None) -> MediaTarget | None:
    if len(segments) < 2 or segments[0] not in _ROOTS:  # noqa: PLR2004 - root and id
        return None
    if not is_id(segments[1]) or not all(is_safe_name(part) for part in segments[2:]):
        return None
    return MediaTarget(_ROOTS[segments[0]], segments[1], token)


def is_safe_name(name: str) -> bool:
    """Tell whether ``name`` can be one part of a blob key or URL and nothing else."""
    return _SEGMENT.fullmatch(name) is not None
