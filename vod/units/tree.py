"""Arithmetic of the tree: paths, depth, order, sums over sub-trees. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from kernel.errors import ConflictError, InputError

MAX_DEPTH: Final = 20  # 市 旗区 党委 支部 are four; keeps a path within its column.
MAX_UNITS_COUNT: Final = 20_000  # Ten times a whole city; every move may write this many rows.
# What parts the names of a full name in rosters; so no name holds one of them.
SEPARATORS: Final = re.compile(r"\s*[/\\>／＼＞]\s*")
Key = TypeVar("Key")


def build_path(parent_path: str | None, unit_id: str) -> str:
    """Build a unit's path from its parent's; ``None`` is above the root."""
    return f"{parent_path or '/'}{unit_id}/"


def split_path(path: str) -> tuple[str, ...]:
    """Return the identifiers of a path, from the root down."""
    return tuple(part for part in path.split("/") if part)


def check_place(parent_path: str | None, *, height: int) -> None:
    """Check that a sub-tree ``height`` levels high fits below ``parent_path``.

    Raises:
        ConflictError: The tree would be deeper than ``MAX_DEPTH``.
    """
    depth = len(split_path(parent_path or "")) + height
    if depth > MAX_DEPTH:
        raise ConflictError(
            f"the tree would be {depth} levels deep, at most {MAX_DEPTH}",
            title_zh=f"组织最多 {MAX_DEPTH} 级",
        )


def check_move(path: str, parent_path: str | None) -> None:
    """Check that a unit does not go below itself.

    Raises:
        ConflictError: It would; so the tree never has a cycle.
    """
    if parent_path is not None and parent_path.startswith(path):
        raise ConflictError(
            "a unit cannot be moved below itself", title_zh="不能把组织移到它自己的下级"
        )


def measure_height(path: str, below: Iterable[str]) -> int:
    """Count the levels of the sub-tree at ``path`` from the paths in it."""
    own = len(split_path(path)) - 1
    return max((len(split_path(other)) - own for other in below), default=1)


def place(siblings: Sequence[str], unit_id: str, position: int | None) -> list[str]:
    """Return the order of ``siblings`` with ``unit_id`` at ``position`` (``None``: the end)."""
    others = [other for other in siblings if other != unit_id]
    index = len(others) if position is None else min(position, len(others))
    return [*others[:index], unit_id, *others[index:]]


def sum_subtrees(counts: Mapping[str, int]) -> dict[str, int]:
    """Sum counts of units over their sub-trees.

    Args:
        counts: Own count by path.

    Returns:
        By identifier: what its unit has itself and what all below it have.
    """
    sums: dict[str, int] = {}
    for path, count in counts.items():
        for unit_id in split_path(path):
            sums[unit_id] = sums.get(unit_id, 0) + count
    return sums


def settle_name(text: str) -> str:
    """Write a name as it is stored and compared: NFKC, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def check_name(text: str) -> str:
    """Settle a name.

    Raises:
        InputError: It is empty or holds a separator.
    """
    name = settle_name(text)
    if not name or SEPARATORS.search(name):
        raise InputError(
            "name: give a name without / \\ >",
            field="name",
            status=422,
            title_zh="组织名称不能为空,也不能含有 / \\ >",
        )
    return name


def split_full_name(text: str) -> tuple[str, ...]:
    """Split ``市 / 旗区 / 党委`` into settled names; empty parts are dropped."""
    return tuple(name for part in SEPARATORS.split(text) if (name := settle_name(part)))


def build_full_names(units: Iterable[tuple[str, str | None, str]]) -> dict[str, tuple[str, ...]]:
    """Build the full name of each unit, from the root down.

    Args:
        units: Identifier, parent, name; in any order.
    """
    known = {unit_id: (parent_id, name) for unit_id, parent_id, name in units}
    names: dict[str, tuple[str, ...]] = {}
    for unit_id in known:
        chain: list[str] = []
        at: str | None = unit_id
        while at is not None and at in known and at not in names:
            chain.append(at)
            at = known[at][0]
        for member in reversed(chain):
            parent_id, name = known[member]
            names[member] = (*names.get(parent_id or "", ()), name)
    return names
