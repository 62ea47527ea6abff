"""Signed paths: a token in the URL for players that send neither cookie nor header. Pure.

``{lecture}.{broadcast or 0}.{account or 0}.{expires, seconds}.{mac}``: it opens
``/signed/{token}/media/{lecture}/...`` and the ``/signed/{token}/live/{broadcast}/...`` below it,
for that account's rights, until it expires.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from kernel.errors import InputError
from kernel.ids import derive_token, is_id, is_same_secret

MAX_LIFETIME: Final = timedelta(hours=4)  # DESIGN §6: <= 4 h.
_PURPOSE: Final = "signed-path-1"
_NOTHING: Final = "0"
_SHAPE = re.compile(
    r"([0-9a-z]{20})\.(0|[0-9a-z]{20})\.(0|[0-9a-z]{20})\.([0-9]{1,11})\.([0-9a-z]{26})"
)


@dataclass(frozen=True, slots=True)
class SignedPath:
    """What a valid token says. ``account_id`` ``None`` has the rights of a stranger."""

    lecture_id: str
    broadcast_id: str | None
    account_id: str | None
    expires_at: datetime

    def covers(self, kind: str, object_id: str) -> bool:
        """Tell whether the token is about this object."""
        if kind == "media":
            return object_id == self.lecture_id
        return kind == "live" and self.broadcast_id is not None and object_id == self.broadcast_id


def sign_path(key: bytes, path: SignedPath, *, now: datetime) -> str:
    """Make the token of ``path``.

    Raises:
        InputError: It would live longer than 4 h, or an id has no id's shape.
    """
    if path.expires_at - now > MAX_LIFETIME:
        raise InputError("a signed path lives at most 4 h", field="expires_at", status=422)
    ids = (path.lecture_id, path.broadcast_id, path.account_id)
    if not all(part is None or is_id(part) for part in ids):
        raise InputError("a signed path is made of ids", status=422)
    fields = [part or _NOTHING for part in ids]
    fields.append(str(int(path.expires_at.timestamp())))
    return ".".join([*fields, derive_token(key, _PURPOSE, *fields)])


def read_token(key: bytes, token: str, *, now: datetime) -> SignedPath | None:
    """Read a token; ``None`` when it is malformed, forged or expired. Total, constant time."""
    match = _SHAPE.fullmatch(token)
    if match is None:
        return None
    *fields, mac = match.groups()
    if not is_same_secret(mac, derive_token(key, _PURPOSE, *fields)):
        return None
    expires_at = datetime.fromtimestamp(int(fields[3]), UTC)
    if not now < expires_at <= now + MAX_LIFETIME + timedelta(seconds=1):
        return None
    lecture_id, broadcast_id, account_id = (None if f == _NOTHING else f for f in fields[:3])
    if lecture_id is None:
        return None
    return SignedPath(lecture_id, broadcast_id, account_id, expires_at)
