"""The table of own poster pictures. No queries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId


class OwnPoster(HasId, Base):
    """A picture that somebody uploaded as poster: blob ``posters/{lecture_id}/{name}``.

    Attributes:
        name: ``{hash}.jpg``: the same picture is the same file.
        retired_at: Since when another picture is shown; the file goes after the grace period.
    """

    __tablename__ = "own_posters"
    __table_args__ = (UniqueConstraint("lecture_id", "name"),)

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(80))
    width_px: Mapped[int]
    height_px: Mapped[int]
    size_bytes: Mapped[int]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
