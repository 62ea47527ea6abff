"""The table of series."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import Base, HasId


class Series(HasId, Base):
    """A named collection of lectures."""

    __tablename__ = "series"

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(index=True)
