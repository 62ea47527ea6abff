"""Tables of what members watched and keep at hand. No queries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base


class WatchRecord(Base):
    """One member and one lecture.

    Attributes:
        position_s: Where they stopped.
        duration_s: Length of the lecture when that was reported.
        furthest_s: End of the last range; the position may be before it.
        watched_s: Sum of the ranges.
        ranges: Disjoint ``[start_s, end_s]`` pairs in order, ends exclusive, a bounded number.
        finished_at: When enough of it was watched for the first time; stays when the file is
            replaced by a longer one.
    """

    __tablename__ = "watch_records"
    __table_args__ = (
        Index(None, "lecture_id"),
        Index(None, "account_id", "updated_at"),
        CheckConstraint("position_s >= 0", name="position"),
        CheckConstraint("watched_s >= 0", name="watched"),
    )

    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    position_s: Mapped[int] = mapped_column(default=0)
    duration_s: Mapped[int] = mapped_column(default=0)
    furthest_s: Mapped[int] = mapped_column(default=0)
    watched_s: Mapped[int] = mapped_column(default=0)
    ranges: Mapped[list[list[int]]] = mapped_column(JSON_DOCUMENT, default=list)
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Favourite(Base):
    """A lecture that a member wants at hand."""

    __tablename__ = "favourites"
    __table_args__ = (Index(None, "lecture_id"), Index(None, "account_id", "created_at"))

    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    created_at: Mapped[datetime]
