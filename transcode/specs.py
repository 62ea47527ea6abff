"""What the units of a job are told and what they hand on: JSON only transcode reads. Pure.

All times are lecture ticks (1/90000 s), all ranges half-open. Frames are counted on the grid of
their rung: frame ``n`` is shown at ``n / fps`` of lecture time.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S

KEYFRAME_GRID_S: Final = 4  # One segment of every rendition; the TARGETDURATION of live, too.
KEYFRAME_GRID_TICKS: Final = KEYFRAME_GRID_S * TICKS_PER_S
MAX_FRAME_RATE: Final = 120


def _parse_fraction(value: object) -> Fraction:
    fraction = Fraction(str(value))
    if not 0 < fraction <= MAX_FRAME_RATE:
        raise ValueError(f"{fraction} is no frame rate")
    return fraction


FrameRate = Annotated[Fraction, PlainValidator(_parse_fraction), PlainSerializer(str)]
ColourName = Literal["bt709", "smpte170m"]
# Names of FFmpeg; whatever else a file says is read as one of these.
MatrixName = Literal["bt709", "smpte170m", "bt2020nc", "smpte240m", "fcc", "gbr"]
PrimariesName = Literal["bt709", "smpte170m", "bt470bg", "bt2020", "smpte432"]
TransferName = Literal["sdr", "pq", "hlg"]
FieldOrder = Literal["progressive", "tff", "bff"]
Spec = TypeVar("Spec", bound=BaseModel)


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rung(Frozen):
    """One video rendition of the ladder.

    Attributes:
        frame_rate: Frames per second as ``"30"`` or ``"25/2"``.
        crf: x264 quality; ``maxrate_bps`` caps what it may cost.
        level: H.264 level, fixed so that all ranges have the same init segment.
    """

    name: str = Field(pattern=r"^[a-z0-9]{1,16}$")
    width_px: int = Field(ge=2, le=4096, multiple_of=2)
    height_px: int = Field(ge=2, le=4096, multiple_of=2)
    frame_rate: FrameRate
    crf: int = Field(ge=0, le=51)
    maxrate_bps: int = Field(ge=10_000)
    level: str = Field(pattern=r"^\d\.\d$")
    reason: str = Field(max_length=500)

    def first_frame(self, ticks: int) -> int:
        """Number of the first frame of a range that starts at ``ticks``.

        A frame stands for the time half a frame around it, so boundaries round to the nearest.
        """
        scaled = ticks * self.frame_rate / TICKS_PER_S
        return (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)

    def frame_ticks(self, frame: int) -> int:
        """Lecture time of a frame; exact, since every rate we use divides 90000."""
        return int(frame * TICKS_PER_S / self.frame_rate)

    @property
    def gop_frames(self) -> int:
        return int(KEYFRAME_GRID_S * self.frame_rate)


class SourceSegment(Frozen):
    """A recorded segment: ``[start_ticks, start_ticks + duration_ticks)`` of lecture time."""

    msn: int = Field(ge=0)
    start_ticks: int = Field(ge=0)
    duration_ticks: int = Field(gt=0)
    size_bytes: int = Field(ge=0)

    @property
    def end_ticks(self) -> int:
        return self.start_ticks + self.duration_ticks


class Source(Frozen):
    """Segments of one epoch and rendition, in order, and the init they need."""

    broadcast_id: str = Field(max_length=64)
    epoch: int = Field(ge=0)
    init: str = Field(pattern=r"^init-[A-Za-z0-9]{1,64}\.mp4$")
    segments: tuple[SourceSegment, ...]


class FileSource(Frozen):
    """One stored file: an upload, or a rendition of a finished asset.

    Attributes:
        demuxer: Forced with ``-f``; chosen from the allow-list when the file was probed.
        video_index: Stream number in the file, ``None`` without pictures.
        audio_index: The same for sound.
        offset_ticks: Time stamp in the file that is lecture time 0; may be negative or huge.
    """

    key: str = Field(max_length=512)
    size_bytes: int = Field(ge=1)
    demuxer: str = Field(pattern=r"^[a-z0-9_]{1,24}$")
    video_index: int | None = Field(ge=0, le=63, default=None)
    audio_index: int | None = Field(ge=0, le=63, default=None)
    offset_ticks: int = 0


class Shape(Frozen):
    """Pixels of a source and their shape (sample aspect ratio)."""

    width_px: int = Field(ge=1, le=8192)
    height_px: int = Field(ge=1, le=8192)
    sar_num: int = Field(ge=1, default=1)
    sar_den: int = Field(ge=1, default=1)

    @property
    def display_aspect(self) -> Fraction:
        return Fraction(self.width_px * self.sar_num, self.height_px * self.sar_den)


class DecodeSpec(Frozen):
    """How the pictures of a file become upright, progressive, 8-bit limited-range SDR ones.

    Probing found it, the filters obey it, in this order: deinterlace, mirror, turn, tone-map or
    convert, scale to square pixels. ``EncodeVideoSpec.shape`` is the picture that stands upright
    already: after a quarter turn its sides and its SAR are exchanged.

    Attributes:
        pixel_format: What the decoder gives, e.g. ``yuv420p10le``.
        rotation_deg: Clockwise turn that sets the decoded picture upright. FFmpeg's own
            ``autorotate`` must be off, or it would be turned twice.
        is_mirrored: Exchange left and right before turning.
        field_order: ``tff`` and ``bff`` are interlaced: one frame is made of each pair of fields.
        matrix: Of the source; untagged pictures are resolved by size when probed.
        transfer: ``pq`` and ``hlg`` are HDR and need tone-mapping.
        is_full_range: 0-255 instead of 16-235.
        frame_rate: Constant rate of the source's pictures; ``None`` when it varies.
    """

    pixel_format: str = Field(pattern=r"^[a-z0-9_]{1,32}$")
    rotation_deg: Literal[0, 90, 180, 270] = 0
    is_mirrored: bool = False
    field_order: FieldOrder = "progressive"
    matrix: MatrixName = "bt709"
    primaries: PrimariesName = "bt709"
    transfer: TransferName = "sdr"
    is_full_range: bool = False
    frame_rate: FrameRate | None = None


class EncodeVideoSpec(Frozen):
    """Encode ``[start_ticks, end_ticks)`` into all rungs.

    ``source`` is ``None`` for black (a gap, or an epoch without pictures). Its segments begin
    before the range (lead-in: decoding starts at the last keyframe before it) and end after it.
    A ``FileSource`` comes with ``decode``; ``start_ticks`` and ``end_ticks`` are lecture time:
    the file's time stamp less ``offset_ticks``.
    """

    start_ticks: int = Field(ge=0)
    end_ticks: int = Field(gt=0)
    source: Source | FileSource | None
    decode: DecodeSpec | None = None
    shape: Shape | None
    rungs: tuple[Rung, ...]
    colour: ColourName
    preset: str


class AudioSpan(Frozen):
    """A stretch of sound, or of silence when ``source`` is ``None``."""

    start_ticks: int = Field(ge=0)
    end_ticks: int = Field(gt=0)
    source: Source | FileSource | None


class EncodeAudioSpec(Frozen):
    spans: tuple[AudioSpan, ...]
    bitrate_bps: int


class RangeRef(Frozen):
    """Which unit makes which range."""

    key: str
    start_ticks: int
    end_ticks: int
    is_black: bool


class MakeImagesSpec(Frozen):
    """Pictures come from encoded rungs, so that no source has to be decoded again."""

    duration_ticks: int
    ranges: tuple[RangeRef, ...]
    poster_rung: Rung
    storyboard_rung: Rung


class PublishSpec(Frozen):
    duration_ticks: int
    rungs: tuple[Rung, ...]
    ranges: tuple[RangeRef, ...]
    audio_key: str
    images_key: str | None


# ---- results -----------------------------------------------------------------------------------


class StagedFile(Frozen):
    key: str
    size_bytes: int


class EncodedRung(Frozen):
    rung: str
    file: StagedFile
    frames_count: int


class EncodedVideo(Frozen):
    rungs: tuple[EncodedRung, ...]
    commands: tuple[str, ...]
    wall_s: float


class EncodedAudio(Frozen):
    file: StagedFile
    samples_count: int
    sample_rate_hz: int
    loudness_lufs: float | None
    gain_db: float
    commands: tuple[str, ...]
    wall_s: float


class MadeImages(Frozen):
    poster: StagedFile
    storyboard: StagedFile
    vtt: StagedFile
    commands: tuple[str, ...]


def parse_spec(model: type[Spec], data: object) -> Spec:
    """Validate a spec or an input.

    Raises:
        EncodeError: Permanent: a newer or older planner wrote it.
    """
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EncodeError(f"{model.__name__}.{place}: {first['msg']}", permanent=True) from error
