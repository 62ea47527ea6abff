"""What the API says about series."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from vod.http.pagination import Page
from vod.http.types import Body, Identifier, LongText, Moment, Title, View
from vod.lectures.hours import Hours
from vod.lectures.publication import Publication

MAX_ENTRIES: Final = 1_000  # Lectures of one series.


class SeriesRef(View):
    """A series as others mention it."""

    id: str
    title: str


class SeriesMembership(View):
    """A series that a lecture is in, and its place there; positions begin with 0."""

    id: str
    title: str
    position: int
    is_required: bool


class Series(View):
    """A named collection of lectures; counted are those that whoever asks may see."""

    id: str
    title: str
    description: str
    lectures_count: int
    created_at: Moment


class SeriesPage(Page):
    items: list[Series]


class NewSeries(Body):
    title: Title
    description: LongText = ""


class SeriesChange(Body):
    title: Title | None = None
    description: LongText | None = None


class SeriesEntry(View):
    """A lecture in a series, as short as an editor's list needs it."""

    lecture_id: str
    title: str
    publication: Publication
    hours: Hours
    is_required: bool


class SeriesOrder(View):
    """All lectures of a series in order; ``version`` goes with the next change."""

    version: int
    lectures: list[SeriesEntry]


class WantedEntry(Body):
    lecture_id: Identifier
    is_required: bool = True


class WantedOrder(Body):
    """Exactly these lectures in this order; ``version`` is the one that was changed."""

    version: Annotated[int, Field(ge=0)]
    lectures: Annotated[list[WantedEntry], Field(max_length=MAX_ENTRIES)]
