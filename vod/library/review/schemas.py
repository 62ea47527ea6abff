"""What the API says about review and publishing."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from vod.http.pagination import Page
from vod.http.types import Body, Identifier, Moment, Name, View, refuse_controls
from vod.lectures.publication import Publication
from vod.library.models import ReviewDeed
from vod.library.review.states import Move

MAX_STEPS: Final = 3  # 初审, 复审, 终审.

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=1_000),
    AfterValidator(refuse_controls),
]


class ReviewStep(Body):
    """One step; without reviewers any editor passes it."""

    name: Name
    reviewers: Annotated[tuple[Identifier, ...], Field(max_length=50)] = ()


class WantedPolicy(Body):
    """The steps before anything is published; ``version`` is of the ones that were changed."""

    version: Annotated[int, Field(ge=0)]
    steps: Annotated[tuple[ReviewStep, ...], Field(max_length=MAX_STEPS)]
    is_by_others: bool = True


class ReviewPolicy(View):
    """The steps before anything is published, none to three.

    Attributes:
        is_by_others: Whoever handed something in, or passed an earlier step, passes none.
    """

    version: int
    steps: list[ReviewStep]
    is_by_others: bool


class WantedMove(Body):
    """What to do; ``reason`` is needed to reject.

    Attributes:
        publish_at: To ``submit`` or ``publish``: not before; null is at once.
        withdraw_at: To ``submit`` or ``publish``: when members stop seeing it; null is never.
    """

    move: Move
    reason: Reason = ""
    publish_at: Moment | None = None
    withdraw_at: Moment | None = None


class ReviewEntry(View):
    """One deed of the history."""

    at: Moment
    actor_name: str | None
    deed: ReviewDeed
    step: int
    step_name: str
    reason: str


class Standing(View):
    """Where a lecture is on its way; ``moves`` are those that whoever asks may make now."""

    lecture_id: str
    title: str
    publication: Publication
    publish_at: Moment | None
    withdraw_at: Moment | None
    step: int
    step_name: str | None
    steps: list[str]
    moves: list[Move]
    history: list[ReviewEntry]


class QueuePage(Page):
    items: list[Standing]
