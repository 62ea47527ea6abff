"""What is known of an upload once it was looked at: the input of planning. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kernel.messages import EmbeddedCaptions, EmbeddedChapter, SourceReport
from transcode.intake.copying import CopyFacts
from transcode.plan.content import ContentFacts
from transcode.specs import DecodeSpec, FileSource, Shape


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The chosen picture track.

    Attributes:
        shape: As it stands upright.
        frame_rate: Of the lecture.
        frames_count: Pictures that the source has and that decode.
        bps: Average of the source.
        copy: Whether the track can be published as it is.
    """

    shape: Shape
    decode: DecodeSpec
    frame_rate: Fraction
    frames_count: int
    bps: int | None
    copy: CopyFacts


@dataclass(frozen=True, slots=True)
class UploadFacts:
    """A file that becomes a lecture.

    Attributes:
        source: Names the tracks and the offset that make file time lecture time.
        sound_offset_ticks: The same offset for sound, chapters and texts; pictures differ from it
            where decoders show them late (AVI with B-frames).
        video: ``None`` for sound alone.
        has_audio: Otherwise a silent rendition is made.
        content: What trial encodes showed; ``None`` before them, or when they said nothing.
    """

    source: FileSource
    sound_offset_ticks: int
    duration_ticks: int
    video: VideoFacts | None
    has_audio: bool
    report: SourceReport
    chapters: tuple[EmbeddedChapter, ...] = ()
    captions: tuple[EmbeddedCaptions, ...] = ()
    content: ContentFacts | None = None
