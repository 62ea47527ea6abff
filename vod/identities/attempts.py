"""One attempt to sign in elsewhere: what its cookie holds and what is derived from it. Pure.

The cookie holds a random token, its end and the page to go on to, under a MAC. ``state``, ``nonce``
and the PKCE verifier are derived from the token with our own key, so that the browser never holds
the verifier and no table of open attempts is needed.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from kernel.ids import derive_token, is_same_secret, new_secret

LIFETIME: Final = timedelta(minutes=10)  # Time to find the other password; not a day's work.
MAX_COOKIE_CHARS: Final = 2048
MAX_NEXT_CHARS: Final = 500
_PATH: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A browser that was sent to the provider and may come back until ``expires_at``."""

    token: str
    next_path: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptKeys:
    """What the provider is given and has to give back."""

    state: str
    nonce: str
    verifier: str


def start_attempt(next_path: str, now: datetime) -> Attempt:
    """Begin one; a page elsewhere becomes the home page."""
    return Attempt(new_secret(), settle_next(next_path), now + LIFETIME)


def settle_next(path: str) -> str:
    """Return ``path`` if it is a path of this site, else ``/``: no redirect leads elsewhere."""
    return path if len(path) <= MAX_NEXT_CHARS and _PATH.fullmatch(path) else "/"


def derive_keys(secret: bytes, attempt: Attempt) -> AttemptKeys:
    """Derive what belongs to the attempt.

    Spec: RFC 7636 §4.1: a verifier has 43 to 128 characters; this one 52 with 260 bits.
    """
    first, second = (
        derive_token(secret, f"oidc-verifier-{part}", attempt.token) for part in (1, 2)
    )
    return AttemptKeys(
        state=derive_token(secret, "oidc-state", attempt.token),
        nonce=derive_token(secret, "oidc-nonce", attempt.token),
        verifier=first + second,
    )


def encode_attempt(secret: bytes, attempt: Attempt) -> str:
    """Write the cookie."""
    members = [attempt.token, attempt.next_path, int(attempt.expires_at.timestamp())]
    body = base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")
    return f"{body}.{derive_token(secret, 'oidc-attempt', body)}"


def decode_attempt(secret: bytes, cookie: str, now: datetime) -> Attempt | None:
    """Read the cookie; ``None`` if it is not ours, changed or over."""
    body, _, mac = cookie.partition(".")
    if len(cookie) > MAX_COOKIE_CHARS or not cookie.isascii():
        return None
    if not is_same_secret(mac, derive_token(secret, "oidc-attempt", body)):
        return None
    token, next_path, ends_s = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    attempt = Attempt(token, settle_next(next_path), datetime.fromtimestamp(ends_s, UTC))
    return attempt if now < attempt.expires_at else None
