"""What WHEP egress needs from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from kernel.config import Settings
from streamer.rtc.ice import RtcNetwork


@dataclass(frozen=True, slots=True)
class WhepSettings:
    """Limits and addresses of WHEP egress.

    Attributes:
        seats_count: Viewers at once, all broadcasts together; 0 turns WHEP off.
        connect_deadline_s: From the answer to connected ICE and DTLS.
    """

    network: RtcNetwork = field(default_factory=RtcNetwork)
    seats_count: int = 50
    joins_per_s: float = 10.0
    joins_burst_count: int = 20
    connect_deadline_s: float = 15.0

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(network=RtcNetwork.from_settings(settings), seats_count=settings.whep_seats)
