"""What is read and what is made: sources, how they are decoded, rungs. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from transcode.specs.base import Frozen
from transcode.specs.grid import FrameRate, choose_clock_hz, first_frame, frame_ticks

VideoCodec = Literal["h264", "av1"]
ColourName = Literal["bt709", "smpte170m"]
# Names of FFmpeg; whatever else a file says is read as one of these.
MatrixName = Literal["bt709", "smpte170m", "bt2020nc", "smpte240m", "fcc", "gbr"]
PrimariesName = Literal["bt709", "smpte170m", "bt470bg", "bt2020", "smpte432"]
TransferName = Literal["sdr", "pq", "hlg"]
FieldOrder = Literal["progressive", "tff", "bff"]


class Rung(Frozen):
    """One video rendition of the ladder.

    Attributes:
        frame_rate: Frames per second as ``"30"`` or ``"25/2"``.
        codec: Which encoder makes it.
        crf: Quality of the encoder, in its own scale; ``maxrate_bps`` caps what it may cost.
        level: H.264 level, fixed so that all ranges have the same init segment; SVT-AV1 chooses
            its own, by size and rate.
        preset: Of x264; ``None`` takes that of the unit.
        x264_params: Further settings, for pieces that must fit a track of another encoder.
    """

    name: str = Field(pattern=r"^[a-z0-9]{1,16}$")
    width_px: int = Field(ge=2, le=4096, multiple_of=2)
    height_px: int = Field(ge=2, le=4096, multiple_of=2)
    frame_rate: FrameRate
    codec: VideoCodec = "h264"
    crf: int = Field(ge=0, le=63)
    maxrate_bps: int = Field(ge=10_000)
    level: str = Field(pattern=r"^\d\.\d$")
    preset: str | None = Field(default=None, pattern=r"^[a-z]{1,12}$")
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
