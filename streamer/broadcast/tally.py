"""What one broadcast counts while it is at hand. Only goes up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counters of a broadcast since this process took it up.

    Attributes:
        lost_count: Media units that ingest reported as lost or refused.
        gaps_count: Segments whose media was not kept.
    """

    rtmp_bytes: int = 0
    whip_bytes: int = 0
    parts_count: int = 0
    segments_count: int = 0
    gaps_count: int = 0
    lost_count: int = 0

    def add_ingest(self, protocol: str, size_bytes: int) -> None:
        """Count accepted media."""
        if protocol == "whip":
            self.whip_bytes += size_bytes
        else:
            self.rtmp_bytes += size_bytes
