"""The audit table. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId


class AuditEntry(HasId, Base):
    """One privileged change. ``actor_id`` is empty when the system itself acted."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "at"), Index(None, "object_type", "object_id"))

    at: Mapped[datetime]
    actor_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    action: Mapped[str] = mapped_column(String(64))
    object_type: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(ID_CHARS))
    detail: Mapped[dict[str, Any]]
