"""Where nobody speaks: what ffmpeg's ``silencedetect`` wrote down, as ranges. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

SILENCE_DB: Final = -40  # Below speech at -16 LUFS by more than any pause between words breathes.
SILENCE_S: Final = 2.0  # A shorter one is a pause, not a place to cut.
MAX_RANGES_COUNT: Final = 500  # Told of one lecture: the longest ones.
_EVENT: Final = re.compile(r"lavfi\.silence_(start|end)=(-?\d{1,9}(?:\.\d{1,9})?)")


def parse_silences(
    text: str, *, duration_ms: int, max_count: int | None = MAX_RANGES_COUNT
) -> tuple[tuple[int, int], ...]:
    """Read the metadata that ``silencedetect`` hung on the frames.

    Args:
        text: Output of ``ametadata=print``.
        duration_ms: Of the whole; a silence that never ended ends there.
        max_count: Keep the longest ones; ``None`` keeps all.

    Returns:
        Half-open ranges in ms, in order, inside the lecture.
    """
    ranges = [
        (max(0, start), min(end, duration_ms))
        for start, end in _pair(text, duration_ms)
        if max(0, start) < min(end, duration_ms)
    ]
    longest = sorted(ranges, key=lambda item: item[0] - item[1])[:max_count]
    return tuple(sorted(longest))


def _pair(text: str, duration_ms: int) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for event in _EVENT.finditer(text):
        at_ms = round(float(event[2]) * 1000)
        if event[1] == "start":
            start = at_ms
        elif start is not None:
            yield start, at_ms
            start = None
    if start is not None:
        yield start, duration_ms
