"""The table of caption tracks. No queries."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum

MAX_LANGUAGE_CHARS = 35  # RFC 5646 §4.4.1: what an implementation should be able to hold.
MAX_LABEL_CHARS = 100


class CaptionOrigin(enum.Enum):
    """Where a track came from."""

    UPLOADED = "uploaded"
    EMBEDDED = "embedded"
    AUTOMATIC = "automatic"


class CaptionTrack(HasId, Base):
    """One language of captions of a lecture, in the lecture's uncut time.

    Attributes:
        version: Raised by every change; part of the address that is cached for ever.
        cues: ``[[start_ms, end_ms, text]]``, ordered.
        cues_count: How many there are, for lists that do not read them.
        is_edited: A person has changed it since it came.
        import_key: Which import made it (unique in the lecture), so that none comes twice;
            ``None`` for an uploaded one.
        deleted_at: The row of a deleted track stays, empty: an import must not bring it back.
    """

    __tablename__ = "caption_tracks"
    __table_args__ = (UniqueConstraint("lecture_id", "import_key"),)

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE")
    )
    language: Mapped[str] = mapped_column(String(MAX_LANGUAGE_CHARS))
    label: Mapped[str] = mapped_column(String(MAX_LABEL_CHARS))
    origin: Mapped[CaptionOrigin] = mapped_column(short_enum(CaptionOrigin, "origin"))
    version: Mapped[int] = mapped_column(default=1)
    cues: Mapped[list[list[Any]]] = mapped_column(JSON_DOCUMENT)
    cues_count: Mapped[int]
    is_edited: Mapped[bool] = mapped_column(default=False)
    import_key: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
