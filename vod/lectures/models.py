"""The table of lectures."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vod.accounts.roles import Visibility
from vod.classes.models import LiveClass
from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.series.models import Series


class LectureState(enum.Enum):
    """Whether it can be watched: ``playable`` from the recording, ``ready`` with a ladder."""

    PROCESSING = "processing"
    PLAYABLE = "playable"
    READY = "ready"
    FAILED = "failed"


class Lecture(HasId, Base):
    """One replay or recorded lesson.

    Attributes:
        live_class_id: Unique: a class has exactly one replay (invariant 4).
        recording_version: Which version of the class's recording it plays; ``None`` without one.
        source_version: Counts what it was made from: versions of its recording, then of uploaded
            files. Jobs and assets carry the version they are of; an older one never wins.
        upload_id: The uploaded file it is made from; ``None`` while that is the recording.
        asset_id: The published asset, flipped when a finished set is complete; ``None`` before.
        base_asset_id: The uncut set while ``asset_id`` is a cut of it, or of its predecessor.
        deleted_at: Set instead of removing the row, so that an event that arrives late cannot
            bring a deleted replay back.
    """

    __tablename__ = "lectures"
    __table_args__ = (
        Index(None, "deleted_at", "recorded_at"),
        CheckConstraint("duration_ticks >= 0", name="duration"),
    )

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    visibility: Mapped[Visibility] = mapped_column(short_enum(Visibility, "visibility"))
    state: Mapped[LectureState] = mapped_column(
        short_enum(LectureState, "state"), default=LectureState.PROCESSING
    )
    series_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("series.id", ondelete="SET NULL"), index=True
    )
    position: Mapped[int | None]
    live_class_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("live_classes.id", ondelete="RESTRICT"), unique=True
    )
    duration_ticks: Mapped[int] = mapped_column(BigInteger, default=0)
    recorded_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    recording_version: Mapped[int | None]
    source_version: Mapped[int] = mapped_column(default=0)
    upload_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    asset_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    base_asset_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    series: Mapped[Series | None] = relationship(lazy="raise")
    live_class: Mapped[LiveClass | None] = relationship(lazy="raise")
