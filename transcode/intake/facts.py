"""What is known of an upload once it was looked at: the input of planning. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kernel.messages import EmbeddedCaptions, EmbeddedChapter, SourceReport
from transcode.specs import DecodeSpec, FileSource, Shape


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The chosen picture track.

    Attributes:
        shape: As it stands upright.
        frame_rate: Of the lecture.
        keyframes: Lecture ticks, ascending; those of the source, for seeking and copying.
        frames_count: Pictures on the lecture's grid that the source itself has.
        bps: Average of the source.
        copy: ``None`` when the track cannot be published as it is; ``copy_reason`` says why.
    """

    shape: Shape
    decode: DecodeSpec
    frame_rate: Fraction
    keyframes: tuple[int, ...]
    frames_count: int
    bps: int | None
    has_keyframe_grid: bool = False
    copy_reason: str = ""


@dataclass(frozen=True, slots=True)
class UploadFacts:
    """A file that becomes a lecture.

    Attributes:
        source: Names the tracks and the offset that make file time lecture time.
        video: ``None`` for sound alone.
        has_audio: Otherwise a silent rendition is made.
    """

    source: FileSource
    duration_ticks: int
    video: VideoFacts | None
    has_audio: bool
    report: SourceReport
    chapters: tuple[EmbeddedChapter, ...] = ()
    captions: tuple[EmbeddedCaptions, ...] = ()
