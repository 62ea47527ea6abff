"""The table of what is kept once per lecture. No queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base


class Material(Base):
    """Chapters, source and poster of a lecture; there is no row before the first of them.

    Attributes:
        chapters: ``[{"start_ms", "title"}]`` in the lecture's uncut time, ordered.
        chapters_version: Raised by every change; what an editor must have seen to change them.
        are_chapters_edited: A person has saved them: a new file brings no others.
        imported_version: Newest source version whose captions and chapters were taken over.
        source: ``SourceReport`` of the newest plan.
        source_version: Which source ``source`` describes.
        poster_name: The picture that was chosen: a candidate's file name or an own picture's;
            ``None`` shows the asset's first.
        poster_source_version: Of which source the chosen candidate is; ``None`` for an own picture.
    """

    __tablename__ = "lecture_material"

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    chapters: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT, default=list)
    chapters_version: Mapped[int] = mapped_column(default=0)
    are_chapters_edited: Mapped[bool] = mapped_column(default=False)
    imported_version: Mapped[int] = mapped_column(default=0)
    source: Mapped[dict[str, Any] | None]
    source_version: Mapped[int | None]
    poster_name: Mapped[str | None] = mapped_column(String(128))
    poster_source_version: Mapped[int | None]
    changed_at: Mapped[datetime]
