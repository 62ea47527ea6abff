"""Two editors changed one menu: put both changes together, and name what contradicts. Pure.

A three-way merge of nodes by identifier. What one of them did alone is taken. Where both did
different things to one field, mine is taken and the conflict keeps both, so that a person can
choose. What one removed and the other changed stays, as a conflict. So nothing that anybody
wrote is lost without being named: every node that either added is in the result, and every value
of either is in the result or in a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from vod.menus.content import MenuContent
from vod.menus.flat import ROOT, Fields, Flat, assemble, find_moved, flatten

ConflictKind = Literal["field", "removed", "place", "order"]
MISSING: Final = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Where both did different things.

    Attributes:
        id: The node, empty for the menu itself.
        kind: ``field``: both wrote it. ``removed``: one removed what the other changed (it is
            still there). ``place``: both moved it to different sections. ``order``: both put
            the children of this node into different orders.
        field: Name of the field of ``field`` and ``place``; of ``removed`` who removed it.
        mine: Value of the merged menu.
        theirs: Value that is on the server now.
    """

    id: str
    kind: ConflictKind
    field: str
    title: str
    base: Any
    mine: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Merged:
    content: MenuContent
    conflicts: tuple[Conflict, ...]


def merge(base: MenuContent, mine: MenuContent, theirs: MenuContent) -> Merged:
    """Merge what two editors made of ``base``.

    Raises:
        ValidationError: Together they are more than a menu may hold.
    """
    return _Merge(flatten(base), flatten(mine), flatten(theirs)).run()


class _Merge:
    def __init__(self, base: Flat, mine: Flat, theirs: Flat) -> None:
        self.base, self.mine, self.theirs = base, mine, theirs
        self.conflicts: list[Conflict] = []
        self.result = Flat({}, {}, {})

    def run(self) -> Merged:
        nodes = {**self.mine.fields, **self.theirs.fields}  # Keys in a stable order.
        for node in nodes:
            if self._stays(node):
                self.result.fields[node] = self._merge_fields(node)
        for node in list(self.result.fields):
            if node != ROOT:
                self._place(node)
        self._arrange()
        return Merged(assemble(self.result), tuple(map(self._name, self.conflicts)))

    def _stays(self, node: str) -> bool:
        """A node goes if one removed it and the other left it as it was."""
        sides = (("mine", self.mine, self.theirs), ("theirs", self.theirs, self.mine))
        if node not in self.base.fields:
            return True
        for name, remover, other in sides:
            if node not in remover.fields:
                if self._is_touched(other, node):
                    self._add(node, "removed", name)
                    return True
                return False
        return True

    def _is_touched(self, side: Flat, node: str) -> bool:
        """Changed, moved to another section, or, of a section, with something new in it."""
        if side.fields[node] != self.base.fields[node]:
            return True
        if side.parent[node] != self.base.parent[node]:
            return True
        return any(
            self.base.parent.get(child) != node or self._is_touched(side, child)
            for child in side.order.get(node, ())
        )

    def _merge_fields(self, node: str) -> Fields:
        mine, theirs = self.mine.fields.get(node), self.theirs.fields.get(node)
        if mine is None or theirs is None:
            return dict(mine or theirs or {})
        base = self.base.fields.get(node, {})
        merged: Fields = {}
        for name, own in mine.items():
            other, former = theirs[name], base.get(name, MISSING)
            is_own = own != former or node not in self.base.fields
            merged[name] = own if is_own else other
            if is_own and other not in (own, former):
                self._add(node, "field", name, former, own, other)
        return merged

    def _place(self, node: str) -> None:
        """Decide which section an item is in; sections have one place only."""
        base = self.base.parent.get(node)
        mine, theirs = self.mine.parent.get(node), self.theirs.parent.get(node)
        if mine is None or theirs is None:
            self.result.parent[node] = mine if mine is not None else str(theirs)
        elif mine != base and theirs not in (mine, base):
            self._add(node, "place", "section", base, mine, theirs)
            self.result.parent[node] = mine
        else:
            self.result.parent[node] = theirs if mine == base else mine

    def _arrange(self) -> None:
        parents = [ROOT, *(node for node, parent in self.result.parent.items() if parent == ROOT)]
        for parent in parents:
            here = {node for node, above in self.result.parent.items() if above == parent}
            base, mine, theirs = (
                [node for node in flat.order.get(parent, ()) if node in here]
                for flat in (self.base, self.mine, self.theirs)
            )
            self.result.order[parent] = merge_order(base, mine, theirs, here=here)
            if _differ(base, mine) and _differ(base, theirs) and _differ(mine, theirs):
                self._add(parent, "order", "order", base, mine, theirs)

    def _add(self, node: str, kind: ConflictKind, field: str, *values: Any) -> None:
        """Note a conflict; ``values`` are those of base, mine and theirs, if there are any."""
        base, mine, theirs = values or (None, None, None)
        self.conflicts.append(Conflict(node, kind, field, "", base, mine, theirs))

    def _name(self, conflict: Conflict) -> Conflict:
        return replace(conflict, title=self.result.find_title(conflict.id))


def _differ(left: Sequence[str], right: Sequence[str]) -> bool:
    """Names that both have stand in different orders."""
    return bool(find_moved(left, right))


def merge_order(
    base: Sequence[str], mine: Sequence[str], theirs: Sequence[str], *, here: set[str]
) -> list[str]:
    """Merge the order of children: mine if I changed it, else theirs; the rest by its neighbour.

    Args:
        here: All that must be in the result, each once; what is in no list comes last.
    """
    leading, following = (mine, theirs) if _differ(base, mine) else (theirs, mine)
    result = list(leading)
    for index, node in enumerate(following):
        if node not in result:
            before = next((name for name in reversed(following[:index]) if name in result), None)
            result.insert(0 if before is None else result.index(before) + 1, node)
    return result + sorted(here.difference(result))
