"""The tables of channels, their programmes, and what was aired. No queries."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.lectures.models import Lecture


class ChannelVisibility(enum.Enum):
    """Who may watch a channel; ``audience`` are the members whom its rule fits."""

    PUBLIC = "public"
    MEMBERS = "members"
    AUDIENCE = "audience"


class RunKind(enum.Enum):
    """What a run shows: a programme, the filler, or nothing."""

    ITEM = "item"
    FILLER = "filler"
    PAUSE = "pause"


class Channel(HasId, Base):
    """A channel.

    Attributes:
        audience: ``AudienceRule`` as JSON; asked when ``visibility`` is ``audience``.
        may_seek: Whether the playlist reaches back ten minutes, and players show a time line.
        filler_id: The lecture that fills gaps.
    """

    __tablename__ = "channels"
    __table_args__ = (Index(None, "deleted_at", "position", "id"),)

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    visibility: Mapped[ChannelVisibility] = mapped_column(
        short_enum(ChannelVisibility, "visibility")
    )
    audience: Mapped[dict[str, Any]] = mapped_column(default=dict)
    may_seek: Mapped[bool] = mapped_column(default=True)
    filler_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="SET NULL"), index=True
    )
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Programme(HasId, Base):
    """An entry of a channel's grid, aired once or by a rule (``vod.channels.rule``)."""

    __tablename__ = "channel_programmes"
    __table_args__ = (Index(None, "channel_id", "starts_at"),)

    channel_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("channels.id", ondelete="CASCADE")
    )
    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    starts_at: Mapped[datetime]
    repeat: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]

    lecture: Mapped[Lecture] = relationship(lazy="raise")


class ChannelRun(HasId, Base):
    """A stretch of one asset that was put on air (``vod.channels.plan.Run``).

    Rows are added in the order of ``number``; only the last of a channel grows. What is here was
    perhaps announced to players, so nothing of it is ever changed.
    """

    __tablename__ = "channel_runs"
    __table_args__ = (
        UniqueConstraint("channel_id", "number"),
        Index(None, "channel_id", "end_ticks"),
        Index(None, "folder", "end_ticks"),
        CheckConstraint("end_ticks > start_ticks", name="end"),
    )

    channel_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("channels.id", ondelete="CASCADE")
    )
    number: Mapped[int]
    kind: Mapped[RunKind] = mapped_column(short_enum(RunKind, "kind"))
    key: Mapped[str] = mapped_column(String(64))
    lecture_id: Mapped[str] = mapped_column(String(ID_CHARS))
    folder: Mapped[str] = mapped_column(String(128))
    start_ticks: Mapped[int] = mapped_column(BigInteger)
    end_ticks: Mapped[int] = mapped_column(BigInteger)
    first: Mapped[int]
    count: Mapped[int]
    msn: Mapped[int] = mapped_column(BigInteger)
    audio_first: Mapped[int]
    audio_count: Mapped[int]
    audio_msn: Mapped[int] = mapped_column(BigInteger)
