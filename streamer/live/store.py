"""Bytes of the newest segments in memory, part by part. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from kernel.layout import Rendition
from kernel.timing import TICKS_PER_S
from streamer.ports import Part

MEMORY_TICKS: Final = 60 * TICKS_PER_S  # 3 target durations of parts listed + 3 more to fetch them,
# and room for players that are behind; older ones come from the spool.
MEMORY_BYTES: Final = 96 * 1024 * 1024  # 60 s at 12 Mbit/s; above it the oldest segments go first.
KEPT_SEGMENTS_COUNT: Final = 4  # Never forgotten for their size: those that list parts (the open
# one and two closed ones), and one for players whose playlist is a version old.


@dataclass(slots=True)
class StoredSegment:
    """Parts of one segment; ``epoch`` is part of their address."""

    epoch: int
    msn: int
    end_ticks: int
    parts: list[dict[Rendition, bytes]] = field(default_factory=list)
    size_bytes: int = 0

    def join(self, rendition: Rendition) -> list[bytes]:
        return [part[rendition] for part in self.parts]


class MediaStore:
    """The newest segments by msn.

    Bounded in lecture time and bytes; full: the oldest closed segment goes. Forgetting is
    reported, because a gap of the recording shows from then on.
    """

    def __init__(self, *, max_ticks: int = MEMORY_TICKS, max_bytes: int = MEMORY_BYTES) -> None:
        self._max_ticks, self._max_bytes = max_ticks, max_bytes
        self._segments: OrderedDict[int, StoredSegment] = OrderedDict()
        self.size_bytes = 0

    def __contains__(self, msn: int) -> bool:
        return msn in self._segments

    @property
    def oldest_msn(self) -> int | None:
        return next(iter(self._segments), None)

    def get(self, msn: int) -> StoredSegment | None:
        return self._segments.get(msn)

    def add(self, part: Part) -> list[int]:
        """Keep a part; return the msn of segments that were forgotten for it."""
        segment = self._segments.get(part.msn)
        if segment is None:
            segment = self._segments[part.msn] = StoredSegment(part.epoch, part.msn, 0)
        segment.parts.append(part.media)
        segment.end_ticks = part.start_ticks + part.duration_ticks
        media = part.media
        # Without pictures both renditions are one object.
        added = len(media["audio"]) + (0 if media["av"] is media["audio"] else len(media["av"]))
        segment.size_bytes += added
        self.size_bytes += added
        return self._forget(segment.end_ticks)

    def clear(self) -> None:
        self._segments.clear()
        self.size_bytes = 0

    def _forget(self, edge_ticks: int) -> list[int]:
        forgotten: list[int] = []
        while len(self._segments) > KEPT_SEGMENTS_COUNT:
            oldest = next(iter(self._segments.values()))
            is_old = oldest.end_ticks < edge_ticks - self._max_ticks
            if not is_old and self.size_bytes <= self._max_bytes:
                break
            self._segments.popitem(last=False)
            self.size_bytes -= oldest.size_bytes
            forgotten.append(oldest.msn)
        return forgotten
