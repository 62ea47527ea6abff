"""What a row of a roster means for the members there are: insert, update, or an error. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vod.people.roster import TITLES, RosterRow, RowError

AMBIGUOUS: Final = "?"


@dataclass(frozen=True, slots=True)
class Known:
    """A member there is already.

    Attributes:
        is_changeable: Whoever imports may change them.
    """

    id: str
    display_name: str
    staff_no: str | None
    phone: str | None
    unit_id: str | None
    category: str | None
    level: str | None
    is_changeable: bool


@dataclass(frozen=True, slots=True)
class Insert:
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    id: str
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unchanged:
    id: str


@dataclass(slots=True)
class Matcher:
    """Holds the words of the centre, and what the file has said so far.

    Attributes:
        units: By full name and by each ending of it, see :func:`build_unit_index`.
        reachable: Units whoever imports may put members in.
        categories: Key by name, and by key; so ``levels``.
        seen: Rows by the staff number or phone number that identified them.
    """

    units: Mapping[tuple[str, ...], str]
    reachable: frozenset[str]
    categories: Mapping[str, str]
    levels: Mapping[str, str]
    seen: dict[str, int] = field(default_factory=dict)

    def match(
        self, row: RosterRow, by_staff_no: Mapping[str, Known], by_phone: Mapping[str, list[Known]]
    ) -> Insert | Update | Unchanged | RowError:
        """Decide on one row; rows come in the order of the file.

        A staff number identifies before a phone number does. Whoever is known by the phone
        number only must be the only one with it, and is given the row's staff number if they
        have none.
        """
        values = self._see(row) or self._look_up(row)
        if isinstance(values, RowError):
            return values
        found = _find(row, by_staff_no, by_phone)
        if isinstance(found, RowError):
            return found
        return _decide(row, values, found)

    def _see(self, row: RosterRow) -> RowError | None:
        """Refuse what an earlier row of the file says already, or might."""
        number, phone, only = f"no {row.staff_no}", f"phone {row.phone}", f"only {row.phone}"
        clashes = [number] if row.staff_no else [phone]
        if row.staff_no and row.phone:
            clashes.append(only)  # The row without a staff number may mean the same person.
        earlier = next((self.seen[key] for key in clashes if key in self.seen), None)
        if row.staff_no:
            self.seen.setdefault(number, row.row)
        else:
            self.seen.setdefault(only, row.row)
        if row.phone:
            self.seen.setdefault(phone, row.row)
        if earlier is None:
            return None
        is_number = row.staff_no is not None and self.seen[number] != row.row
        sentence = (
            f"与第 {earlier} 行重复"
            if is_number or not row.staff_no
            else (f"与第 {earlier} 行手机号相同,请在那一行也填写工号")
        )
        return RowError(row.row, TITLES["staff_no" if is_number else "phone"], sentence)

    def _look_up(self, row: RosterRow) -> dict[str, Any] | RowError:
        values: dict[str, Any] = {"display_name": row.name}
        if row.staff_no:
            values["staff_no"] = row.staff_no
        if row.phone:
            values["phone"] = row.phone
        if row.unit:
            unit_id = self.units.get(row.unit)
            if unit_id is None:
                return RowError(row.row, TITLES["unit"], "没有这个党组织,请写从上级到下级的全称")
            if unit_id == AMBIGUOUS:
                return RowError(row.row, TITLES["unit"], "有几个同名的党组织,请写全称")
            if unit_id not in self.reachable:
                return RowError(row.row, TITLES["unit"], "这个党组织不归您管理")
            values["unit_id"] = unit_id
        for name, words in (("category", self.categories), ("level", self.levels)):
            word = getattr(row, name)
            if word is not None:
                if word not in words:
                    return RowError(row.row, TITLES[name], f"没有“{word[:20]}”这个选项")
                values[name] = words[word]
        return values


def _decide(
    row: RosterRow, values: dict[str, Any], found: Known | None
) -> Insert | Update | Unchanged | RowError:
    if found is None:
        if "unit_id" not in values:
            return RowError(row.row, TITLES["unit"], "新学员要写明所在党组织")
        return Insert(values)
    if not found.is_changeable:
        column = TITLES["staff_no"] if row.staff_no else TITLES["phone"]
        return RowError(row.row, column, "这位学员不属于您管理的组织,不能修改")
    changes = {key: value for key, value in values.items() if getattr(found, key) != value}
    return Update(found.id, changes) if changes else Unchanged(found.id)


def _find(
    row: RosterRow, by_staff_no: Mapping[str, Known], by_phone: Mapping[str, list[Known]]
) -> Known | RowError | None:
    if row.staff_no and row.staff_no in by_staff_no:
        return by_staff_no[row.staff_no]
    if not row.phone:
        return None
    candidates = by_phone.get(row.phone, [])
    if row.staff_no:  # Another staff number is another person, who shares the telephone.
        candidates = [known for known in candidates if known.staff_no is None]
    if len(candidates) > 1:
        return RowError(row.row, TITLES["phone"], "有几位学员用这个手机号,请填写工号")
    return candidates[0] if candidates else None


def build_unit_index(units: Iterable[tuple[str, tuple[str, ...]]]) -> dict[tuple[str, ...], str]:
    """Index units by their full names, and by endings that only one has.

    Args:
        units: Identifier and full name, from the root down.
    """
    full, endings = {}, dict[tuple[str, ...], str]()
    for unit_id, names in units:
        full[names] = unit_id
        for start in range(1, len(names)):
            ending = names[start:]
            endings[ending] = AMBIGUOUS if ending in endings else unit_id
    return {**endings, **full}
