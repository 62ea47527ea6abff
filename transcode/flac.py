"""How many samples a FLAC file holds: read from its first block, nothing is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kernel.errors import EncodeError

HEAD_BYTES: Final = 42  # "fLaC", the header of the block, STREAMINFO.
_COUNT_AT: Final = slice(8 + 13, 8 + 18)  # Five bytes, of which the lower 36 bits count samples.


def count_samples(head: bytes) -> int:
    """Read the total of samples per channel from the start of a file.

    Raises:
        EncodeError: No FLAC, or one that was not finished.

    Spec: RFC 9639 §8.2 (STREAMINFO: 36 bits of samples after rate, channels and depth).
    """
    if len(head) < HEAD_BYTES or head[:4] != b"fLaC" or head[4] & 0x7F:
        raise EncodeError("the decoded sound is no FLAC file")
    return int.from_bytes(head[_COUNT_AT], "big") & ((1 << 36) - 1)


def count_samples_blocking(path: Path) -> int:
    """The same for a file.

    Raises:
        EncodeError: As above, or it is not there: nothing was decoded.
    """
    try:
        with path.open("rb") as source:
            return count_samples(source.read(HEAD_BYTES))
    except OSError as error:
        raise EncodeError(f"no decoded sound: {error}") from error
