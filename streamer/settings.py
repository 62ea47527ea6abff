"""What streamer takes from the project's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kernel.config import Settings


@dataclass(frozen=True, slots=True)
class StreamerSettings:
    """Addresses and folders of one streamer process.

    Attributes:
        media_address: ``unix:`` or ``tcp:`` address of ``/live``, ``/whip``, ``/whep``.
        internal_address: The private listener.
        vod_peer: Where vod's private listener is.
        spool: Folder of what is recorded and not stored yet.
        gate_socket: Where a gate on this machine takes parts into its cache; may be absent.
    """

    media_address: str
    internal_address: str
    vod_peer: str
    rtmp_host: str
    rtmp_port: int
    spool: Path
    gate_socket: Path

    @classmethod
    def from_settings(cls, settings: Settings) -> StreamerSettings:
        return cls(
            media_address=settings.streamer_address,
            internal_address=settings.streamer_internal_address,
            vod_peer=settings.vod_internal_peer,
            rtmp_host=settings.bind,
            rtmp_port=settings.rtmp_port,
            spool=settings.data / "spool",
            gate_socket=settings.gate_socket,
        )
