"""What the API says about series."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from vod.http.pagination import Page
from vod.http.types import Body, Identifier, LongText, Moment, Title, View
from vod.lectures.hours import Hours
from vod.lectures.publication import Publication
from vod.library.markup import Markup

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
    """A named, ordered collection of lectures; counted are those that whoever asks may see.

    Attributes:
        introduction: A little HTML, harmless.
        planned_count: How many episodes there will be; null when nobody has said.
        hours: Learning hours of all of them; ``required_hours`` of the required ones.
        version: Of the order, see ``GET /series/{id}/lectures``.
    """

    id: str
    title: str
    description: str
    introduction: str
    cover_url: str | None
    is_published: bool
    lectures_count: int
    planned_count: int | None
    required_count: int
    hours: Hours
    required_hours: Hours
    external_id: str | None
    version: int
    created_at: Moment


class SeriesPage(Page):
    items: list[Series]


PlannedCount = Annotated[int, Field(ge=0, le=MAX_ENTRIES)]


class NewSeries(Body):
    title: Title
    description: LongText = ""
    introduction: Markup = ""
    planned_count: PlannedCount | None = None
    is_published: bool = True


class SeriesChange(Body):
    """Members left out stay; null clears the planned number."""

    title: Title | None = None
    description: LongText | None = None
    introduction: Markup | None = None
    planned_count: PlannedCount | None = None
    is_published: bool | None = None


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
