"""The table of live classes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel.ids import new_id
from vod.accounts.models import Account
from vod.accounts.roles import Visibility
from vod.classes.states import ClassState
from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.series.models import Series


class LiveClass(HasId, Base):
    """A scheduled class and its one broadcast.

    Attributes:
        broadcast_id: Fixed at creation: whatever the encoder does, there is one broadcast.
        key_version: Raised to make all earlier stream keys and tokens worthless.
        last_media_at: When media was last known to flow; the automatic end counts from it.
        end_requested_at: A person or the clock wants it ended; repeated until streamer agrees.
        recorded_ticks: Length of the recording at its last end, 1/90000 s.
        stored_ticks: How much of it is known to be in the blob store.
    """

    __tablename__ = "live_classes"
    __table_args__ = (
        Index(None, "state", "starts_at"),
        CheckConstraint("recorded_ticks >= 0 AND stored_ticks >= 0", name="ticks"),
    )

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    visibility: Mapped[Visibility] = mapped_column(short_enum(Visibility, "visibility"))
    state: Mapped[ClassState] = mapped_column(
        short_enum(ClassState, "state"), default=ClassState.SCHEDULED
    )
    starts_at: Mapped[datetime | None]
    planned_end: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    last_media_at: Mapped[datetime | None]
    end_requested_at: Mapped[datetime | None] = mapped_column(index=True)
    end_reason: Mapped[str | None] = mapped_column(String(200))
    series_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("series.id", ondelete="SET NULL"), index=True
    )
    instructor_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL"), index=True
    )
    broadcast_id: Mapped[str] = mapped_column(
        String(ID_CHARS),
        unique=True,
        default=lambda: new_id(),  # noqa: PLW0108 - SQLAlchemy hands a context to bare functions
    )
    key_version: Mapped[int] = mapped_column(default=1)
    recorded_ticks: Mapped[int] = mapped_column(BigInteger, default=0)
    stored_ticks: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]

    series: Mapped[Series | None] = relationship(lazy="raise")
    instructor: Mapped[Account | None] = relationship(lazy="raise")
