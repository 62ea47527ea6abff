"""What the API says about orders."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from vod.http.pagination import Page
from vod.http.types import (
    Body,
    Identifier,
    Moment,
    Title,
    View,
    refuse_breaks,
    refuse_controls,
)
from vod.library.types import Day
from vod.orders.models import CONTACT_CHARS, Deed, Delivery, OrderKind, OrderState

MAX_ATTENDEES = 100_000
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2_000),
    AfterValidator(refuse_controls),
]
Contact = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=CONTACT_CHARS),
    AfterValidator(refuse_breaks),
]
Attendees = Annotated[int, Field(ge=1, le=MAX_ATTENDEES)]
Score = Annotated[int, Field(ge=1, le=5)]
MoveName = Literal["assign", "accept", "return", "decline", "complete", "rate", "withdraw"]


class Named(View):
    """Something with a name."""

    id: str
    name: str


class OrderRow(View):
    """An order in a list.

    Attributes:
        unit: Whose order it is; null is the whole city's.
        desk_unit: Where it waits; null is the city.
        due_at: By when it has to move on.
        overdue_since: Since when it is late.
        score: 1 to 5; null while it is not rated.
    """

    id: str
    kind: OrderKind
    title: str
    target_id: str | None
    state: OrderState
    is_for_unit: bool
    unit: Named | None
    desk_unit: Named | None
    orderer: str
    attendees_count: int
    wished: Delivery
    wished_on: date | None
    assignee: Named | None
    instructor: Named | None
    planned_at: Moment | None
    due_at: Moment | None
    overdue_since: Moment | None
    reopened_count: int
    score: int | None
    created_at: Moment
    version: int


class OrderEvent(View):
    """One thing that happened to an order; ``actor`` is null for the clock."""

    at: Moment
    deed: Deed
    state: OrderState
    actor: str | None
    text: str
    unit: Named | None


class Delivered(View):
    """How it was delivered; ``id`` is a live class, a lecture or a venue."""

    how: Delivery
    id: str | None
    title: str
    held_on: date | None


class Order(OrderRow):
    """An order with everything.

    Attributes:
        contact: Empty for whoever does not deal with it.
        moves: What whoever asks may do now.
        events: What happened, first things first.
    """

    note: str
    contact: str
    reply: str
    comment: str
    delivered: Delivered | None
    moves: list[MoveName]
    events: list[OrderEvent]


class OrderPage(Page):
    """Orders, the latest first."""

    items: list[OrderRow]


class NewOrder(Body):
    """An order: something of the catalogue (``target_id``), or a wish (``title``).

    Attributes:
        unit_id: Ordered for that unit; without it for oneself.
    """

    kind: OrderKind
    target_id: Identifier | None = None
    title: Title | None = None
    note: Words = ""
    contact: Contact = ""
    wished: Delivery = Delivery.ANY
    wished_on: Day | None = None
    attendees_count: Attendees = 1
    unit_id: Identifier | None = None


class OrderMove(Body):
    """A step of the loop over the version that was seen.

    Attributes:
        text: Why, what was done, or what one thinks of it; needed to decline, to return, to
            complete, and for 1 or 2 points, which open the order again.
        assignee_id: Who shall do it; without it the teacher's own account, else whoever assigns.
        instructor_id: Who shall teach; must be appointed today.
        planned_at: When, with ``accept``.
        delivered_id: With ``complete``: the live class, the lecture, or the venue.
        held_on: With ``complete`` on site.
    """

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    move: MoveName
    text: Words = ""
    assignee_id: Identifier | None = None
    instructor_id: Identifier | None = None
    planned_at: Moment | None = None
    delivery: Delivery | None = None
    delivered_id: Identifier | None = None
    held_on: Day | None = None
    score: Score | None = None


class Assignee(View):
    """Somebody who can be given an order; ``unit`` is null for the whole city's."""

    id: str
    name: str
    unit: str | None
    open_count: int


class Assignees(View):
    """Those who can be given an order, the nearest first."""

    items: list[Assignee]


class Demand(View):
    """How much something is wanted.

    Attributes:
        target_id: Null of a wish.
        people_count: Different people who ordered it.
        attendees_count: How many they would come with.
        open_count: Orders that still wait.
    """

    kind: OrderKind
    target_id: str | None
    title: str
    orders_count: int
    people_count: int
    attendees_count: int
    open_count: int


class DemandPage(Page):
    """What is wanted most, first."""

    items: list[Demand]
