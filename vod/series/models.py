"""Tables of series and of the lectures in them. No queries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId


class Series(HasId, Base):
    """A named, ordered collection of lectures.

    Attributes:
        introduction: A little HTML, sanitised when it was written.
        planned_count: How many episodes there will be; ``None`` when nobody has said.
        cover: Name of its picture in the blob store.
        is_published: Members see it; the lectures in it have their own publication.
        external_id: What a course list calls it.
        version: Counts changes of the order, so that nobody overwrites unseen ones.
    """

    __tablename__ = "series"
    __table_args__ = (CheckConstraint("planned_count >= 0", name="planned"),)

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    introduction: Mapped[str] = mapped_column(default="")
    planned_count: Mapped[int | None]
    cover: Mapped[str | None] = mapped_column(String(64))
    is_published: Mapped[bool] = mapped_column(default=True)
    external_id: Mapped[str | None] = mapped_column(String(100), unique=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(index=True)


class SeriesLecture(Base):
    """A lecture in a series. Positions are 0, 1, 2 ... but for what was deleted meanwhile."""

    __tablename__ = "series_lectures"
    __table_args__ = (Index(None, "lecture_id"), CheckConstraint("position >= 0", name="position"))

    series_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("series.id", ondelete="CASCADE"), primary_key=True
    )
    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int]
    is_required: Mapped[bool] = mapped_column(default=True)
