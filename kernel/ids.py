"""Identifiers and secrets. Pure apart from the random source and the clock it is given."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u.
_ID_CHARS = 20
_ID_PATTERN = re.compile(rf"[{_ALPHABET}]{{{_ID_CHARS}}}")
_RANDOM_BITS = 52
_MAC_CHARS = 26  # 130 bits: more than anybody can guess, short enough to copy by hand.


def new_id(*, now_ms: int | None = None) -> str:
    """Make an identifier: 48 bits of milliseconds, 52 random bits, 20 characters, sortable."""
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return _encode(
        ((milliseconds & (1 << 48) - 1) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    )


def is_id(text: str) -> bool:
    """Tell whether ``text`` has the shape of :func:`new_id`; safe to put in a path when it has."""
    return _ID_PATTERN.fullmatch(text) is not None


def new_secret() -> str:
    """Make an unguessable URL-safe token of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Hash a high-entropy token for storage (SHA-256, hex). Not for passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derive_token(key: bytes, *parts: str) -> str:
    """Derive a stable unguessable token from ``parts`` under ``key`` (HMAC-SHA-256, base 32)."""
    digest = hmac.new(key, "\x00".join(parts).encode(), hashlib.sha256).digest()
    return _encode(int.from_bytes(digest[:17], "big"), chars=_MAC_CHARS)


def is_same_secret(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def _encode(number: int, *, chars: int = _ID_CHARS) -> str:
    digits = []
    for _ in range(chars):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
