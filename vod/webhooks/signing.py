"""Sign what is delivered, as Standard Webhooks does. Pure.

Secrets are not stored: each is derived from the key of the house, the webhook and a number that
rotating raises. Whoever reads the database cannot sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every such secret begins, by the standard
OVERLAP: Final = timedelta(hours=24)  # The old secret signs too for so long after rotating.


def build_secret(key: bytes, webhook_id: str, number: int) -> str:
    """Derive the secret that is shown once: ``whsec_`` and 32 bytes in base64."""
    text = f"webhook\x00{webhook_id}\x00{number}".encode()
    return SECRET_PREFIX + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def sign(secret: str, event_id: str, body: bytes, *, timestamp_s: int) -> str:
    """Sign one delivery: ``v1,{base64}``.

    Args:
        timestamp_s: Seconds since 1970; receivers refuse what is far from their own clock.

    Spec: Standard Webhooks, "Signature scheme": HMAC-SHA256 over ``id.timestamp.body``.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    content = f"{event_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def build_headers(
    secrets: list[str], event_id: str, body: bytes, *, timestamp_s: int
) -> dict[str, str]:
    """Build the headers of a delivery; one signature for every secret that is valid now."""
    signed = [sign(secret, event_id, body, timestamp_s=timestamp_s) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signed),
    }


def find_secrets(
    key: bytes, webhook_id: str, number: int, rotated_at: datetime | None, *, now: datetime
) -> list[str]:
    """Find the secrets that sign now, the newest first: two for a day after rotating."""
    is_overlap = rotated_at is not None and number > 1 and now < rotated_at + OVERLAP
    numbers = [number, number - 1] if is_overlap else [number]
    return [build_secret(key, webhook_id, one) for one in numbers]
