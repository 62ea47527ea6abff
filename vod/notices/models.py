"""The table of notices. No queries."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.accounts.roles import Visibility
from vod.db.base import ID_CHARS, Base, HasId, short_enum


class NoticeState(enum.Enum):
    """Whether it has been handed to the members; its dates say when they see it."""

    DRAFT = "draft"
    PUBLISHED = "published"


class NoticeSection(enum.Enum):
    """Under which heading it stands."""

    COURSES = "courses"  # 课程上新
    WORK = "work"  # 组工动态
    BRANCHES = "branches"  # 基层党建
    ANNOUNCEMENTS = "announcements"  # 通知公告


class Notice(HasId, Base):
    """A notice.

    Attributes:
        body: Markup that has been through the sieve of ``vod.library.markup``.
        plain_text: The same without markup: what is searched and summarised.
        visibility: Who sees it once it is published.
        publish_at: From when they see it; ``None`` while it is a draft.
        withdraw_at: Until when; ``None`` has no end.
        origin: What it tells of, ``lecture:{id}`` or ``series:{id}``; one notice for each.
        version: Raised by every change; a change must name the one that it began with.
        told_at: When webhooks and recipients elsewhere were told of it, once for all.
        deleted_at: The row stays, so that nothing is told of twice.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index(None, "state", "publish_at", "id"),
        CheckConstraint("version >= 1", name="version"),
    )

    title: Mapped[str] = mapped_column(String(200))
    section: Mapped[NoticeSection] = mapped_column(short_enum(NoticeSection, "section"))
    source: Mapped[str] = mapped_column(String(100), default="")
    body: Mapped[str] = mapped_column(default="")
    plain_text: Mapped[str] = mapped_column(default="")
    visibility: Mapped[Visibility] = mapped_column(short_enum(Visibility, "visibility"))
    state: Mapped[NoticeState] = mapped_column(
        short_enum(NoticeState, "state"), default=NoticeState.DRAFT
    )
    publish_at: Mapped[datetime | None]
    withdraw_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    origin: Mapped[str | None] = mapped_column(String(64), unique=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
