"""What WHIP ingest needs from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from kernel.config import Settings
from streamer.rtc.ice import RtcNetwork

MAX_SDP_BYTES: Final = 128 * 1024  # Real offers are < 20 kB; caps memory per POST.
MAX_BITRATE_BPS: Final = 8_000_000  # What a 1080p class needs at most; the REMB we announce.


@dataclass(frozen=True, slots=True)
class WhipSettings:
    """Limits and addresses of WHIP ingest.

    Attributes:
        sessions_max_count: Publishers at once, all classes together.
        joins_per_s: New sessions a second in the long run; ``joins_burst_count`` at once.
        connect_deadline_s: From the answer to connected ICE and DTLS.
        stall_s: Without RTP for this long the publisher is gone.
    """

    network: RtcNetwork = field(default_factory=RtcNetwork)
    sessions_max_count: int = 32
    joins_per_s: float = 5.0
    joins_burst_count: int = 10
    connect_deadline_s: float = 15.0
    stall_s: float = 4.5
    max_bitrate_bps: int = MAX_BITRATE_BPS

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(network=RtcNetwork.from_settings(settings))
