"""The table of recordings. No queries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId


class Recording(HasId, Base):
    """One end of a broadcast: everything recorded until then. Never changed, only added to.

    Attributes:
        version: Grows by one at each end of the same broadcast.
        index_json: A ``RecordingIndex`` as text.
        stored_at: When every segment was known to be in the blob store.
        live_deleted_at: When its live segments were deleted after a verified asset.
    """

    __tablename__ = "recordings"
    __table_args__ = (UniqueConstraint("broadcast_id", "version"),)

    broadcast_id: Mapped[str] = mapped_column(String(ID_CHARS))
    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    version: Mapped[int]
    index_json: Mapped[str]
    duration_ticks: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[datetime]
    stored_at: Mapped[datetime | None]
    live_deleted_at: Mapped[datetime | None]
