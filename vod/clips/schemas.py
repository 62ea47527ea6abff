"""Shapes of clips in the API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vod.clips.models import ClipShape
from vod.clips.policy import MAX_LIMIT_MB, MIN_LIMIT_MB, USUAL_LIMIT_MB
from vod.http.types import Body, Identifier, Moment, View
from vod.jobs.policy import JobState


class NewClip(Body):
    """A range in the lecture's uncut time; ``captions_id`` names the track that is burned in."""

    start_s: Annotated[float, Field(ge=0, le=360_000)]
    end_s: Annotated[float, Field(gt=0, le=360_000)]
    shape: ClipShape = ClipShape.CROP
    crop_percent: Annotated[int, Field(ge=0, le=100)] = 50
    captions_id: Identifier | None = None
    limit_mb: Annotated[int, Field(ge=MIN_LIMIT_MB, le=MAX_LIMIT_MB)] = USUAL_LIMIT_MB


class Clip(View):
    """A clip and how far it is; with ``file_url`` it can be downloaded.

    ``limit_mb`` counts millions of bytes; ``reason`` is a sentence for editors.
    """

    id: str
    start_s: float
    end_s: float
    shape: ClipShape
    crop_percent: int
    language: str | None
    limit_mb: int
    state: JobState
    progress: float
    reason: str | None
    job_id: str
    size_bytes: int | None
    width_px: int | None
    height_px: int | None
    file_url: str | None
    created_at: Moment
    expires_at: Moment


class ClipList(View):
    """The newest first."""

    items: list[Clip]
