"""The table of assets. No queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId


class Asset(HasId, Base):
    """A published, immutable set of renditions under ``assets/{id}/{plan_hash}/``.

    While ``is_partial`` it is what was ready first, under ``assets/{id}/{plan_hash}-first/``; the
    whole set takes its place in the same row.

    Attributes:
        job_id: Unique: a job publishes once.
        source_version: Which version of the recording or the uploaded file it shows.
        report: The ``AssetReport`` as the worker sent it.
    """

    __tablename__ = "assets"

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("jobs.id", ondelete="CASCADE"), unique=True
    )
    source_version: Mapped[int]
    plan_hash: Mapped[str] = mapped_column(String(64))
    duration_ticks: Mapped[int] = mapped_column(BigInteger)
    poster: Mapped[str | None] = mapped_column(String(128))
    storyboard: Mapped[str | None] = mapped_column(String(128))
    is_partial: Mapped[bool] = mapped_column(default=False)
    report: Mapped[dict[str, Any]]
    published_at: Mapped[datetime] = mapped_column(index=True)
