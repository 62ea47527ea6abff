"""What the unit ``make_clip`` is told. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kernel.messages import EmbeddedCue
from transcode.specs import Frozen

ClipShape = Literal["landscape", "crop", "blur"]


class ClipSource(Frozen):
    """The published rung that the pictures come from; its pixels are square."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    width_px: int = Field(gt=0, le=8192)
    height_px: int = Field(gt=0, le=8192)


class MakeClipSpec(Frozen):
    """Encode ``[start_ticks, end_ticks)`` of the set under ``prefix`` into one MP4.

    Attributes:
        target: Folder of the blob store that the file goes to.
        shape: ``landscape`` keeps the picture as it is; ``crop`` takes 9:16 out of it; ``blur``
            puts all of it before a blurred copy that fills 9:16.
        crop_x: Where ``crop`` looks, from 0 (left) to 1 (right).
        cues: Burned in, in the time of the clip.
        limit_bytes: The file is not larger.
        title: Written into the file.
    """

    prefix: str = Field(pattern=r"^assets/[a-z0-9]+/[0-9a-f]+/$", max_length=256)
    target: str = Field(pattern=r"^clips/[a-z0-9]+/[a-z0-9]+/$", max_length=256)
    source: ClipSource
    has_sound: bool
    start_ticks: int = Field(ge=0)
    end_ticks: int = Field(gt=0)
    shape: ClipShape
    crop_x: float = Field(ge=0, le=1, default=0.5)
    cues: tuple[EmbeddedCue, ...] = Field(default=(), max_length=2_000)
    limit_bytes: int = Field(gt=0)
    title: str = Field(default="", max_length=200)
