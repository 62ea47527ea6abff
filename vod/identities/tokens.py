"""Signatures of id tokens: keys of a provider, and which of them signed what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from vod.identities.policy import Refusal, RefusedError

# Signatures with a public key only: "none" proves nothing, and with HS256 a public key read as a
# shared secret would sign.
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
)
KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
MAX_TOKEN_CHARS: Final = 16 * 1024  # Real ones have 1-2 kB.
MAX_KEYS: Final = 32
MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and its name at the provider."""

    kid: str | None
    key: Key


def parse_keys(document: Any) -> tuple[SigningKey, ...]:
    """Read the keys of a JWK set that verify signatures; whatever else is in it is left out."""
    entries = document.get("keys") if isinstance(document, dict) else None
    found = []
    for entry in entries[:MAX_KEYS] if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("kty") not in KEY_TYPES:
            continue
        if entry.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(entry)
            # Reading is lazy: a key that is none shows itself here.
            bits = getattr(key.get_op_key("verify"), "key_size", MIN_RSA_BITS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue  # One broken key does not make the others useless.
        if entry["kty"] == "RSA" and bits < MIN_RSA_BITS:
            continue
        kid = entry.get("kid")
        found.append(SigningKey(kid if isinstance(kid, str) else None, key))
    return tuple(found)


def read_header(token: str) -> dict[str, Any]:
    """Read the header of a token that nobody has checked yet.

    Raises:
        RefusedError: ``INVALID``: it is none, or signed with what we do not take.
    """
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise RefusedError(Refusal.INVALID, "the id token is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise RefusedError(Refusal.INVALID, "the id token is no JWS") from error
    if header.get("alg") not in ALGORITHMS:
        raise RefusedError(Refusal.INVALID, f"alg {str(header.get('alg'))[:20]!r} is not taken")
    return dict(header)


def choose_key(keys: Sequence[SigningKey], header: dict[str, Any]) -> Key | None:
    """Find the key a header names; without a name there must be only one."""
    kid = header.get("kid")
    if kid is None:
        return keys[0].key if len(keys) == 1 else None
    return next((known.key for known in keys if known.kid == kid), None)


def verify_token(token: str, key: Key) -> dict[str, Any]:
    """Check the signature; return the claims, which are still to be checked.

    Raises:
        RefusedError: ``INVALID``: this key did not sign that.
    """
    try:
        return dict(jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError) as error:
        raise RefusedError(Refusal.INVALID, f"id token: {error}") from error
