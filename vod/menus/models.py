"""Tables of menus, their versions, and recommendation slots. No queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vod.accounts.models import Account
from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.menus.places import Place
from vod.units.models import OrgUnit


class Menu(HasId, Base):
    """A menu and its draft. Members see its versions only.

    Attributes:
        unit_id: Whose menu it is: only members at or below see it; ``None`` is the whole city.
        title: Of the draft, for lists.
        draft: ``vod.menus.content.MenuContent`` as JSON.
        draft_version: Raised by every save; a save must name the one that it began with.
        position: Among the menus that a member sees.
        withdrawn_at: Members see it no more, until it is published again.
    """

    __tablename__ = "menus"
    __table_args__ = (
        Index(None, "deleted_at", "position", "id"),
        CheckConstraint("draft_version >= 1", name="draft_version"),
    )

    unit_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("org_units.id", ondelete="RESTRICT"), index=True
    )
    title: Mapped[str] = mapped_column(String(200))
    draft: Mapped[dict[str, Any]]
    draft_version: Mapped[int] = mapped_column(default=1)
    position: Mapped[int] = mapped_column(default=0)
    saved_at: Mapped[datetime]
    saved_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    unit: Mapped[OrgUnit | None] = relationship(lazy="raise")
    saver: Mapped[Account | None] = relationship(lazy="raise")


class MenuVersion(HasId, Base):
    """A published state of a menu; never changed.

    What members see is the one with the highest number of those that have begun, so a version
    for next week lets the present one go on until then.

    Attributes:
        draft_version: Of the draft that it was made of, ``None`` when it brings an old one back.
        restored_from: Number of the version that it brings back.
    """

    __tablename__ = "menu_versions"
    __table_args__ = (
        UniqueConstraint("menu_id", "number"),
        CheckConstraint("number >= 1", name="number"),
    )

    menu_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("menus.id", ondelete="CASCADE")
    )
    number: Mapped[int]
    content: Mapped[dict[str, Any]]
    begins_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(String(200), default="")
    draft_version: Mapped[int | None]
    restored_from: Mapped[int | None]
    published_at: Mapped[datetime]
    published_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )

    publisher: Mapped[Account | None] = relationship(lazy="raise")


class Recommendation(HasId, Base):
    """One thing in a recommendation slot 推荐位, with dates of its own; it expires by itself.

    Attributes:
        unit_id: Whose it is, as with menus.
        item: ``vod.menus.content.MenuItem`` as JSON, its audience and dates among the rest.
        starts_at: The item's dates once more, for the database; so ``ends_at``.
    """

    __tablename__ = "recommendations"
    __table_args__ = (
        Index(None, "place", "ends_at"),
        CheckConstraint("version >= 1", name="version"),
    )

    place: Mapped[Place] = mapped_column(short_enum(Place, "place"))
    unit_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("org_units.id", ondelete="RESTRICT"), index=True
    )
    item: Mapped[dict[str, Any]]
    position: Mapped[int] = mapped_column(default=0)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_by: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="SET NULL")
    )

    unit: Mapped[OrgUnit | None] = relationship(lazy="raise")
