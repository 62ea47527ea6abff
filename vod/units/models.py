"""The table of units (组织), one tree. No queries."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId, short_enum

PATH_CHARS = 512  # Of `vod.units.tree.MAX_DEPTH` identifiers, with room.


class UnitKind(enum.Enum):
    """What a unit is called; the tree may nest them in any order and depth."""

    CITY = "city"
    BANNER = "banner"
    COMMITTEE = "committee"
    BRANCH = "branch"
    OTHER = "other"


class OrgUnit(HasId, Base):
    """A node of the tree; ``units`` in the database are those of transcoding jobs.

    Attributes:
        position: Among its siblings, from 0; changed together with theirs.
        path: ``/{id}/{id}/`` from the root down to itself, so a sub-tree is a prefix. Written
            only under the tree's lock, see ``vod.units.service``.
    """

    __tablename__ = "org_units"
    __table_args__ = (
        CheckConstraint("parent_id IS NULL OR parent_id <> id", name="parent_is_another"),
        Index(None, "parent_id", "position"),
    )

    parent_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("org_units.id", ondelete="RESTRICT")
    )
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[UnitKind] = mapped_column(short_enum(UnitKind, "kind"))
    position: Mapped[int]
    path: Mapped[str] = mapped_column(String(PATH_CHARS), unique=True)
    created_at: Mapped[datetime]


class OrgTree(Base):
    """One row: whoever changes the shape of the tree locks it, and counts the version up."""

    __tablename__ = "org_tree"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
