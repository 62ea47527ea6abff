"""What the API says about units."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from vod.http.pagination import Page
from vod.http.types import Body, Identifier, View, refuse_controls
from vod.units.models import UnitKind
from vod.units.tree import MAX_UNITS_COUNT

UnitName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(refuse_controls),
]


class OrgUnitRef(View):
    """A unit as others mention it; ``full_name`` from the root down, parted by " / "."""

    id: str
    name: str
    full_name: str


class OrgUnit(View):
    """A node of the organisation tree.

    ``members_count`` is of its whole sub-tree, ``own_members_count`` without what is below;
    disabled accounts do not count. ``may_change``: rename, move, delete it.
    """

    id: str
    parent_id: str | None
    name: str
    full_name: str
    kind: UnitKind
    position: int
    children_count: int
    members_count: int
    own_members_count: int
    may_change: bool
    may_add: bool


class OrgUnitPage(Page):
    items: list[OrgUnit]


class NewOrgUnit(Body):
    """A unit to create, as the last of its siblings; without ``parent_id`` at the top."""

    parent_id: Identifier | None = None
    name: UnitName
    kind: UnitKind


class OrgUnitChange(Body):
    """Rename, move (``parent_id``; null is the top), order (``position`` among siblings)."""

    name: UnitName | None = None
    kind: UnitKind | None = None
    parent_id: Identifier | None = None
    position: Annotated[int, Field(ge=0, le=MAX_UNITS_COUNT)] | None = None
