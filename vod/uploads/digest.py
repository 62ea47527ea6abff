"""How a file is cut into parts, and its digest that survives interruptions. Pure. No I/O.

The digest of a file is the SHA-256 over the SHA-256 digests of its parts (a tree of depth two):
hashlib cannot save its state, but a part's digest fits into the part's row, so an upload that goes
on after a restart, on another vod even, reads nothing again. The parts depend on the file's size
alone; two files have the same digest exactly when they have the same bytes. ``t1`` names the rule:
whoever changes it must change the name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kernel.blobs.port import MAX_PARTS

PART_BYTES: Final = 8 * 1024 * 1024  # One is in memory per connection; S3 wants at least 5 MiB.
STEP_BYTES: Final = 1024 * 1024
_RULE: Final = "t1"
DIGEST_PATTERN: Final = rf"^{_RULE}:[0-9a-f]{{64}}$"


def choose_part_bytes(size_bytes: int) -> int:
    """Size of all parts but the last: 8 MiB, more only where ``MAX_PARTS`` would not do."""
    least = -(-size_bytes // MAX_PARTS)
    return max(PART_BYTES, -(-least // STEP_BYTES) * STEP_BYTES)


def digest_part(data: bytes) -> str:
    """SHA-256 of a part, hex. Cost: 5-20 ms for 8 MiB, so not on the loop."""
    return hashlib.sha256(data).hexdigest()


def digest_file(part_digests: Iterable[str]) -> str:
    """Digest of a whole file from those of its parts, in order."""
    tree = hashlib.sha256()
    for digest in part_digests:
        tree.update(bytes.fromhex(digest))
    return f"{_RULE}:{tree.hexdigest()}"


def digest_path_blocking(path: Path) -> str:
    """Digest of a local file, as an upload of it would get. Cost: reads the file once."""
    part_bytes = choose_part_bytes(path.stat().st_size)
    with path.open("rb") as source:
        return digest_file(map(digest_part, iter(lambda: source.read(part_bytes), b"")))
