"""What the API says about contests."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from vod.http.pagination import Page
from vod.http.types import Body, Identifier, Login, LongText, Moment, Name, Title, View
from vod.lectures.schemas import Lecture, ReplayPlayback
from vod.library.contests.policy import FILM_CATEGORIES, ContestStanding, ExhibitionOrder
from vod.library.contests.ranking import MAX_POINTS, Method
from vod.library.types import Label

MAX_FILMS: Final = 200  # More than any contest had; a page shows all of them.
MAX_JUDGES: Final = 50
MAX_CRITERIA: Final = 10

Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Points = Annotated[int, Field(ge=0, le=MAX_POINTS, strict=True)]
CriterionKey = Annotated[str, StringConstraints(pattern=r"^c[0-9]{1,2}$")]


class NewCriterion(Body):
    """What is scored from 0 to 100; the weights are relative to each other."""

    name: Name
    weight: Annotated[int, Field(ge=1, le=100)]


def _are_different(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("the same category twice")
    return names


def _have_different_names(criteria: tuple[NewCriterion, ...]) -> tuple[NewCriterion, ...]:
    if len({one.name for one in criteria}) != len(criteria):
        raise ValueError("the same criterion twice")
    return criteria


Categories = Annotated[
    tuple[Name, ...], Field(min_length=1, max_length=20), AfterValidator(_are_different)
]
Criteria = Annotated[
    tuple[NewCriterion, ...],
    Field(min_length=1, max_length=MAX_CRITERIA),
    AfterValidator(_have_different_names),
]
DEFAULT_CRITERIA: Final = (
    NewCriterion(name="主题内容", weight=40),
    NewCriterion(name="艺术表现", weight=30),
    NewCriterion(name="制作水平", weight=30),
)


class NewContest(Body):
    """A contest to be prepared; it begins as a draft that nobody but editors sees."""

    title: Title
    starts_at: Moment
    ends_at: Moment
    description: LongText = ""
    categories: Categories = FILM_CATEGORIES
    criteria: Criteria = DEFAULT_CRITERIA
    method: Method = Method.TRIMMED
    exhibition_order: ExhibitionOrder = ExhibitionOrder.RANKING


class ContestChange(Body):
    """Members left out stay.

    Categories, criteria and method stay as they are once it is open, the dates once it is closed.
    """

    version: Version
    title: Title | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    description: LongText | None = None
    categories: Categories | None = None
    criteria: Criteria | None = None
    method: Method | None = None
    exhibition_order: ExhibitionOrder | None = None


class WantedFilm(Body):
    """A film of the film library, and who enters it."""

    lecture_id: Identifier
    category: Name
    entrant: Label = ""


class WantedFilms(Body):
    """All films in the order of the programme; sheets of films that stay are kept."""

    version: Version
    films: Annotated[tuple[WantedFilm, ...], Field(max_length=MAX_FILMS)]


class WantedJudges(Body):
    """All judges, by the names they sign in with."""

    version: Version
    logins: Annotated[tuple[Login, ...], Field(max_length=MAX_JUDGES)]


class ContestOpening(Body):
    """The version that was seen."""

    version: Version


class ContestClosing(Body):
    """Publish the results; ``accepts_missing`` also if not every judge has scored every film."""

    version: Version
    accepts_missing: bool = False


class Criterion(View):
    key: str
    name: str
    weight: int


class ContestRow(View):
    """A contest in a list.

    Attributes:
        may_manage: May change it now; a judge may not while it is open.
        is_judge: Whoever asks scores in it.
    """

    id: str
    title: str
    description: str
    categories: list[str]
    criteria: list[Criterion]
    method: Method
    exhibition_order: ExhibitionOrder
    standing: ContestStanding
    starts_at: Moment
    ends_at: Moment
    closed_at: Moment | None
    films_count: int
    version: int
    may_manage: bool
    is_judge: bool


class ContestPage(Page):
    """Contests, the latest first."""

    items: list[ContestRow]


class ContestFilm(View):
    """A film of a contest.

    Attributes:
        number: Its place in the programme, from 1.
        scores_count: How many judges have scored it; for the desk, else null.
        score: The result, null before the contest is closed; so the places.
    """

    id: str
    number: int
    category: str
    entrant: str
    scores_count: int | None
    score: float | None
    place: int | None
    category_place: int | None
    lecture: Lecture


class ContestJudge(View):
    """Who scores; ``scores_count`` says how many films they have done."""

    account_id: str
    login: str
    name: str
    scores_count: int


class Contest(ContestRow):
    """A contest with what may be known of it.

    Attributes:
        films: In the order of the exhibition once it is closed, for the desk in the order of the
            programme before; nobody else is shown films before the end.
        judges: For the desk, else empty.
    """

    films: list[ContestFilm]
    judges: list[ContestJudge]


class ContestSheet(View):
    """What a judge gave a film; ``mark`` is the weighted mean."""

    film_id: str
    judge_name: str
    points: dict[CriterionKey, Points]
    mark: float


class ContestSheets(View):
    """All that was given, so that anybody can compute the ranking again."""

    items: list[ContestSheet]


class JudgingRow(View):
    """A contest in which one judges; ``scores_count`` of the own ones."""

    id: str
    title: str
    standing: ContestStanding
    starts_at: Moment
    ends_at: Moment
    films_count: int
    scores_count: int


class JudgingList(View):
    items: list[JudgingRow]


class JudgingFilm(View):
    """A film as its judges see it: nothing of who entered it, nothing of the other judges.

    ``points`` are the own ones, null before there are any.
    """

    id: str
    number: int
    title: str
    category: str
    duration_s: float
    poster_url: str | None
    playback: ReplayPlayback | None
    points: dict[CriterionKey, Points] | None


class Judging(JudgingRow):
    """A contest as its judges see it."""

    description: str
    criteria: list[Criterion]
    films: list[JudgingFilm]


class WantedSheet(Body):
    """Points for every criterion, by its key."""

    points: Annotated[dict[CriterionKey, Points], Field(min_length=1, max_length=MAX_CRITERIA)]
