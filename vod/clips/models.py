"""The table of clips. No queries."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.captions.models import MAX_LANGUAGE_CHARS
from vod.db.base import ID_CHARS, Base, HasId, short_enum


class ClipShape(enum.Enum):
    """How the picture of the lecture becomes that of the clip."""

    LANDSCAPE = "landscape"
    CROP = "crop"
    BLUR = "blur"


class Clip(HasId, Base):
    """One MP4 out of a lecture; how far it is and why it failed is what its job says.

    Attributes:
        start_ticks, end_ticks: Half-open, in the lecture's uncut time.
        crop_percent: Where ``crop`` looks: 0 is the left edge, 100 the right one.
        language: Of the captions that are burned in; ``None`` without any.
        limit_bytes: The file is not larger.
        key: Of the finished file below ``clips/{lecture_id}/{id}/``.
        deleted_at: Nobody sees it any more; the file goes with the next sweep, then the row.
    """

    __tablename__ = "clips"
    __table_args__ = (
        CheckConstraint("start_ticks >= 0 AND end_ticks > start_ticks", name="range"),
        CheckConstraint("crop_percent >= 0 AND crop_percent <= 100", name="crop"),
        CheckConstraint("limit_bytes > 0", name="limit"),
    )

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("jobs.id", ondelete="CASCADE"), unique=True
    )
    start_ticks: Mapped[int] = mapped_column(BigInteger)
    end_ticks: Mapped[int] = mapped_column(BigInteger)
    shape: Mapped[ClipShape] = mapped_column(short_enum(ClipShape, "shape"))
    crop_percent: Mapped[int] = mapped_column(default=50)
    language: Mapped[str | None] = mapped_column(String(MAX_LANGUAGE_CHARS))
    limit_bytes: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str | None] = mapped_column(String(256))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    created_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = mapped_column(index=True)
    deleted_at: Mapped[datetime | None]
