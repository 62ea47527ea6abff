"""What the API says about chapters. Times are seconds of the lecture's uncut time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from vod.chapters.policy import MAX_CHAPTERS, MAX_TITLE_CHARS
from vod.http.types import Body, View


class Chapter(View):
    start_s: float
    title: str


class Suggestion(View):
    """A slide change that may be the beginning of a chapter; ``confidence`` from 0 to 1."""

    start_s: float
    title: str
    confidence: float


class Chapters(View):
    """The chapters for editing; ``suggestions`` are for those who may change them."""

    chapters: list[Chapter]
    version: int
    suggestions: list[Suggestion]


class ChapterBody(Body):
    start_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    title: Annotated[str, StringConstraints(max_length=2 * MAX_TITLE_CHARS)]


class ChaptersChange(Body):
    """All chapters as they shall be; ``version`` is the one that the editor saw."""

    version: Annotated[int, Field(ge=0)]
    chapters: Annotated[list[ChapterBody], Field(max_length=MAX_CHAPTERS)]
