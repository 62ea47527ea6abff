"""What the API says about teachers."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from vod.classes.states import ClassState
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, LongText, Moment, Name, View
from vod.lectures.hours import Hours
from vod.library.types import Day, Label, Tag

Topics = Annotated[tuple[Tag, ...], Field(max_length=20)]
Level = Annotated[Label, StringConstraints(max_length=64)]


class Instructor(View):
    """A teacher of the pool.

    Attributes:
        account_id: The account they sign in with, for editors; null for everybody else.
        is_orderable: Appointed today: may be ordered. Before and after the appointment not.
        rating: Mean of 1 to 5 points of orders that they taught; null while there is none.
        lectures_count: Those that whoever asks may see; ``hours`` is their sum.
    """

    id: str
    name: str
    unit_name: str
    job_title: str
    level: str
    topics: list[str]
    biography: str
    appointed_from: date | None
    appointed_until: date | None
    is_orderable: bool
    is_published: bool
    portrait_url: str | None
    account_id: str | None
    lectures_count: int
    hours: Hours
    rating: float | None
    ratings_count: int


class InstructorPage(Page):
    items: list[Instructor]


class InstructorFields(Body):
    unit_name: Label | None = None
    job_title: Label | None = None
    level: Level | None = None
    topics: Topics | None = None
    biography: LongText | None = None
    appointed_from: Day | None = None
    appointed_until: Day | None = None
    account_id: Identifier | None = None
    is_published: bool | None = None


class NewInstructor(InstructorFields):
    name: Name


class InstructorChange(InstructorFields):
    """Members left out stay; null clears days and the account."""

    name: Name | None = None


class TaughtClass(View):
    """A live class of a teacher."""

    id: str
    title: str
    state: ClassState
    starts_at: Moment | None


class TaughtClasses(View):
    """The latest live classes of a teacher, newest first."""

    items: list[TaughtClass]
