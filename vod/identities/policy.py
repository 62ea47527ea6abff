"""What an identity must prove, and which account it may open. Pure. No I/O, no clock."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from kernel.errors import NotAllowedError
from vod.accounts.roles import Role
from vod.identities.models import SUBJECT_CHARS

LEEWAY_S: Final = 60  # How far the provider's clock may be from ours.
OLDEST: Final = timedelta(hours=1)  # A token is fetched as it is made; an older one is replayed.
MAX_NAME_CHARS: Final = 64
# OpenID Connect Core §5.1: whoever relies on these must see that the provider checked them.
VERIFIED_BY: Final = {"email": "email_verified", "phone_number": "phone_number_verified"}
COLUMN_CHARS: Final = {"staff_no": 32, "phone": 20, "login": 64}


class Refusal(enum.StrEnum):
    """Why somebody is sent back to the sign-in page; the player has a sentence for each."""

    DOWN = "down"  # The provider does not answer, or not as it should.
    CANCELLED = "cancelled"  # The person or the provider said no.
    EXPIRED = "expired"  # No open attempt belongs to this answer.
    INVALID = "invalid"  # The answer proves nothing.
    UNKNOWN = "unknown"  # No account belongs to this identity.
    AMBIGUOUS = "ambiguous"  # Several do.
    TAKEN = "taken"  # The account belongs to another identity.
    DISABLED = "disabled"
    ADMIN = "admin"  # Administrators come with their password.
    THROTTLED = "throttled"


class RefusedError(NotAllowedError):
    """A sign-in through the provider that is not let in."""

    kind = "sign-in-refused"
    title_zh = "不能这样登录"

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as the provider proves it.

    Attributes:
        value: What the account is found by; empty when the provider did not say or check it.
        name: As it may be shown; may be empty.
    """

    issuer: str
    subject: str
    value: str
    name: str


def check_claims(
    claims: Mapping[str, Any],
    header: Mapping[str, Any],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    now: datetime,
) -> None:
    """Check an id token whose signature holds.

    Raises:
        RefusedError: ``INVALID``: it is not for us, not for this attempt, or not of now.

    Spec: OpenID Connect Core §3.1.3.7 (2 iss, 3 aud, 4-5 azp, 9 exp, 10 iat, 11 nonce).
    """
    _require_shapes(claims)
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if len(audience) > 1 and "azp" not in claims:
        raise RefusedError(Refusal.INVALID, "several audiences and no azp")
    now_s = int(now.timestamp())
    if claims["iat"] < now_s - OLDEST.total_seconds():
        raise RefusedError(Refusal.INVALID, "the id token was made long ago")
    token = CodeIDToken(
        dict(claims),
        dict(header),
        {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
        },
        {"nonce": nonce, "client_id": client_id},
    )
    try:
        token.validate(now=now_s, leeway=LEEWAY_S)
    except JoseError as error:
        raise RefusedError(Refusal.INVALID, f"id token: {error}") from error


def _require_shapes(claims: Mapping[str, Any]) -> None:
    """Claims are a stranger's JSON: refuse what is not of the type that is compared later."""
    audience = claims.get("aud")
    audience = audience if isinstance(audience, list) else [audience]
    subject = claims.get("sub")
    is_good = (
        all(isinstance(claims.get(name), str) for name in ("iss", "sub", "nonce"))
        and all(isinstance(name, str) for name in audience)
        and all(type(claims.get(name)) in (int, float) for name in ("exp", "iat"))
        and isinstance(claims.get("azp", ""), str)
        and type(claims.get("nbf", 0)) in (int, float)
        and isinstance(subject, str)
        and subject.isprintable()
        and 0 < len(subject) <= SUBJECT_CHARS
    )
    if not is_good:
        raise RefusedError(Refusal.INVALID, "claims of the id token are missing or misshapen")


def read_identity(claims: Mapping[str, Any], *, claim: str, match: str) -> Identity:
    """Read who it is from checked claims; e-mail and phone count only when they are verified."""
    raw = claims.get(claim)
    is_verified = claim not in VERIFIED_BY or claims.get(VERIFIED_BY[claim]) is True
    value = _settle(raw, match) if is_verified else ""
    name = claims.get("name")
    name = name if isinstance(name, str) else ""
    shown = "".join(sign for sign in name if sign.isprintable()).strip()[:MAX_NAME_CHARS]
    return Identity(claims["iss"], claims["sub"], value, shown)


def _settle(raw: object, match: str) -> str:
    if type(raw) is int:
        raw = str(raw)
    if not isinstance(raw, str) or not raw.isprintable():
        return ""
    text = raw.strip()
    if match == "login":
        text = text.lower()
    if match == "phone":
        text = "".join(sign for sign in text if sign not in " -()")
        text = text.removeprefix("+86").removeprefix("0086")
    return text if len(text) <= COLUMN_CHARS[match] else ""


def require_open(*, role: Role, is_disabled: bool, is_linked: bool) -> None:
    """Refuse accounts that no identity opens.

    The provider's claims do not make an administrator: whoever writes them there would be one.

    Raises:
        RefusedError: ``DISABLED``, or ``ADMIN`` for what is not linked yet.
    """
    if is_disabled:
        raise RefusedError(Refusal.DISABLED)
    if role is Role.ADMIN and not is_linked:
        raise RefusedError(Refusal.ADMIN)
