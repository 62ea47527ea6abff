"""What differs between two states of a menu: added, removed, moved, changed. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from vod.menus.content import MenuContent
from vod.menus.flat import ROOT, Flat, find_moved, flatten

NodeWord = Literal["menu", "section", "item"]


class ChangeKind(enum.Enum):
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a node; values are JSON."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to one node.

    Attributes:
        id: Of the node, empty for the menu itself.
        title: As it is now, of what was removed as it was.
        target_id: Whose title an item shows that has none of its own; ``item_kind`` says of what.
        place: Section and place (from 1) an item is at, or was; of a section only the place.
        former_place: Where it was, of what was moved.
        fields: What is different, of what was changed.
    """

    kind: ChangeKind
    node: NodeWord
    id: str
    title: str
    item_kind: str | None
    target_id: str | None
    place: tuple[str, int] | None
    former_place: tuple[str, int] | None
    fields: tuple[FieldChange, ...]


def diff(before: MenuContent, after: MenuContent) -> tuple[Change, ...]:
    """List all changes in the order of the menu as it is now; what went comes last.

    An item that was moved and changed is listed twice. A section that went takes its items
    along: those are not listed unless they live on elsewhere.
    """
    old, new = flatten(before), flatten(after)
    moved = _find_all_moved(old, new)
    changes = [
        change
        for node in _walk(new)
        for change in _compare_node(old, new, node, is_moved=node in moved)
    ]
    changes += [
        _describe(ChangeKind.REMOVED, old, node)
        for node in _walk(old)
        if node not in new.fields and (old.is_section(node) or old.parent[node] in new.fields)
    ]
    return tuple(changes)


def _walk(flat: Flat) -> Iterator[str]:
    yield ROOT
    for section in flat.order[ROOT]:
        yield section
        yield from flat.order[section]


def _find_all_moved(old: Flat, new: Flat) -> set[str]:
    moved = {
        node
        for node, parent in new.parent.items()
        if node in old.parent and old.parent[node] != parent
    }
    for parent, children in new.order.items():
        if parent in old.order:
            stayed = [node for node in children if old.parent.get(node) == parent]
            moved |= find_moved(old.order[parent], stayed)
    return moved


def _compare_node(old: Flat, new: Flat, node: str, *, is_moved: bool) -> Iterator[Change]:
    if node not in old.fields:
        yield _describe(ChangeKind.ADDED, new, node)
        return
    if is_moved:
        yield _describe(ChangeKind.MOVED, new, node, former=_find_place(old, node))
    before, after = old.fields[node], new.fields[node]
    fields = tuple(
        FieldChange(name, before.get(name), value)
        for name, value in after.items()
        if before.get(name) != value
    )
    if fields:
        yield _describe(ChangeKind.CHANGED, new, node, fields=fields)


def _describe(
    kind: ChangeKind,
    flat: Flat,
    node: str,
    *,
    former: tuple[str, int] | None = None,
    fields: tuple[FieldChange, ...] = (),
) -> Change:
    word: NodeWord = "menu" if node == ROOT else "section" if flat.is_section(node) else "item"
    return Change(
        kind=kind,
        node=word,
        id=node,
        title=flat.find_title(node),
        item_kind=flat.fields[node].get("kind"),
        target_id=flat.fields[node].get("target_id"),
        place=_find_place(flat, node),
        former_place=former,
        fields=fields,
    )


def _find_place(flat: Flat, node: str) -> tuple[str, int] | None:
    if node == ROOT:
        return None
    parent = flat.parent[node]
    return (flat.find_title(parent) if parent else "", flat.order[parent].index(node) + 1)
