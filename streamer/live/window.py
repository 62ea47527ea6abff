"""The live window of one broadcast (signatures; being filled in)."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.ports import EndReason, EpochInfo, Part, SegmentInfo, SegmentReader


class LiveWindow:
    """A ``PackagerSink`` that holds what viewers can ask for."""

    def __init__(self, broadcast_id: str, reader: SegmentReader) -> None: ...

    def restore(
        self,
        epochs: Sequence[EpochInfo],
        segments: Sequence[SegmentInfo],
        *,
        is_ended: bool = False,
    ) -> None:
        """Fill an empty window from the journal; nothing of it is in memory."""

    def mark_gap(self, msn: int) -> None:
        """The recorder could not keep this segment: a gap once memory forgets it."""

    @property
    def is_ended(self) -> bool:
        raise NotImplementedError

    @property
    def duration_ticks(self) -> int:
        """Lecture time published so far, parts of the open segment included."""
        raise NotImplementedError

    def on_epoch(self, epoch: EpochInfo) -> None: ...

    def on_part(self, part: Part) -> None: ...

    def on_segment(self, segment: SegmentInfo) -> None: ...

    def on_epoch_end(self, epoch: int, reason: EndReason) -> None: ...

    def on_end(self) -> None: ...

    def on_reopen(self) -> None: ...
