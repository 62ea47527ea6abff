"""What the API says about edits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vod.editing.policy import MAX_RANGES, EditState
from vod.http.types import Body, View

MAX_TIME_S = 7 * 24 * 3600  # Longer than any lecture.


class KeptRange(Body):
    """Half-open, in seconds of the uncut lecture."""

    start_s: Annotated[float, Field(ge=0, le=MAX_TIME_S)]
    end_s: Annotated[float, Field(gt=0, le=MAX_TIME_S)]


class EditChange(Body):
    """What to keep; ``version`` is the one that was seen."""

    version: Annotated[int, Field(ge=0)]
    kept: Annotated[list[KeptRange], Field(min_length=1, max_length=MAX_RANGES)]


class UncutMedia(View):
    """The uncut lecture, for the editing page."""

    hls_url: str
    waveform_url: str | None
    storyboard_url: str | None
    frame_rate: float | None


class Edit(View):
    """What is kept of a lecture; uncut, it is one range.

    ``reason`` says why cutting failed, or why an earlier edit was dropped.
    """

    version: int
    duration_s: float
    kept: list[KeptRange]
    state: EditState
    reason: str | None
    job_id: str | None
    media: UncutMedia | None
