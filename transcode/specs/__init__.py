"""What the units of a job are told and what they hand on: JSON only transcode reads. Pure.

All times are lecture ticks (1/90000 s), all ranges half-open; see ``grid`` for frames.
"""

from transcode.specs.base import Frozen, parse_spec
from transcode.specs.grid import (
    KEYFRAME_GRID_S,
    MAX_FRAME_RATE,
    FrameRate,
    Grid,
    choose_clock_hz,
    first_frame,
    frame_ticks,
)
from transcode.specs.media import (
    ColourName,
    DecodeSpec,
    FieldOrder,
    FileSource,
    MatrixName,
    PrimariesName,
    Rung,
    Shape,
    Source,
    SourceSegment,
    TransferName,
    VideoCodec,
)
from transcode.specs.results import EncodedAudio, EncodedRung, EncodedVideo, MadeImages, StagedFile
from transcode.specs.units import (
    AudioSpan,
    CopyVideoSpec,
    EncodeAudioSpec,
    EncodeVideoSpec,
    MakeImagesSpec,
    PublishAddedSpec,
    PublishSpec,
    RangeRef,
)

__all__ = [
    "KEYFRAME_GRID_S",
    "MAX_FRAME_RATE",
    "AudioSpan",
    "ColourName",
    "CopyVideoSpec",
    "DecodeSpec",
    "EncodeAudioSpec",
    "EncodeVideoSpec",
    "EncodedAudio",
    "EncodedRung",
    "EncodedVideo",
    "FieldOrder",
    "FileSource",
    "FrameRate",
    "Frozen",
    "Grid",
    "MadeImages",
    "MakeImagesSpec",
    "MatrixName",
    "PrimariesName",
    "PublishAddedSpec",
    "PublishSpec",
    "RangeRef",
    "Rung",
    "Shape",
    "Source",
    "SourceSegment",
    "StagedFile",
    "TransferName",
    "VideoCodec",
    "choose_clock_hz",
    "first_frame",
    "frame_ticks",
    "parse_spec",
]
