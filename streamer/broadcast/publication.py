"""One admitted connection's way into its broadcast (``Publication``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.health import HealthMeter
from streamer.media import AudioConfig, AudioUnit, OpusUnit, VideoConfig, VideoUnit
from streamer.ports import EndReason, IngestConnection

if TYPE_CHECKING:
    from streamer.broadcast.broadcast import Broadcast


class ActivePublication:
    """Forwards units while its connection is the broadcast's publisher; ignores them afterwards."""

    def __init__(
        self, broadcast: Broadcast, connection: IngestConnection, meter: HealthMeter, now_s: float
    ) -> None:
        self._broadcast = broadcast
        self.connection = connection
        self.meter = meter
        self.is_active = True
        self.last_media_s = now_s

    @property
    def broadcast_id(self) -> str:
        return self._broadcast.broadcast_id

    def set_video_config(self, config: VideoConfig) -> None:
        if self.is_active:
            self._broadcast.fanout.set_video_config(config)
            self._broadcast.packager.set_video_config(config)

    def set_audio_config(self, config: AudioConfig) -> None:
        if self.is_active:
            self.meter.set_audio_config(config)
            self._broadcast.fanout.set_audio_config(config)
            self._broadcast.packager.set_audio_config(config)

    def write_video(self, unit: VideoUnit) -> None:
        if self.is_active:
            self.last_media_s = self._broadcast.clock.monotonic_s()
            self.meter.add_video(unit)
            self._broadcast.tally.add_ingest(self.connection.protocol, len(unit.data))
            self._broadcast.fanout.write(unit)
            self._broadcast.packager.write_video(unit)

    def write_audio(self, unit: AudioUnit) -> None:
        if self.is_active:
            self.last_media_s = self._broadcast.clock.monotonic_s()
            self.meter.add_audio(unit)
            self._broadcast.tally.add_ingest(self.connection.protocol, len(unit.data))
            self._broadcast.fanout.write(unit)
            self._broadcast.packager.write_audio(unit)

    def write_opus(self, unit: OpusUnit) -> None:
        if self.is_active:
            self._broadcast.fanout.write(unit)

    def count_dropped(self, count: int) -> None:
        if self.is_active:
            self.meter.add_dropped(count)
            self._broadcast.tally.lost_count += count

    def close(self, reason: EndReason) -> None:
        self._broadcast.leave(self, reason)
