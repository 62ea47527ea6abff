"""What the API says about watching."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from vod.http.pagination import Page
from vod.http.types import Body, Moment, View
from vod.lectures.schemas import Lecture

MAX_SENT_RANGES: Final = 100  # Of one report; a player reports every few seconds.
MAX_SECONDS: Final = 7 * 24 * 3600  # Nothing is longer than a week.

Second = Annotated[int, Field(ge=0, le=MAX_SECONDS)]
LectureIds = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-z]{20}(,[0-9a-z]{20}){0,99}$"),
]
WatchFilter = Literal["unfinished", "finished", "all"]


class WatchReport(Body):
    """What a player played since its last report.

    Attributes:
        position: Where it is, in seconds; left out, the place stays.
        ranges: Half-open ``[start, end]`` pairs of whole seconds that were played; they are added
            to what is known, so that sending one twice changes nothing.
    """

    position: Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)] | None = None
    ranges: Annotated[
        tuple[Annotated[list[Second], Field(min_length=2, max_length=2)], ...],
        Field(max_length=MAX_SENT_RANGES),
    ] = ()


class WatchState(View):
    """How far whoever asks is with a lecture.

    Attributes:
        watched_s: Different seconds that were played, however often.
        ranges: Those seconds as half-open pairs.
        updated_at: Null when nothing was watched.
    """

    lecture_id: str
    position_s: int
    duration_s: int
    furthest_s: int
    watched_s: int
    ranges: list[Annotated[list[int], Field(min_length=2, max_length=2)]]
    finished_at: Moment | None
    updated_at: Moment | None
    is_favourite: bool


class Watched(View):
    """A lecture with how far one is; zeros when it was not begun."""

    lecture: Lecture
    position_s: int
    watched_s: int
    finished_at: Moment | None
    updated_at: Moment | None


class WatchedPage(Page):
    items: list[Watched]


class RequiredPage(Page):
    """Required lectures that are not finished; ``finished_count`` of ``required_count`` are."""

    items: list[Watched]
    finished_count: int
    required_count: int


class Position(View):
    """Where one stopped in a lecture."""

    lecture_id: str
    position_s: int
    watched_s: int
    is_finished: bool


class PositionList(View):
    items: list[Position]


class EpisodeState(View):
    """How far one is with an episode of a series."""

    lecture_id: str
    title: str
    is_required: bool
    position_s: int
    watched_s: int
    is_finished: bool


class SeriesProgress(View):
    """How far one is with a series.

    Attributes:
        next: The episode to go on with; null when all are finished.
    """

    lectures_count: int
    finished_count: int
    required_count: int
    required_finished_count: int
    episodes: list[EpisodeState]
    next: EpisodeState | None
