"""What the API says about captions."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from kernel.captions import MAX_CUE_CHARS, MAX_CUES_COUNT, MAX_TIME_MS
from vod.captions.models import MAX_LABEL_CHARS, CaptionOrigin
from vod.http.types import Body, View, refuse_controls


def _refuse_quotes(text: str) -> str:
    if '"' in text or "\n" in text or "\r" in text or "\t" in text:
        raise ValueError("quotation marks and line breaks are not allowed")
    return refuse_controls(text)


Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LABEL_CHARS),
    AfterValidator(_refuse_quotes),
]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}$")]


class CaptionRef(View):
    """A track in a lecture's answer; ``url`` is WebVTT in the time of what plays now."""

    id: str
    language: str
    label: str
    origin: CaptionOrigin
    is_edited: bool
    cues_count: int
    version: int
    url: str | None


class CueView(View):
    """A cue in the lecture's uncut time."""

    start_ms: int
    end_ms: int
    text: str


class Captions(View):
    """A whole track, for editing."""

    id: str
    language: str
    label: str
    origin: CaptionOrigin
    is_edited: bool
    version: int
    cues: list[CueView]


class CueBody(Body):
    start_ms: Annotated[int, Field(ge=0, le=MAX_TIME_MS)]
    end_ms: Annotated[int, Field(ge=0, le=MAX_TIME_MS)]
    text: Annotated[str, StringConstraints(max_length=MAX_CUE_CHARS)]


class CaptionsChange(Body):
    """A track as edited; ``version`` is the one that the editor saw."""

    version: Annotated[int, Field(ge=1)]
    language: Language | None = None
    label: Label | None = None
    cues: Annotated[list[CueBody], Field(max_length=MAX_CUES_COUNT)]
