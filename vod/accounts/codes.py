"""One-time codes: how somebody without a password signs in once to choose one. Pure.

Hashing 120 000 initial passwords with argon2 would take hours, so imported members have none. A
code has 60 random bits, so a keyed MAC of it may be stored instead; it ends with its first use
(choosing a password) or after ``CODE_LIFETIME``.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from kernel.ids import derive_token, is_same_secret

CODE_LIFETIME: Final = timedelta(days=30)  # Codes are printed and handed out at meetings.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstvwxyz"  # Nothing that looks like something else.
_GROUPS, _GROUP_CHARS = 3, 4


def generate_code() -> str:
    """Make a code to hand out, ``xxxx-xxxx-xxxx``."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS)
    )


def hash_code(secret: bytes, account_id: str, code: str) -> str:
    """Derive what is stored; blanks, hyphens and case do not matter."""
    settled = "".join(sign for sign in code.lower() if sign.isalnum())
    return derive_token(secret, "one-time-code", account_id, settled)


def is_right_code(
    given: str,
    *,
    secret: bytes,
    account_id: str,
    code_hash: str | None,
    expires_at: datetime | None,
    now: datetime,
) -> bool:
    """Tell whether ``given`` is the account's code and still good."""
    if code_hash is None or expires_at is None or now >= expires_at:
        return False
    return is_same_secret(hash_code(secret, account_id, given), code_hash)
