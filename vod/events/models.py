"""The inbox: identifiers of events that were already applied."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base


class InboxEvent(Base):
    """One applied event; inserting it a second time is how a repetition is noticed."""

    __tablename__ = "inbox_events"

    event_id: Mapped[str] = mapped_column(String(96), primary_key=True)
    broadcast_id: Mapped[str] = mapped_column(String(2 * ID_CHARS), index=True)
    type: Mapped[str] = mapped_column(String(32))
    received_at: Mapped[datetime] = mapped_column(index=True)
