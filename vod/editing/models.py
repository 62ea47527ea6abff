"""The table of edits. No queries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId


class Edit(HasId, Base):
    """One version of what is kept of a lecture; the newest one is in force.

    Attributes:
        version: From 1 on; restoring the uncut lecture is a version, too.
        kept: Half-open ``[start_ticks, end_ticks]`` of uncut time, in order; empty is uncut.
        source_version: Of the lecture's source that was cut.
        job_id: The newest job that carries it out; ``None`` for an uncut one.
        reason: Why it was dropped, for people.
    """

    __tablename__ = "edits"
    __table_args__ = (
        UniqueConstraint("lecture_id", "version"),
        CheckConstraint("version >= 1", name="version"),
    )

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE")
    )
    version: Mapped[int]
    kept: Mapped[list[list[int]]] = mapped_column(JSON_DOCUMENT)
    source_version: Mapped[int]
    job_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    reason: Mapped[str | None]
    created_by: Mapped[str | None] = mapped_column(String(ID_CHARS))
    created_at: Mapped[datetime]
