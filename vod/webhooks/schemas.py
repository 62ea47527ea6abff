"""What the API says about webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from vod.http.pagination import Page
from vod.http.types import Body, Moment, View, refuse_breaks
from vod.webhooks.models import DeliveryState

Kind = Literal[
    "lecture.published",
    "class.started",
    "class.ended",
    "replay.ready",
    "notice.sent",
    "job.failed",
]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=20)]
Url = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    AfterValidator(refuse_breaks),
]
Description = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(refuse_breaks)
]


class NewWebhook(Body):
    """Somewhere that wants to know. ``url`` is https and public."""

    url: Url
    kinds: Kinds
    description: Description = ""


class WebhookChange(Body):
    """What is left out stays."""

    url: Url | None = None
    kinds: Kinds | None = None
    description: Description | None = None
    is_enabled: bool | None = None


class Webhook(View):
    """A receiver.

    Attributes:
        disabled_reason: Why the house switched it off; empty when a person did.
        failing_since: First failure after the last success.
        waiting_count: Deliveries that are still tried.
        failed_count: Deliveries that were given up.
    """

    id: str
    url: str
    description: str
    kinds: list[Kind]
    is_enabled: bool
    disabled_reason: str
    failing_since: Moment | None
    rotated_at: Moment | None
    created_at: Moment
    waiting_count: int
    failed_count: int


class WebhookList(View):
    items: list[Webhook]


class WebhookWithSecret(View):
    """The answer to creating and rotating: ``secret`` is shown this once."""

    webhook: Webhook
    secret: str


class WebhookDelivery(View):
    """One event on its way to one receiver.

    Attributes:
        kind: What happened; ``ping`` is the test.
        body: What is sent.
        next_at: When it is tried again; null when it is over.
        last_status: HTTP status of the last answer; null without one.
    """

    id: str
    event_id: str
    kind: str
    body: str
    state: DeliveryState
    attempts: int
    next_at: Moment | None
    last_status: int | None
    last_error: str
    created_at: Moment
    finished_at: Moment | None


class WebhookDeliveryPage(Page):
    items: list[WebhookDelivery]
