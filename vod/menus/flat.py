"""A menu as a table of nodes: what diff and merge compare. Pure.

Fields are JSON values, so that what is equal as it is stored is equal here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vod.menus.content import MenuContent

ROOT: Final = ""
"""Name of the menu itself among its nodes; no identifier is empty."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flat:
    """A menu taken apart.

    Attributes:
        fields: Of each node, without its children; the menu itself is ``ROOT``.
        parent: Of each section ``ROOT``, of each item its section.
        order: Children of each node that has some, or may have.
    """

    fields: dict[str, Fields]
    parent: dict[str, str]
    order: dict[str, list[str]]

    def is_section(self, node: str) -> bool:
        return self.parent.get(node) == ROOT

    def find_title(self, node: str) -> str:
        return str(self.fields[node]["title"])


def flatten(content: MenuContent) -> Flat:
    """Take a menu apart."""
    root: Fields = content.model_dump(mode="json")
    sections: list[Fields] = root.pop("sections")
    flat = Flat({ROOT: root}, {}, {ROOT: []})
    for section in sections:
        items: list[Fields] = section.pop("items")
        _add(flat, section, ROOT)
        flat.order[section["id"]] = []
        for item in items:
            _add(flat, item, section["id"])
    return flat


def _add(flat: Flat, fields: Fields, parent: str) -> None:
    flat.fields[fields["id"]] = fields
    flat.parent[fields["id"]] = parent
    flat.order[parent].append(fields["id"])


def assemble(flat: Flat) -> MenuContent:
    """Put a menu together again; what hangs on no section is not in it."""
    sections = [
        {**flat.fields[section], "items": [flat.fields[item] for item in flat.order[section]]}
        for section in flat.order[ROOT]
    ]
    return MenuContent.model_validate({**flat.fields[ROOT], "sections": sections}, strict=False)


def find_moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Find the fewest names that were moved, of those that both lists have.

    The others are a longest run that kept its order (patience sorting, n log n).
    """
    place = {name: index for index, name in enumerate(before)}
    common = [name for name in after if name in place]
    tails: list[int] = []  # The smallest place that a run of length n + 1 may end with.
    ends: list[int] = []  # Which entry of ``common`` that is.
    previous: list[int | None] = []
    for index, name in enumerate(common):
        length = bisect_left(tails, place[name])
        previous.append(ends[length - 1] if length else None)
        tails[length : length + 1] = [place[name]]
        ends[length : length + 1] = [index]
    kept: set[str] = set()
    cursor: int | None = ends[-1] if ends else None
    while cursor is not None:
        kept.add(common[cursor])
        cursor = previous[cursor]
    return set(common) - kept
