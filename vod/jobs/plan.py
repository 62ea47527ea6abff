"""Check what a planning unit reports before it becomes rows. Pure. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from kernel.errors import InputError
from kernel.messages import PlanReport, UnitPlan

MAX_UNITS: Final = 2_000  # A 10 h recording in 2 min ranges is ~300; caps what one report costs.
MAX_RENDITIONS: Final = 32
ADDED_KEY: Final = "publish-av1"  # Adds rungs of a second codec once the whole set is published.
FIRST_KEY: Final = "publish-first"  # Publishes the rungs that are made first, for the meantime.
PLAN_KEY: Final = "plan"  # The planning unit itself; its units may name it, it is done by then.


def check_plan(report: PlanReport) -> None:
    """Refuse a plan that could not be carried out.

    Raises:
        InputError: 422; too many units, a repeated key or rendition, an unknown predecessor or
            rendition, a cycle, or not exactly one ``publish_asset`` unit that comes last, beside
            ``publish-first`` before and ``publish-av1`` after it.
    """
    units = report.units
    if not 1 <= len(units) <= MAX_UNITS:
        raise _refuse(f"a plan has 1 to {MAX_UNITS} units, not {len(units)}")
    if len(report.renditions) > MAX_RENDITIONS:
        raise _refuse(f"a plan has at most {MAX_RENDITIONS} renditions")
    _check_unique("unit key", [unit.key for unit in units])
    _check_unique("rendition", [rendition.name for rendition in report.renditions])
    keys = {unit.key for unit in units}
    if PLAN_KEY in keys:
        raise _refuse(f"the key {PLAN_KEY!r} belongs to the planning unit")
    renditions = {rendition.name for rendition in report.renditions}
    for unit in units:
        if unit.kind.startswith("plan_"):
            raise _refuse(f"unit {unit.key!r} would plan again")
        if unknown := set(unit.after) - keys:
            raise _refuse(f"unit {unit.key!r} comes after unknown {sorted(unknown)}")
        if unknown := set(unit.renditions) - renditions:
            raise _refuse(f"unit {unit.key!r} belongs to unknown renditions {sorted(unknown)}")
    order = sort_units(units)
    _check_last(units, order)


def sort_units(units: Sequence[UnitPlan]) -> list[str]:
    """Return the keys so that each comes after its predecessors (Kahn's algorithm).

    Raises:
        InputError: 422; the units wait for each other in a circle.
    """
    missing = {unit.key: len(set(unit.after)) for unit in units}
    successors: dict[str, list[str]] = {unit.key: [] for unit in units}
    for unit in units:
        for key in set(unit.after):
            successors[key].append(unit.key)
    ready = deque(key for key, count in missing.items() if count == 0)
    order = []
    while ready:
        key = ready.popleft()
        order.append(key)
        for successor in successors[key]:
            missing[successor] -= 1
            if missing[successor] == 0:
                ready.append(successor)
    if len(order) != len(units):
        circle = sorted(set(missing) - set(order))
        raise _refuse(f"units wait for each other: {', '.join(circle[:8])}")
    return order


def _check_last(units: Sequence[UnitPlan], order: Sequence[str]) -> None:
    """One unit publishes the whole set after all others; one may publish some rungs before.

    What is made after the whole set is published is for one more unit, which adds it.
    """
    publishing = [unit for unit in units if unit.kind == "publish_asset"]
    last = [unit for unit in publishing if unit.key not in {FIRST_KEY, ADDED_KEY}]
    if len(last) != 1:
        raise _refuse(
            f"a plan has one publish_asset unit and perhaps {FIRST_KEY!r} and {ADDED_KEY!r}, "
            f"not {len(publishing)}"
        )
    publish = last[0]
    added = next((unit for unit in publishing if unit.key == ADDED_KEY), None)
    if added is not None:
        later = _check_added(units, added, publish)
        units = [unit for unit in units if unit.key not in later]
        order = [key for key in order if key not in later]
        publishing = [unit for unit in publishing if unit is not added]
    if any(publish.key in unit.after for unit in units):
        raise _refuse(f"nothing may come after {publish.key!r}, it publishes the asset")
    early = {FIRST_KEY} & {unit.key for unit in publishing}
    if any(early & set(unit.after) and unit is not publish for unit in units):
        raise _refuse(f"only {publish.key!r} may come after {FIRST_KEY!r}")
    after = {unit.key: set(unit.after) for unit in units}
    reached, open_keys = {publish.key, *early}, [publish.key]
    while open_keys:
        for key in after[open_keys.pop()] - reached:
            reached.add(key)
            open_keys.append(key)
    if loose := [key for key in order if key not in reached]:
        raise _refuse(f"publishing would not wait for {', '.join(loose[:8])}")


def _check_added(units: Sequence[UnitPlan], added: UnitPlan, publish: UnitPlan) -> set[str]:
    """Return the keys of what comes after the whole set: all of it is for ``added``."""
    middle = {unit.key for unit in units if publish.key in unit.after and unit is not added}
    if set(added.after) != middle | {publish.key}:
        raise _refuse(f"{added.key!r} comes after {publish.key!r} and all that waits for it")
    later = middle | {added.key}
    for unit in units:
        if unit.key in middle and set(unit.after) != {publish.key}:
            raise _refuse(f"unit {unit.key!r} waits for {publish.key!r} alone")
        if later & set(unit.after) and unit is not added:
            raise _refuse(f"unit {unit.key!r} would wait for {added.key!r}")
    return later


def _check_unique(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _refuse(f"{what} {name!r} is used twice")
        seen.add(name)


def _refuse(detail: str) -> InputError:
    return InputError(detail, field="result", status=422)
