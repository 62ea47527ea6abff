"""The outline of the sound for the editor's time bar: peaks as small integers. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

MAX_PEAKS_COUNT: Final = 11_000  # With the silences, the file of any lecture stays under 64 kB.
SHORTEST_STEP_MS: Final = 50  # Finer than a pixel of any time bar that shows a whole lecture.
FULL_SCALE: Final = 255
_PEAK: Final = re.compile(r"Overall\.Peak_level=(-inf|nan|-?\d{1,4}(?:\.\d{1,9})?)")


def choose_step_ms(duration_ms: int) -> int:
    """Distance of the peaks: a multiple of 50 ms, at most ``MAX_PEAKS_COUNT`` of them."""
    smallest = -(-duration_ms // MAX_PEAKS_COUNT)
    return max(1, -(-smallest // SHORTEST_STEP_MS)) * SHORTEST_STEP_MS


def parse_peaks(text: str) -> tuple[int, ...]:
    """Read what ``astats`` measured per step; 255 is full scale, the scale is linear."""
    return tuple(_scale(found) for found in _PEAK.findall(text))


def _scale(decibels: str) -> int:
    if decibels in {"-inf", "nan"}:
        return 0
    return min(FULL_SCALE, round(FULL_SCALE * 10 ** (float(decibels) / 20)))


def render_waveform(
    peaks: Sequence[int], *, step_ms: int, silences: Sequence[tuple[int, int]] = ()
) -> str:
    """Render ``waveform.json``: peak ``n`` is the loudest sample of ``[n, n + 1) * step_ms``.

    Args:
        silences: Half-open ranges in ms, told so that the editor can jump to them.
    """
    document = {
        "version": 1,
        "step_ms": step_ms,
        "peaks": list(peaks),
        "silences": [list(item) for item in silences],
    }
    return json.dumps(document, separators=(",", ":"))
