"""The table of messages on their way. No queries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.webhooks.models import ERROR_CHARS, DeliveryState


class OutgoingMessage(HasId, Base):
    """One message to one recipient.

    Attributes:
        event_id: What it tells of; ``None`` for a test.
        recipient: ``name@host``, ``wechat:OPENID``, ``wechat:draft`` or ``wechat:publish``.
        text: Plain text.
        next_at: When to try; in the future while somebody is trying.
    """

    __tablename__ = "outgoing_messages"
    __table_args__ = (
        Index(None, "state", "next_at"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )

    event_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("outgoing_events.id", ondelete="SET NULL")
    )
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(
        short_enum(DeliveryState, "state"), default=DeliveryState.WAITING
    )
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(String(ERROR_CHARS), default="")
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
