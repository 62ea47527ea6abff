"""What the API says about series."""

from __future__ import annotations

from vod.http.pagination import Page
from vod.http.types import Body, LongText, Moment, Title, View


class SeriesRef(View):
    """A series as others mention it."""

    id: str
    title: str


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
