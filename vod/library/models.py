"""Tables of teachers, venues, films, papers and review. No queries."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, validates

from vod.accounts.names import INITIALS_CHARS, PINYIN_CHARS, build_name_keys
from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum


class Instructor(HasId, Base):
    """A teacher of the pool 师资库; who also signs in has an account.

    Attributes:
        pinyin: Of the name, see ``vod.accounts.names``; so ``pinyin_joined`` and ``initials``.
        unit_name: Where they work, as people say it.
        level: 国家级, 自治区级, 市级 ..., as people say it.
        topics: What they teach, short texts.
        appointed_until: The last day; after it nobody orders them. ``None`` has no end.
        portrait: Name of the picture in the blob store.
    """

    __tablename__ = "instructors"
    __table_args__ = (Index(None, "pinyin", "id"),)

    name: Mapped[str] = mapped_column(String(64))
    pinyin: Mapped[str] = mapped_column(String(PINYIN_CHARS), default="")
    pinyin_joined: Mapped[str] = mapped_column(String(PINYIN_CHARS), default="")
    initials: Mapped[str] = mapped_column(String(INITIALS_CHARS), default="")
    account_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL"), unique=True
    )
    unit_name: Mapped[str] = mapped_column(String(100), default="")
    job_title: Mapped[str] = mapped_column(String(100), default="")
    level: Mapped[str] = mapped_column(String(64), default="")
    topics: Mapped[list[str]] = mapped_column(JSON_DOCUMENT, default=list)
    biography: Mapped[str] = mapped_column(default="")
    appointed_from: Mapped[date | None]
    appointed_until: Mapped[date | None] = mapped_column(index=True)
    portrait: Mapped[str | None] = mapped_column(String(64))
    is_published: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]

    @validates("name")
    def _find_by_name(self, _key: str, name: str) -> str:
        keys = build_name_keys(name)
        self.pinyin, self.pinyin_joined = keys.pinyin, keys.joined
        self.initials = keys.initials
        return name


class LectureInstructor(Base):
    """Who teaches in a lecture, in the order in which they are named."""

    __tablename__ = "lecture_instructors"
    __table_args__ = (Index(None, "instructor_id"),)

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    instructor_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("instructors.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int]


class VenueKind(enum.Enum):
    """What one does at a 现场教学点: 宣讲, 实景, 阅读, 行走."""

    TALK = "talk"
    SCENE = "scene"
    READING = "reading"
    WALK = "walk"
    OTHER = "other"


class Venue(HasId, Base):
    """A place for teaching on site. ``contact_*`` are for whoever is signed in."""

    __tablename__ = "venues"
    __table_args__ = (CheckConstraint("capacity_count >= 0", name="capacity"),)

    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[VenueKind] = mapped_column(short_enum(VenueKind, "kind"))
    place: Mapped[str] = mapped_column(String(200), default="")
    description: Mapped[str] = mapped_column(default="")
    contact_name: Mapped[str] = mapped_column(String(64), default="")
    contact_phone: Mapped[str] = mapped_column(String(32), default="")
    capacity_count: Mapped[int | None]
    is_published: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class LectureFilm(Base):
    """What the film library 电视片 knows of a lecture.

    Attributes:
        category: 典型事迹片, 微视频, 纪录片 ..., as people say it.
        awards: ``[{"title", "organiser", "year", "rank"}, ...]``, newest first.
    """

    __tablename__ = "lecture_films"

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    category: Mapped[str] = mapped_column(String(64), index=True)
    producer: Mapped[str] = mapped_column(String(100), default="")
    produced_year: Mapped[int | None]
    awards: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT, default=list)


class LectureDocument(HasId, Base):
    """A file to keep: blob ``library/documents/{lecture_id}/{id}``."""

    __tablename__ = "lecture_documents"
    __table_args__ = (
        Index(None, "lecture_id", "position"),
        CheckConstraint("size_bytes > 0", name="size"),
    )

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE")
    )
    filename: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int]
    created_at: Mapped[datetime]


class ReviewPolicy(Base):
    """One row: the steps before anything is published.

    Attributes:
        steps: ``[{"name", "reviewers": [account ids]}, ...]``, none to three; without reviewers
            any editor passes the step.
        is_by_others: Whoever handed something in, or passed an earlier step, passes none.
    """

    __tablename__ = "review_policy"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT, default=list)
    is_by_others: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int]


class ReviewDeed(enum.Enum):
    """What happened to a lecture on its way."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETRACTED = "retracted"


class ReviewEntry(HasId, Base):
    """One deed of the history. Rows are only ever added.

    Attributes:
        step: Which step, from 0; of the next one when it was handed in.
        step_name: As it was called then.
    """

    __tablename__ = "review_entries"
    __table_args__ = (Index(None, "lecture_id", "at"),)

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE")
    )
    at: Mapped[datetime]
    actor_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    deed: Mapped[ReviewDeed] = mapped_column(short_enum(ReviewDeed, "deed"))
    step: Mapped[int]
    step_name: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(default="")
