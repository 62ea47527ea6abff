"""What the API says about menus and recommendations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from vod.classes.states import ClassState
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, Moment, Title, View
from vod.menus.content import ItemKind, MenuContent, MenuItem
from vod.menus.diff import ChangeKind
from vod.menus.places import Place
from vod.menus.targets import TargetState

VersionNote = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
DraftVersion = Annotated[int, Field(ge=1, description="The draft's version that was seen")]
MenuState = Literal["draft", "scheduled", "published", "withdrawn"]


class UnitRef(View):
    id: str
    name: str


class ItemShown(View):
    """An item as a member sees it; the title is its own or that of what it leads to."""

    id: str
    kind: ItemKind
    title: str
    note: str
    is_required: bool
    target_id: str | None
    url: str | None
    poster_url: str | None
    duration_s: float | None
    lectures_count: int | None
    starts_at: Moment | None
    class_state: ClassState | None


class SectionShown(View):
    id: str
    title: str
    note: str
    items: list[ItemShown]


class MenuShown(View):
    """A menu as one member sees it; ``number`` is that of the version, null for a draft."""

    id: str
    title: str
    note: str
    unit: UnitRef | None
    number: int | None
    sections: list[SectionShown]


class SectionSummary(View):
    id: str
    title: str
    items_count: int


class MenuSummary(View):
    """A menu in a list; counted are items that the member sees."""

    id: str
    title: str
    note: str
    unit: UnitRef | None
    number: int
    items_count: int
    sections: list[SectionSummary]


class MenuList(View):
    """All menus that are for this member, in order."""

    items: list[MenuSummary]


class MenuPreview(View):
    """What one member would see; no menus when none is for them."""

    menus: list[MenuShown]


class NewMenu(Body):
    title: Title
    unit_id: Identifier | None = None


class MenuChange(Body):
    """What is not part of versions. ``is_withdrawn``: members see it no more."""

    position: Annotated[int | None, Field(ge=0, le=10_000)] = None
    is_withdrawn: bool | None = None


class TargetInfo(View):
    """What an item of a draft leads to, for editors."""

    kind: ItemKind
    id: str
    title: str
    state: TargetState
    reason: str | None


class MenuRow(View):
    """A menu in the editors' list."""

    id: str
    title: str
    unit: UnitRef | None
    state: MenuState
    version: int
    saved_at: Moment
    saved_by: str | None
    number: int | None
    next_begins_at: Moment | None
    has_changes: bool
    position: int
    broken_count: int


class MenuRowPage(Page):
    items: list[MenuRow]


class MenuDraft(MenuRow):
    """A draft. ``gap``: what is missing before it can be published."""

    content: MenuContent
    targets: list[TargetInfo]
    gap: str | None


class DraftSave(Body):
    version: DraftVersion
    content: MenuContent


class DraftMerge(Body):
    """Two states of the draft: what the editor began with, and what became of it."""

    base: MenuContent
    mine: MenuContent


class MergeConflict(View):
    id: str
    kind: Literal["field", "removed", "place", "order"]
    field: str
    title: str
    base: Any
    mine: Any
    theirs: Any


class MergedDraft(View):
    """Both changes together; of each conflict mine was taken. ``version`` is what to save over."""

    version: int
    content: MenuContent
    conflicts: list[MergeConflict]
    saved_by: str | None
    saved_at: Moment


class Publishing(Body):
    """Publish the draft; with ``begins_at`` members see it from then on."""

    version: DraftVersion
    begins_at: Moment | None = None
    note: VersionNote = ""


class Rollback(Body):
    """Bring back a version, at once."""

    number: Annotated[int, Field(ge=1)]
    note: VersionNote = ""


class VersionRow(View):
    """A published version; ``state``: what members see now, what they will see, what was."""

    number: int
    state: Literal["current", "scheduled", "past"]
    begins_at: Moment
    published_at: Moment
    published_by: str | None
    note: str
    restored_from: int | None
    items_count: int


class VersionPage(Page):
    items: list[VersionRow]


class VersionShown(VersionRow):
    content: MenuContent


class FieldDifference(View):
    name: str
    before: Any
    after: Any


class PlaceInMenu(View):
    """Place counts from 1; ``section`` is empty for sections themselves."""

    section: str
    place: int


class Difference(View):
    """One thing that happened to the menu, a section or an item."""

    kind: ChangeKind
    node: Literal["menu", "section", "item"]
    id: str
    title: str
    item_kind: ItemKind | None
    place: PlaceInMenu | None
    former_place: PlaceInMenu | None
    fields: list[FieldDifference]


class MenuDiff(View):
    """Differences of two versions; null is the draft, or before the first version nothing."""

    before: int | None
    after: int | None
    changes: list[Difference]


class BrokenLink(View):
    """An item that members do not see although its menu says they should."""

    menu_id: str
    menu_title: str
    is_published: bool
    section_title: str
    item_id: str
    item_title: str
    kind: ItemKind
    target_id: str | None
    state: TargetState
    reason: str


class BrokenLinks(View):
    items: list[BrokenLink]


class RecommendationBody(Body):
    """A recommendation; audience and dates are the item's own."""

    place: Place
    item: MenuItem
    position: Annotated[int, Field(ge=0, le=10_000)] = 0
    unit_id: Identifier | None = None


class RecommendationSave(Body):
    """Change of a recommendation that was seen at ``version``."""

    version: Annotated[int, Field(ge=1)]
    item: MenuItem
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class RecommendationRow(View):
    """A recommendation for editors."""

    id: str
    place: Place
    unit: UnitRef | None
    item: MenuItem
    title: str
    position: int
    version: int
    state: Literal["waiting", "active", "expired", "broken"]
    reason: str | None


class RecommendationPage(Page):
    items: list[RecommendationRow]


class Recommended(View):
    """What is recommended to this member now, in order."""

    items: list[ItemShown]
