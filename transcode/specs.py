"""What the units of a job are told and what they hand on: JSON only transcode reads. Pure.

All times are lecture ticks (1/90000 s), all ranges half-open. Frames are counted from lecture time
0 on: frame ``n`` of a rung is shown at ``n / fps``. Where a frame lies between two ticks (23.976
frames/s), its tick is the nearest one, and the nearest frame of that tick is again the frame.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from fractions import Fraction
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S

KEYFRAME_GRID_S: Final = 4  # About one segment of a rendition; the TARGETDURATION of live, too.
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


def _nearest(value: Fraction) -> int:
    """Round half up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def first_frame(ticks: int, *, frame_rate: Fraction) -> int:
    """Number of the first frame of a range that starts at ``ticks``.

    A frame stands for the time half a frame around it, so boundaries round to the nearest.
    """
    return _nearest(ticks * frame_rate / TICKS_PER_S)


def frame_ticks(frame: int, *, frame_rate: Fraction) -> int:
    """Lecture time of a frame, rounded to the nearest tick."""
    return _nearest(frame * TICKS_PER_S / frame_rate)


def choose_clock_hz(frame_rate: Fraction) -> int:
    """Time scale in which every frame lasts a whole number of ticks.

    90000 where that is exact (25, 30, 30000/1001 ...), else the next multiple of the rate's
    numerator (96000 for 24000/1001: 4004 ticks a frame).
    """
    if (TICKS_PER_S * frame_rate.denominator) % frame_rate.numerator == 0:
        return TICKS_PER_S
    return frame_rate.numerator * -(-TICKS_PER_S // frame_rate.numerator)


class Grid(Frozen):
    """Where the segments of all rungs begin: the same times for every one of them.

    Regular: every ``gop_frames`` frames of ``frame_rate``, from lecture time 0 on; an even number,
    so that a rung at half the rate has a frame there, too. Explicit: ``boundaries``, chosen among
    the keyframes of a picture track that is copied.

    Attributes:
        boundaries: Lecture ticks, ascending, the first one 0; empty for a regular grid. A spec
            for one range carries those of its range only (``within``).
    """

    frame_rate: FrameRate
    gop_frames: int = Field(ge=2, le=1_000, multiple_of=2)
    boundaries: tuple[int, ...] = ()

    @classmethod
    def regular(cls, frame_rate: Fraction) -> Self:
        """Build the grid of whole frame pairs nearest to 4 s: 100 frames of 25, 96 of 23.976."""
        pairs = max(1, _nearest(KEYFRAME_GRID_S * frame_rate / 2))
        return cls(frame_rate=frame_rate, gop_frames=2 * pairs)

    @property
    def is_regular(self) -> bool:
        return not self.boundaries

    @property
    def slot_ticks(self) -> int:
        """Usual length of a segment."""
        return frame_ticks(self.gop_frames, frame_rate=self.frame_rate)

    def slot(self, ticks: int) -> int:
        """Number of the segment that holds ``ticks``; ticks before 0 belong to the first."""
        if self.boundaries:
            return max(0, bisect_right(self.boundaries, ticks) - 1)
        frame = max(0, ticks) * self.frame_rate / TICKS_PER_S
        slot = int(frame) // self.gop_frames
        # The boundary's own tick was rounded: just below the frame, yet its first tick.
        return slot + 1 if self.slot_start(slot + 1) <= ticks else slot

    def slot_start(self, slot: int) -> int:
        """First tick of a segment; of an explicit grid, only those it lists."""
        if self.boundaries:
            return self.boundaries[slot]
        return frame_ticks(slot * self.gop_frames, frame_rate=self.frame_rate)

    def is_boundary(self, ticks: int) -> bool:
        """Tell whether a segment begins here; clocks that are no multiple of ours round by one."""
        slot = self.slot(ticks + 1)
        return abs(self.slot_start(slot) - ticks) <= 1

    def boundaries_in(self, start_ticks: int, end_ticks: int) -> tuple[int, ...]:
        """Ticks in ``[start_ticks, end_ticks)`` where a segment begins."""
        if self.boundaries:
            low = bisect_left(self.boundaries, start_ticks)
            return self.boundaries[low : bisect_left(self.boundaries, end_ticks)]
        found: list[int] = []
        slot = self.slot(start_ticks)
        while (tick := self.slot_start(slot)) < end_ticks:
            if tick >= start_ticks:
                found.append(tick)
            slot += 1
        return tuple(found)

    def nearest(self, ticks: int) -> int:
        """Return the boundary nearest to ``ticks``."""
        slot = self.slot(ticks)
        low = self.slot_start(slot)
        if self.boundaries and slot + 1 >= len(self.boundaries):
            return low
        high = self.slot_start(slot + 1)
        return low if ticks - low <= high - ticks else high

    def within(self, start_ticks: int, end_ticks: int) -> Self:
        """Return the grid as one range needs it; a regular one stays as it is.

        An explicit one keeps the boundary its start lies in as the first.
        """
        if not self.boundaries:
            return self
        low = self.slot(start_ticks)
        kept = self.boundaries[low : bisect_left(self.boundaries, end_ticks)]
        return self.model_copy(update={"boundaries": kept})


class Rung(Frozen):
    """One video rendition of the ladder.

    Attributes:
        frame_rate: Frames per second as ``"30"`` or ``"25/2"``.
        crf: x264 quality; ``maxrate_bps`` caps what it may cost.
        level: H.264 level, fixed so that all ranges have the same init segment.
        x264_params: Further settings, for pieces that must fit a track of another encoder.
    """

    name: str = Field(pattern=r"^[a-z0-9]{1,16}$")
    width_px: int = Field(ge=2, le=4096, multiple_of=2)
    height_px: int = Field(ge=2, le=4096, multiple_of=2)
    frame_rate: FrameRate
    crf: int = Field(ge=0, le=51)
    maxrate_bps: int = Field(ge=10_000)
    level: str = Field(pattern=r"^\d\.\d$")
    x264_params: str = Field(default="", pattern=r"^[a-z0-9=:-]*$", max_length=200)
    reason: str = Field(max_length=500)

    def first_frame(self, ticks: int) -> int:
        """Number of the first frame of a range that starts at ``ticks``."""
        return first_frame(ticks, frame_rate=self.frame_rate)

    def frame_ticks(self, frame: int) -> int:
        """Lecture time of a frame, rounded to the nearest tick."""
        return frame_ticks(frame, frame_rate=self.frame_rate)

    @property
    def clock_hz(self) -> int:
        """Time scale of its track: whole ticks per frame."""
        return choose_clock_hz(self.frame_rate)


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
            With pictures at a constant rate it is chosen so that they lie on lecture frames
            (``plan.rates.align_offset``).
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
    grid: Grid
    source: Source | FileSource | None
    decode: DecodeSpec | None = None
    shape: Shape | None
    rungs: tuple[Rung, ...]
    colour: ColourName
    preset: str


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


# ---- results -----------------------------------------------------------------------------------


class StagedFile(Frozen):
    key: str
    size_bytes: int


class EncodedRung(Frozen):
    rung: str
    file: StagedFile
    frames_count: int


class EncodedVideo(Frozen):
    """What ``encode_video`` and ``copy_video`` bring.

    Attributes:
        keyframes: Lecture ticks of every keyframe of a copied track; empty when encoded.
    """

    rungs: tuple[EncodedRung, ...]
    keyframes: tuple[int, ...] = ()
    commands: tuple[str, ...]
    wall_s: float


class EncodedAudio(Frozen):
    """The sound, encoded and measured.

    Attributes:
        loudness_lufs: Of the source, before the gain; ``None`` for silence.
        waveform: ``waveform.json``: peaks and silences.
        download: ``audio.m4a``, the same packets as a plain file; ``None`` for silence.
        silences: Half-open ranges in ms, at most 500.
    """

    file: StagedFile
    samples_count: int
    sample_rate_hz: int
    loudness_lufs: float | None
    gain_db: float
    waveform: StagedFile | None = None
    download: StagedFile | None = None
    silences: tuple[tuple[int, int], ...] = ()
    commands: tuple[str, ...]
    wall_s: float


class MadeImages(Frozen):
    """Pictures of a lecture.

    Attributes:
        candidates: ``poster-{ms}.jpg`` by lecture time, the best one first.
        sheets: Of the storyboard, in order; empty without pictures, like ``vtt`` and ``slides``.
    """

    poster: StagedFile
    candidates: tuple[StagedFile, ...] = ()
    sheets: tuple[StagedFile, ...] = ()
    vtt: StagedFile | None = None
    slides: StagedFile | None = None
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
