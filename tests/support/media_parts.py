"""Parts, segments and epochs as a packager would hand them over; the media is numbered bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from streamer.ports import EndReason, EpochInfo, PackagerSink, Part, SegmentInfo

PART_TICKS = 45_000


def build_epoch(epoch: int, *, first_msn: int = 0, start_ticks: int = 0) -> EpochInfo:
    return EpochInfo(
        epoch=epoch,
        discontinuity=epoch,
        first_msn=first_msn,
        start_ticks=start_ticks,
        program_date_time=datetime(2026, 7, 1, 8, 0, epoch % 60, tzinfo=UTC),
        inits={
            "av": (f"init-aa{epoch:02}.mp4", b"av-init-%d" % epoch),
            "audio": (f"init-bb{epoch:02}.mp4", b"audio-init-%d" % epoch),
        },
        video_codec="avc1.64001f",
        width_px=320,
        height_px=180,
        audio_codec="mp4a.40.2",
        sample_rate_hz=48_000,
        channels_count=2,
        protocol="rtmp",
        frame_rate=25.0,
    )


@dataclass
class PartSource:
    """Feeds a sink like a packager: counters run on over epochs.

    ``media[(rendition, msn)]`` is what each segment must read back as.
    """

    sink: PackagerSink
    epoch: int = -1
    msn: int = 0
    ticks: int = 0
    media: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def open_epoch(self, epoch: int | None = None) -> None:
        self.epoch = self.epoch + 1 if epoch is None else epoch
        self.sink.on_epoch(build_epoch(self.epoch, first_msn=self.msn, start_ticks=self.ticks))

    def write_part(self, index: int, *, size_bytes: int = 1000) -> None:
        tag = b"%d/%d/%d;" % (self.epoch, self.msn, index)
        media = {
            "av": (b"av" + tag) * (size_bytes // 10 + 1),
            "audio": (b"au" + tag) * (size_bytes // 40 + 1),
        }
        for rendition, data in media.items():
            self.media[rendition, self.msn] = self.media.get((rendition, self.msn), b"") + data
        self.sink.on_part(
            Part(self.epoch, self.msn, index, self.ticks, PART_TICKS, index == 0, media)
        )
        self.ticks += PART_TICKS

    def close_segment(self, parts_count: int) -> None:
        sizes = {name: len(self.media[name, self.msn]) for name in ("av", "audio")}
        duration = parts_count * PART_TICKS
        self.sink.on_segment(
            SegmentInfo(self.epoch, self.msn, self.ticks - duration, duration, sizes, parts_count)
        )
        self.msn += 1

    def write_segment(self, parts_count: int = 4, *, size_bytes: int = 1000) -> None:
        for index in range(parts_count):
            self.write_part(index, size_bytes=size_bytes)
        self.close_segment(parts_count)

    def close_epoch(self, reason: EndReason = EndReason.CLOSED_BY_PUBLISHER) -> None:
        self.sink.on_epoch_end(self.epoch, reason)
