"""How the time of what plays relates to the lecture's uncut time. Pure. No I/O, no clock.

Captions and chapters are kept in uncut time. What plays is the recording, an uncut asset, or a cut
one, which shows some ranges of the uncut lecture one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.captions import Cue, cut_cues
from kernel.layout import asset_prefix
from kernel.timing import TICKS_PER_S, rescale
from vod.assets.models import Asset
from vod.lectures.models import Lecture

MS_PER_S: Final = 1000
RECORDING_PLACE: Final = "r"  # Before the version of a recording; asset ids are longer.
MIN_CHAPTER_MS: Final = 1_000  # What is left of a chapter that was cut must be worth a jump.

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One thing that plays.

    Attributes:
        place: Names it in addresses: an asset's id, or ``r`` and a recording's version.
        duration_ticks: Of what plays.
        kept: Ranges of uncut time in ms; ``None`` when nothing was cut.
    """

    place: str
    duration_ticks: int
    kept: tuple[Range, ...] | None = None

    @property
    def duration_ms(self) -> int:
        """At least 1."""
        return max(1, to_ms(self.duration_ticks))

    def map_cues(self, cues: Sequence[Cue]) -> tuple[Cue, ...]:
        """Carry cues of the uncut lecture over to what plays."""
        return tuple(cues) if self.kept is None else cut_cues(cues, self.kept)


def to_ms(ticks: int) -> int:
    return rescale(ticks, from_hz=TICKS_PER_S, to_hz=MS_PER_S)


def find_folder(asset: Asset) -> str:
    """Folder of an asset in the blob store, also below ``/media/{lecture}/``."""
    return asset_prefix(asset.id, plan_hash=asset.plan_hash, is_partial=asset.is_partial)


def read_timeline(asset: Asset) -> Timeline:
    """Timeline of an asset; its report says what a cut one shows."""
    kept = asset.report.get("kept")
    ranges = None if kept is None else tuple(_join(map(_read_range, kept)))
    return Timeline(asset.id, asset.duration_ticks, ranges)


def _read_range(kept: dict[str, Any]) -> Range:
    return to_ms(kept["start_ticks"]), to_ms(kept["end_ticks"])


def _join(ranges: Iterable[Range]) -> Iterable[Range]:
    """Drop what rounding left empty; ranges are ascending and disjoint in the report."""
    previous = 0
    for start, end in ranges:
        if end > max(start, previous):
            yield max(start, previous), end
            previous = end


def find_timeline(lecture: Lecture, asset: Asset | None) -> Timeline:
    """Timeline of what a lecture plays now."""
    if asset is not None:
        return read_timeline(asset)
    return Timeline(f"{RECORDING_PLACE}{lecture.recording_version or 0}", lecture.duration_ticks)


def map_chapters(
    chapters: Iterable[tuple[int, str]], timeline: Timeline
) -> list[tuple[int, int, str]]:
    """Carry chapters over to what plays.

    Args:
        chapters: ``(start_ms, title)`` in uncut time, ascending; each runs to the next one.

    Returns:
        ``(start_ms, end_ms, title)``. A chapter whose beginning was cut out begins with what is
        left of it; one that was cut out altogether is not there.
    """
    if not (listed := list(chapters)):
        return []
    kept = timeline.kept or ((0, timeline.duration_ms),)
    ends = [start for start, _ in listed[1:]] + [max(kept[-1][1], timeline.duration_ms)]
    mapped = []
    for (start, title), end in zip(listed, ends, strict=True):
        first, last = _map_span(start, end, kept)
        is_whole = timeline.kept is None or end - start < MIN_CHAPTER_MS
        if last - first >= (1 if is_whole else MIN_CHAPTER_MS):
            mapped.append((first, last, title))
    return mapped


def _map_span(start: int, end: int, kept: Sequence[Range]) -> Range:
    """Where the kept parts of ``[start, end)`` lie, as one span of what plays."""
    offset = first = length = 0
    for range_start, range_end in kept:
        overlap = max(0, min(end, range_end) - max(start, range_start))
        if overlap and not length:
            first = offset + max(start, range_start) - range_start
        length += overlap
        offset += range_end - range_start
    return first, first + length
