"""What the units of a job are told. Pure."""

from __future__ import annotations

from pydantic import Field

from transcode.specs.base import Frozen
from transcode.specs.grid import Grid
from transcode.specs.media import ColourName, DecodeSpec, FileSource, Rung, Shape, Source


class EncodeVideoSpec(Frozen):
    """Encode ``[start_ticks, end_ticks)`` into all rungs.

    ``source`` is ``None`` for black (a gap, or an epoch without pictures). Its segments begin
    before the range (lead-in: decoding starts at the last keyframe before it) and end after it.
    A ``FileSource`` comes with ``decode``; ``start_ticks`` and ``end_ticks`` are lecture time:
    the file's time stamp less ``offset_ticks``.

    Attributes:
        is_patient: What somebody waits for goes first, see ``Limits.nice``.
    """

    start_ticks: int = Field(ge=0)
    end_ticks: int = Field(gt=0)
    grid: Grid
    source: Source | FileSource | None
    decode: DecodeSpec | None = None
    shape: Shape | None
    rungs: tuple[Rung, ...]
    colour: ColourName
    preset: str
    is_patient: bool = False


class CopyVideoSpec(Frozen):
    """Publish the picture track of a file as it is: H.264, closed GOPs, a constant rate.

    Attributes:
        duration_ticks: Of the lecture; the track holds exactly the frames of it.
        grid: Its boundaries are keyframes of the track.
        rung: Names the rendition; ``frame_rate`` is the track's own.
    """

    source: FileSource
    duration_ticks: int = Field(gt=0)
    grid: Grid
    rung: Rung


class AudioSpan(Frozen):
    """A stretch of sound, or of silence when ``source`` is ``None``."""

    start_ticks: int = Field(ge=0)
    end_ticks: int = Field(gt=0)
    source: Source | FileSource | None


class EncodeAudioSpec(Frozen):
    """Sound of the whole lecture, in order, without holes between the spans.

    Attributes:
        title: Written into the file for download; nothing else of the source's tags is.
    """

    spans: tuple[AudioSpan, ...]
    bitrate_bps: int
    title: str | None = Field(default=None, max_length=200)


class RangeRef(Frozen):
    """Which unit makes which range, and of which rungs; without ``rungs``: of all."""

    key: str
    start_ticks: int
    end_ticks: int
    is_black: bool
    rungs: tuple[str, ...] | None = None


class MakeImagesSpec(Frozen):
    """Pictures come from encoded rungs, so that no source has to be decoded again.

    A lecture without pictures has no ranges and no rungs: its poster is drawn.
    """

    duration_ticks: int
    grid: Grid
    ranges: tuple[RangeRef, ...]
    poster_rung: Rung | None
    storyboard_rung: Rung | None


class PublishSpec(Frozen):
    """Join, check and publish ``rungs`` and the sound.

    Attributes:
        ranges: Of all rungs; those that bring one rung tile the lecture. A copied source rung is
            one range.
        is_partial: More rungs follow in a later set of the same job.
        colour, preset: What the ranges were encoded with; the manifest keeps them for cutting.
    """

    duration_ticks: int
    grid: Grid
    rungs: tuple[Rung, ...]
    ranges: tuple[RangeRef, ...]
    audio_key: str
    images_key: str | None
    is_partial: bool = False
    colour: ColourName = "bt709"
    preset: str = "veryfast"


class PublishAddedSpec(Frozen):
    """Join and check rungs of another codec, and add them to the set that is published already.

    Attributes:
        adds_to: Key of the unit that published it.
        ranges: Of all rungs; they tile the lecture.
    """

    adds_to: str
    duration_ticks: int = Field(gt=0)
    grid: Grid
    rungs: tuple[Rung, ...]
    ranges: tuple[RangeRef, ...]
