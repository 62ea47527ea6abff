"""Stream keys and WHIP tokens: derived, shown again at any time, never stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.ids import derive_token, is_id, is_same_secret


@dataclass(frozen=True, slots=True)
class PublishKeys:
    """What an encoder (``stream_key``) and a browser (``whip_token``) show."""

    stream_key: str
    whip_token: str


def build_keys(secret: bytes, live_class_id: str, key_version: int) -> PublishKeys:
    """Derive the keys of a class; another ``key_version`` gives entirely different ones."""
    rtmp = derive_token(secret, "rtmp", live_class_id, str(key_version))
    return PublishKeys(
        stream_key=f"{live_class_id}-{rtmp}",
        whip_token=derive_token(secret, "whip", live_class_id, str(key_version)),
    )


def read_class_id(stream_key: str) -> str | None:
    """Return the class a stream key claims to be for; nothing is verified."""
    live_class_id, _, token = stream_key.partition("-")
    return live_class_id if token and is_id(live_class_id) else None


def is_right_credential(given: str, expected: str) -> bool:
    """Compare in constant time; what cannot be a key of ours is just wrong."""
    return given.isascii() and is_same_secret(given, expected)
