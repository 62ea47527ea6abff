"""Read what ``ffmpeg -progress pipe:1`` prints. Pure and total: no bytes are an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LINE_BYTES: Final = 4096  # A longer line is no progress; it is dropped up to its end.
MAX_DIGITS: Final = 18  # Longer numbers are nonsense, and int() on huge ones is slow.


@dataclass(frozen=True, slots=True)
class Progress:
    """One block of progress.

    Attributes:
        frame: Frames written by the first video output, 0 without one.
        out_time_us: Media time written; 0 while unknown.
        total_bytes: Written so far; 0 while unknown.
        is_end: The last block.
    """

    frame: int = 0
    out_time_us: int = 0
    total_bytes: int = 0
    is_end: bool = False


class ProgressParser:
    """Collect ``key=value`` lines into blocks.

    A block ends with the line ``progress=continue`` or ``progress=end``. Memory is bounded by
    ``MAX_LINE_BYTES``.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False
        self._fields: dict[bytes, int] = {}

    def feed(self, data: bytes) -> list[Progress]:
        """Take any slice of the stream; return the blocks it completes."""
        blocks: list[Progress] = []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._is_skipping:
                self._is_skipping = False
                continue
            block = self._take_line(line)
            if block is not None:
                blocks.append(block)
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest, self._is_skipping = b"", True
        return blocks

    def _take_line(self, line: bytes) -> Progress | None:
        key, _, value = line.strip().partition(b"=")
        if key in {b"frame", b"out_time_us", b"total_size"}:
            self._fields[key] = _parse_count(value)
            return None
        if key != b"progress":
            return None
        fields, self._fields = self._fields, {}
        return Progress(
            frame=fields.get(b"frame", 0),
            out_time_us=fields.get(b"out_time_us", 0),
            total_bytes=fields.get(b"total_size", 0),
            is_end=value.strip() == b"end",
        )


def _parse_count(value: bytes) -> int:
    """A non-negative integer; ``N/A``, negative and absurd values count as 0."""
    text = value.strip()
    return int(text) if text.isdigit() and len(text) <= MAX_DIGITS else 0
