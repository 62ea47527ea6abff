"""What was recorded of a broadcast: the index that replay and transcoding are built from. Pure.

Lecture time is the sum of the segment durations, in ticks of 1/90000 s from the first segment
(DESIGN §4.2); it has no holes. ``start_ticks`` of a segment is its place on that axis and equals
the ``tfdt`` of its media.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordedSegment(_Frozen):
    """One segment of both renditions.

    Attributes:
        msn: Media sequence number, unique in the broadcast.
        start_ticks: Lecture time of its start, 1/90000 s.
        duration_ticks: > 0.
        av_bytes: Size of the ``av`` segment; 0 when ``is_gap``.
        audio_bytes: Size of the ``audio`` segment; 0 when ``is_gap``.
        is_gap: The media was lost (full disk): EXT-X-GAP, nothing to fetch.
    """

    msn: int = Field(ge=0)
    start_ticks: int = Field(ge=0)
    duration_ticks: int = Field(gt=0)
    av_bytes: int = Field(ge=0)
    audio_bytes: int = Field(ge=0)
    is_gap: bool = False


class RecordedEpoch(_Frozen):
    """A run of segments under one init segment.

    Attributes:
        program_date_time: Wall-clock time of the first segment's start, UTC.
        av_init: File name ``init-{hash}.mp4`` of the ``av`` rendition.
        video_codec: RFC 6381 string such as ``avc1.64001f``; ``None`` without video.
        audio_codec: RFC 6381 string, always there (silence is added to a mute source).
    """

    epoch: int = Field(ge=0)
    program_date_time: datetime
    av_init: str
    audio_init: str
    video_codec: str | None
    width_px: int | None
    height_px: int | None
    audio_codec: str
    sample_rate_hz: int
    channels_count: int
    protocol: Literal["rtmp", "whip"]
    segments: tuple[RecordedSegment, ...]

    @property
    def duration_ticks(self) -> int:
        return sum(segment.duration_ticks for segment in self.segments)


class RecordingIndex(_Frozen):
    """Every epoch and segment of one broadcast, in order."""

    version: Literal[1] = 1
    broadcast_id: str
    epochs: tuple[RecordedEpoch, ...]

    @property
    def duration_ticks(self) -> int:
        return sum(epoch.duration_ticks for epoch in self.epochs)

    @property
    def segments_count(self) -> int:
        return sum(len(epoch.segments) for epoch in self.epochs)

    @model_validator(mode="after")
    def _is_continuous(self) -> RecordingIndex:
        clock, last_msn, last_epoch = 0, -1, -1
        for epoch in self.epochs:
            if epoch.epoch <= last_epoch:
                raise ValueError(f"epoch {epoch.epoch} comes after epoch {last_epoch}")
            last_epoch = epoch.epoch
            for segment in epoch.segments:
                if segment.msn <= last_msn:
                    raise ValueError(f"segment {segment.msn} comes after segment {last_msn}")
                if segment.start_ticks != clock:
                    raise ValueError(
                        f"segment {segment.msn} starts at {segment.start_ticks}, not at {clock}"
                    )
                last_msn, clock = segment.msn, clock + segment.duration_ticks
        return self
