"""Tables of forms and tags. No queries."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base


class LectureForm(Base):
    """One entry of the list of forms: 视频, 有声党课, 情景党课 ...; editors change it.

    Attributes:
        key: Stays when the name changes.
        is_offered: Choosable and shown as a filter; lectures keep a form that no longer is.
    """

    __tablename__ = "lecture_forms"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    position: Mapped[int]
    is_offered: Mapped[bool] = mapped_column(default=True)


class LectureTag(Base):
    """A word that editors hang on a lecture."""

    __tablename__ = "lecture_tags"
    __table_args__ = (Index(None, "name"),)

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
