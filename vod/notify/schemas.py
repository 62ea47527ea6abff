"""What the API says about messages to people elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from vod.http.pagination import Page
from vod.http.types import Body, Moment, View
from vod.webhooks.models import DeliveryState


class TestMessage(Body):
    """To whom a test goes: ``name@host``, ``wechat:OPENID`` or ``wechat:draft``."""

    __test__ = False  # Not a test of pytest's.

    to: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=320)]


class OutgoingMessage(View):
    """A message.

    Attributes:
        recipient: Masked.
        next_at: When it is tried again; null when it is over.
    """

    id: str
    recipient: str
    subject: str
    state: DeliveryState
    attempts: int
    next_at: Moment | None
    last_error: str
    created_at: Moment
    finished_at: Moment | None


class OutgoingMessagePage(Page):
    """The newest first, and which ways are configured."""

    items: list[OutgoingMessage]
    has_mail: bool
    has_wechat: bool
    alerts_count: int
    notices_count: int
