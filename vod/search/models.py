"""Tables of search: documents, what is said in them, what has changed. No queries.

Beside them is ``search_tokens``, which each database has in its own way (``fts5``, ``postgres``)
and no model describes. Everything here is made from other tables and can be made anew at any time.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from vod.accounts.roles import Visibility
from vod.db.base import ID_CHARS, Base, short_enum

# ``None`` is NULL in both; JSON's own null never gets in.
NULLABLE_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
MAX_KEY_CHARS = 400  # A title has 200 characters; folding rarely makes one into two.
MAX_SOUND_CHARS = 400
MAX_OBJECT_CHARS = 64  # Of an entry of an editable list.


class SearchKind(enum.Enum):
    """What can be found."""

    LECTURE = "lecture"
    SERIES = "series"
    LIVE_CLASS = "live_class"
    INSTRUCTOR = "instructor"


class SearchDocument(Base):
    """One thing that can be found, as it was when its rows were last looked at.

    Attributes:
        number: What the index calls it.
        title_key: The folded title without spaces.
        sound: How the title sounds, for suggestions.
        sorted_at: Of equally good ones the newest comes first.
        is_published: Members may see it now; editors see the others, too.
        audience: An audience rule as it is stored; ``None`` is everybody.
        tokens: What the index holds of it, where that must be known to take it out again.
        marker: Digest of all that it was made of; an equal one need not be written.
    """

    __tablename__ = "search_documents"
    __table_args__ = (UniqueConstraint("kind", "object_id"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[SearchKind] = mapped_column(short_enum(SearchKind, "kind"))
    object_id: Mapped[str] = mapped_column(String(ID_CHARS))
    title_key: Mapped[str] = mapped_column(String(MAX_KEY_CHARS))
    sound: Mapped[str] = mapped_column(String(MAX_SOUND_CHARS))
    sorted_at: Mapped[datetime]
    visibility: Mapped[Visibility] = mapped_column(short_enum(Visibility, "visibility"))
    is_published: Mapped[bool]
    audience: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    tokens: Mapped[list[list[str]] | None] = mapped_column(NULLABLE_JSON)
    marker: Mapped[str] = mapped_column(String(64))


class SearchSpeech(Base):
    """What a caption track says, in the time of what plays.

    Attributes:
        version: Of the track, when it was read.
        place: Whose time it is in, see ``vod.material.timeline.Timeline``.
        folded: Squeezed texts of the cues, a line each, compressed.
        cues: ``[[start_ms, text]]`` as JSON, compressed.
    """

    __tablename__ = "search_speech"

    number: Mapped[int] = mapped_column(
        Integer, ForeignKey("search_documents.number", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    track_id: Mapped[str] = mapped_column(String(ID_CHARS))
    language: Mapped[str] = mapped_column(String(35))
    version: Mapped[int]
    place: Mapped[str] = mapped_column(String(ID_CHARS))
    folded: Mapped[bytes] = mapped_column(LargeBinary)
    cues: Mapped[bytes] = mapped_column(LargeBinary)


class SearchChange(Base):
    """Something changed, written by triggers with the change itself; taken away when indexed.

    Attributes:
        kind: Of what is found (``SearchKind``), or of what is part of it (``indexer.PARTS``).
    """

    __tablename__ = "search_changes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    object_id: Mapped[str] = mapped_column(String(MAX_OBJECT_CHARS))


class SearchState(Base):
    """One row: who indexes now, and with which tokens all was indexed.

    Attributes:
        owner: Of the lease, until ``leased_until``.
        tokens_version: ``tokens.VERSION`` of what is in the index; another one is made anew.
    """

    __tablename__ = "search_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    owner: Mapped[str | None] = mapped_column(String(ID_CHARS))
    leased_until: Mapped[datetime | None]
    tokens_version: Mapped[int]
