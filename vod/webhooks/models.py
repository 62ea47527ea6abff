"""Tables of events, of webhooks and of what is on its way to them. No queries."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ENUM_CHARS, ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum

ERROR_CHARS = 300


class DeliveryState(enum.Enum):
    """A waiting one is tried at its time; the others are over."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class OutgoingEvent(HasId, Base):
    """Something happened: written in the transaction of what it tells of.

    Attributes:
        kind: A value of ``EventKind``.
        subject_id: What it is about; ``data`` says more, nothing about persons.
        body: What is sent, made when it is given out; empty before.
        distributed_at: When deliveries and messages were made of it.
    """

    __tablename__ = "outgoing_events"
    __table_args__ = (Index(None, "distributed_at", "id"),)

    kind: Mapped[str] = mapped_column(String(ENUM_CHARS))
    subject_id: Mapped[str] = mapped_column(String(ID_CHARS))
    data: Mapped[dict[str, Any]]
    body: Mapped[str] = mapped_column(default="")
    occurred_at: Mapped[datetime]
    distributed_at: Mapped[datetime | None]


class Webhook(HasId, Base):
    """Somewhere that wants to know.

    Attributes:
        kinds: Values of ``EventKind`` that it is told of.
        secret_number: See ``vod.webhooks.signing``; the secret itself is not stored.
        rotated_at: When the secret was changed last.
        failing_since: First failure after the last success.
        disabled_reason: Why the house switched it off; empty when a person did.
    """

    __tablename__ = "webhooks"
    __table_args__ = (CheckConstraint("secret_number >= 1", name="secret_number"),)

    url: Mapped[str] = mapped_column(String(2000))
    description: Mapped[str] = mapped_column(String(200), default="")
    kinds: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    secret_number: Mapped[int] = mapped_column(default=1)
    rotated_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(String(ERROR_CHARS), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )


class WebhookDelivery(HasId, Base):
    """One event on its way to one webhook.

    Attributes:
        attempts: Begun ones.
        next_at: When to try; in the future while somebody is trying.
        last_status: HTTP status of the last attempt; ``None`` when there was no answer.
        last_error: Why the last attempt failed, short.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index(None, "webhook_id", "state", "next_at"),
        Index(None, "event_id"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )

    webhook_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("webhooks.id", ondelete="CASCADE")
    )
    event_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("outgoing_events.id", ondelete="CASCADE")
    )
    state: Mapped[DeliveryState] = mapped_column(
        short_enum(DeliveryState, "state"), default=DeliveryState.WAITING
    )
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    last_status: Mapped[int | None]
    last_error: Mapped[str] = mapped_column(String(ERROR_CHARS), default="")
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
