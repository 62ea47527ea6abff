"""Tables of contests: films, judges, and what these gave. No queries."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum
from vod.lectures.hours import Hundredths
from vod.library.contests.policy import ContestState, ExhibitionOrder
from vod.library.contests.ranking import Method


class Contest(HasId, Base):
    """A contest of films.

    Attributes:
        categories: Names in order; a film is entered in one of them.
        criteria: ``[{"key", "name", "weight"}, ...]``; fixed once it is open.
        starts_at: Judges score from then on, until ``ends_at``.
        version: Raised by every change of the desk; a change must name the one it began with.
        closed_at: When the results were published.
    """

    __tablename__ = "contests"
    __table_args__ = (
        Index(None, "starts_at", "id"),
        CheckConstraint("ends_at > starts_at", name="dates"),
        CheckConstraint("version >= 1", name="version"),
    )

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    categories: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    criteria: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT)
    method: Mapped[Method] = mapped_column(short_enum(Method, "method"))
    exhibition_order: Mapped[ExhibitionOrder] = mapped_column(
        short_enum(ExhibitionOrder, "exhibition_order")
    )
    state: Mapped[ContestState] = mapped_column(
        short_enum(ContestState, "state"), default=ContestState.DRAFT
    )
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    closed_at: Mapped[datetime | None]


class ContestFilm(HasId, Base):
    """A film that was entered.

    Attributes:
        entrant: Who entered it, as people say it; nobody but the desk reads it before the end.
        position: In the programme, from 0.
        score: The result, written when the contest is closed; so ``place`` over all films and
            ``category_place``. ``None`` for a film that nobody scored.
    """

    __tablename__ = "contest_films"
    __table_args__ = (UniqueConstraint("contest_id", "lecture_id"),)

    contest_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("contests.id", ondelete="CASCADE")
    )
    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    category: Mapped[str] = mapped_column(String(64))
    entrant: Mapped[str] = mapped_column(String(100), default="")
    position: Mapped[int]
    score: Mapped[Decimal | None] = mapped_column(Hundredths())
    place: Mapped[int | None]
    category_place: Mapped[int | None]


class ContestJudge(Base):
    """Whoever scores the films of a contest."""

    __tablename__ = "contest_judges"

    contest_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("contests.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True,
        index=True,
    )  # fmt: skip


class ContestSheet(Base):
    """What a judge gave a film: ``points`` by key of the criterion, 0 to 100."""

    __tablename__ = "contest_sheets"

    film_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("contest_films.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True,
        index=True,
    )  # fmt: skip
    points: Mapped[dict[str, int]] = mapped_column(JSON_DOCUMENT)
    scored_at: Mapped[datetime]
