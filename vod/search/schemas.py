"""What the API says about what was found."""

from __future__ import annotations

from typing import Literal

from vod.classes.states import ClassState
from vod.http.pagination import Page
from vod.http.types import Moment, View
from vod.search.models import SearchKind
from vod.series.schemas import SeriesRef

Matched = Literal["title", "label", "sound", "text", "speech"]


class TextRange(View):
    """Half-open, in characters (Unicode code points) of the text beside it."""

    start: int
    end: int


class MarkedText(View):
    """A text as it is, and where in it the words are that were looked for."""

    text: str
    ranges: list[TextRange]


class SearchMoment(View):
    """Where in a lecture something is said; ``start_s`` in the time of what plays."""

    start_s: float
    language: str
    snippet: MarkedText


class SearchHit(View):
    """One thing that was found.

    Attributes:
        matched: How far one has to read to find all words: in the title, in who teaches it and
            what it belongs to, in how these sound, in descriptions, in what is said.
        summary: The stretch of a description with the words; null when they are not in there.
        people: Who teaches it.
        duration_s: Of a lecture.
        starts_at: Of a live class; ``state`` too.
        lectures_count: Of a series, those that whoever asks may see.
        moments: Of a lecture, the best ones in the order they are said.
    """

    kind: SearchKind
    id: str
    matched: Matched
    title: MarkedText
    summary: MarkedText | None
    people: list[str]
    series: SeriesRef | None
    poster_url: str | None
    duration_s: float | None
    starts_at: Moment | None
    state: ClassState | None
    lectures_count: int | None
    moments: list[SearchMoment]


class SearchSuggestion(View):
    """A title or name that may be meant."""

    kind: SearchKind
    id: str
    title: MarkedText


class SearchSuggestions(View):
    items: list[SearchSuggestion]


class SearchCounts(View):
    """How many there are of each kind, whichever kind the page shows."""

    lecture: int
    series: int
    live_class: int
    instructor: int


class SearchPage(Page):
    """What was found, best first.

    Attributes:
        is_loose: Nothing holds the words as they were typed; these hold them in parts.
        suggestions: When nothing was found: what may have been meant.
    """

    items: list[SearchHit]
    counts: SearchCounts
    is_loose: bool
    suggestions: list[SearchSuggestion]
