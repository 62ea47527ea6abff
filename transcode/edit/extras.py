"""What an asset has beside its media, moved to the time of a cut. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from kernel.timing import TICKS_PER_S
from transcode.posters import read_poster_time
from transcode.storyboard import map_tiles, parse_vtt, render_vtt

MAX_STEPS: Final = 20_000  # Of a waveform; ours have at most 11 000.


class CutClock:
    """Base time to out time and back, in ticks.

    Args:
        kept: Half-open ranges in base ticks, in order.
        places: Out ticks where each begins, and where the last one ends.
    """

    def __init__(self, kept: Sequence[tuple[int, int]], places: Sequence[int]) -> None:
        self.kept = tuple(kept)
        self.places = tuple(places)

    @property
    def duration_ticks(self) -> int:
        return self.places[-1]

    def is_kept(self, base_ticks: int) -> bool:
        return any(start <= base_ticks < end for start, end in self.kept)

    def to_base(self, out_ticks: int) -> int:
        """Base time of what is shown at ``out_ticks``."""
        number = min(len(self.kept), max(1, bisect_right(self.places, out_ticks))) - 1
        return self.kept[number][0] + out_ticks - self.places[number]

    @property
    def kept_ms(self) -> list[tuple[int, int]]:
        return [(_to_ms(start), _to_ms(end)) for start, end in self.kept]

    def place_ms(self, base_start_ms: int) -> int:
        """Out time of the start of a range of ``kept_ms``."""
        number = next(n for n, (start, _) in enumerate(self.kept_ms) if start == base_start_ms)
        return _to_ms(self.places[number])


def _to_ms(ticks: int) -> int:
    return ticks * 1000 // TICKS_PER_S


def cut_storyboard(text: str, clock: CutClock) -> str:
    """Move the tiles; the sheets stay as they are."""
    return render_vtt(map_tiles(parse_vtt(text), clock.kept_ms, clock.place_ms))


def choose_kept_posters(names: Sequence[str], clock: CutClock) -> tuple[str, ...]:
    """Keep the candidates that are still shown; their names go on telling uncut time."""
    kept: list[str] = []
    for name in names:
        at_s = read_poster_time(name)
        if at_s is not None and clock.is_kept(round(at_s * TICKS_PER_S)):
            kept.append(name)
    return tuple(kept)


def cut_slides(text: str, clock: CutClock) -> str:
    """Keep the changes that are still shown; they stay in uncut time, as chapters do. Total."""
    slides = [
        item
        for item in _read_list(text, "slides")
        if isinstance(item, dict)
        and isinstance(at_s := item.get("start_s"), int | float)
        and clock.is_kept(round(at_s * TICKS_PER_S))
    ]
    return json.dumps({"slides": slides}, indent=1)


def cut_waveform(text: str, clock: CutClock) -> str | None:
    """Take the peaks of what is kept; ``None`` when the waveform is not ours."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    peaks = document.get("peaks") if isinstance(document, dict) else None
    step_ms = document.get("step_ms") if isinstance(document, dict) else None
    if not isinstance(peaks, list) or not isinstance(step_ms, int) or not peaks or step_ms < 1:
        return None
    step = step_ms * TICKS_PER_S // 1000
    count = min(MAX_STEPS, -(-clock.duration_ticks // step))
    moved = [
        peaks[min(len(peaks) - 1, clock.to_base(number * step + step // 2) // step)]
        for number in range(count)
    ]
    silences = _cut_silences(document.get("silences"), clock)
    return json.dumps({**document, "peaks": moved, "silences": silences}, separators=(",", ":"))


def _cut_silences(silences: Any, clock: CutClock) -> list[list[int]]:
    found: list[list[int]] = []
    if not isinstance(silences, list):
        return found
    for (start, end), place in zip(clock.kept_ms, clock.places, strict=False):
        for item in silences:
            if not isinstance(item, list) or len(item) != 2:  # noqa: PLR2004 - start and end
                continue
            low, high = max(start, item[0]), min(end, item[1])
            if low < high:
                out = _to_ms(place)
                found.append([out + low - start, out + high - start])
    return found


def _read_list(text: str, key: str) -> list[Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return []
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, list) else []
