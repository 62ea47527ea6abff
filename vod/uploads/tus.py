"""The words of tus 1.0: headers in, headers out. Pure. No I/O, no clock.

Spec: https://tus.io/protocols/resumable-upload (1.0.0): core, creation, creation-with-upload,
expiration, checksum, termination.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from kernel.errors import InputError

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation",
    "creation-with-upload",
    "expiration",
    "checksum",
    "termination",
)
CHECKSUMS: Final = ("sha1", "sha256")
BODY_TYPE: Final = "application/offset+octet-stream"
MAX_METADATA_CHARS: Final = 6_000  # The gate takes lines of 8 kB.
MAX_NUMBER_DIGITS: Final = 18  # More digits than any size has; caps what int() must parse.

RESUMABLE: Final = "Tus-Resumable"
LENGTH: Final = "Upload-Length"
OFFSET: Final = "Upload-Offset"
METADATA: Final = "Upload-Metadata"
EXPIRES: Final = "Upload-Expires"
CHECKSUM: Final = "Upload-Checksum"
METHOD_OVERRIDE: Final = "X-HTTP-Method-Override"


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the body of one request must hash to."""

    algorithm: str
    digest: bytes

    def new_hash(self) -> Any:
        """Begin the hash that the body goes through."""
        return hashlib.new(self.algorithm)


def require_version(headers: Mapping[str, str]) -> None:
    """Refuse another protocol version.

    Raises:
        InputError: 412. Spec: core, "Tus-Resumable".
    """
    if headers.get(RESUMABLE) != VERSION:
        raise InputError(f"{RESUMABLE} must be {VERSION}", field=RESUMABLE, status=412)


def parse_length(headers: Mapping[str, str]) -> int:
    """Read ``Upload-Length``: the size of the whole file, in bytes.

    Raises:
        InputError: 400; it is missing, or the size comes later (we do not take that).
    """
    if LENGTH not in headers:
        raise InputError(f"{LENGTH} is needed", field=LENGTH)
    return _parse_number(headers[LENGTH], LENGTH)


def parse_offset(headers: Mapping[str, str]) -> int:
    """Read ``Upload-Offset``.

    Raises:
        InputError: 400.
    """
    return _parse_number(headers.get(OFFSET, ""), OFFSET)


def _parse_number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_DIGITS):
        raise InputError(f"{name} must be a number of bytes", field=name)
    return int(text)


def require_body_type(content_type: str) -> None:
    """Spec: PATCH requests MUST use ``Content-Type: application/offset+octet-stream``; else 415."""
    if content_type != BODY_TYPE:
        raise InputError(f"the body must be {BODY_TYPE}", field="Content-Type", status=415)


def parse_metadata(text: str) -> dict[str, str]:
    """Read ``Upload-Metadata``: ``key base64,key base64,key``.

    Raises:
        InputError: 400; too long, a key twice, no base64, no UTF-8.
    """
    if len(text) > MAX_METADATA_CHARS:
        raise InputError(f"{METADATA} has more than {MAX_METADATA_CHARS} characters")
    found: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else []:
        key, _, value = pair.strip().partition(" ")
        if not key or not key.isascii() or key in found:
            raise InputError(f"{METADATA}: an empty or repeated key", field=METADATA)
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise InputError(f"{METADATA}: {key} is not UTF-8 in base64", field=METADATA) from error
    return found


def parse_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Read ``Upload-Checksum``.

    Raises:
        InputError: 400; an algorithm that we do not have, or no digest of its length.
    """
    text = headers.get(CHECKSUM)
    if text is None:
        return None
    algorithm, _, value = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise InputError(f"{CHECKSUM}: give one of {', '.join(CHECKSUMS)}", field=CHECKSUM)
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{CHECKSUM}: not base64", field=CHECKSUM) from error
    if len(digest) != hashlib.new(algorithm).digest_size:
        raise InputError(f"{CHECKSUM}: not the length of a {algorithm}", field=CHECKSUM)
    return Checksum(algorithm, digest)


def build_options(max_bytes: int) -> dict[str, str]:
    """Headers of the answer to OPTIONS."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(max_bytes),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }


def format_expires(moment: datetime) -> str:
    """Spec: ``Upload-Expires`` is an RFC 9110 datetime; ``moment`` is in UTC."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
