"""Loudness of a recording and the one gain that brings it towards -16 LUFS. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

TARGET_LUFS: Final = -16.0  # Speech on phones and in rooms; what podcast platforms ask for.
SILENCE_LUFS: Final = -60.0  # Below it there is no speech to raise, only noise.
MAX_RAISE_DB: Final = 20.0  # More lifts the hiss of the room with the voice.
MAX_LOWER_DB: Final = 30.0
_INTEGRATED: Final = re.compile(r"^\s*I:\s*(-?\d{1,3}\.\d)\s*LUFS", re.MULTILINE)


def parse_loudness(stderr: str) -> float | None:
    """Read the integrated loudness from the last summary of ffmpeg's ``ebur128``."""
    found = _INTEGRATED.findall(stderr)
    return float(found[-1]) if found else None


def combine_loudness(spans: Sequence[tuple[float, int]]) -> float | None:
    """Mean of the spans' energies, by length; silent spans do not count (as R128's gate does).

    Args:
        spans: Loudness in LUFS and length in any unit.
    """
    heard = [(lufs, length) for lufs, length in spans if lufs > SILENCE_LUFS and length > 0]
    if not heard:
        return None
    energy = sum(length * 10 ** (lufs / 10) for lufs, length in heard)
    return 10 * math.log10(energy / sum(length for _, length in heard))


def choose_gain_db(lufs: float | None) -> float:
    """Gain towards the target; silence is left alone."""
    if lufs is None:
        return 0.0
    return round(min(MAX_RAISE_DB, max(-MAX_LOWER_DB, TARGET_LUFS - lufs)), 2)
