"""When a job will be done, from how fast its units were so far. Pure. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MIN_SPENT_S: Final = 2.0  # Below this a speed says nothing.


@dataclass(frozen=True, slots=True)
class Spent:
    """Work that one unit has behind it.

    Attributes:
        weight: Of its plan; for a running one the share that is done.
        wall_s: A worker's time for it.
    """

    weight: float
    wall_s: float


def estimate_eta_s(
    spent: Iterable[Spent], *, remaining_weight: float, workers_count: int
) -> float | None:
    """Seconds until ``remaining_weight`` is done by ``workers_count`` workers at the same speed.

    Returns:
        ``None`` while nobody works on it or nothing is known of the speed.
    """
    rows = list(spent)
    weight, wall_s = sum(row.weight for row in rows), sum(row.wall_s for row in rows)
    if workers_count < 1 or weight <= 0 or wall_s < MIN_SPENT_S:
        return None
    return max(0.0, remaining_weight) * (wall_s / weight) / workers_count
