"""Editable lists that describe members, and the imports of rosters. No queries."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum

KEY_CHARS = 32


class ListEntry(Base):
    """A word that an editor may rename; ``key`` stays."""

    __abstract__ = True

    key: Mapped[str] = mapped_column(String(KEY_CHARS), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    position: Mapped[int]


class MemberCategory(ListEntry):
    """人员类别: 农牧民, 新党员, 退休党员 ..."""

    __tablename__ = "member_categories"


class MemberLevel(ListEntry):
    """层级: 党员, 支部书记 ..."""

    __tablename__ = "member_levels"


class ImportState(enum.Enum):
    """Where a roster import is; drawn in ``vod.people.imports``."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    CONFIRMED = "confirmed"
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RosterImport(HasId, Base):
    """A roster file on its way in.

    Attributes:
        rows_done: Rows read so far, by the dry run or the import itself.
        counts: ``inserted``, ``updated``, ``unchanged``, ``failed``.
        errors: The first ones, ``[row, column, sentence]``.
        fence: Raised by every claim; whoever holds an older one stops.
        claimed_until: Until then its worker is believed alive.
    """

    __tablename__ = "roster_imports"

    filename: Mapped[str] = mapped_column(String(255))
    size_bytes: Mapped[int]
    blob_key: Mapped[str] = mapped_column(String(255))
    state: Mapped[ImportState] = mapped_column(short_enum(ImportState, "state"), index=True)
    rows_count: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    errors: Mapped[list[Any]] = mapped_column(JSON_DOCUMENT, default=list)
    reason: Mapped[str | None]
    fence: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None]
    created_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]
