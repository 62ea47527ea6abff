"""Whose unit runs next: a message to a worker is a permission, not an assignment. Pure. No clock.

Of the jobs that have something queued, the one goes first that

1. has the highest rank: its priority, and one more for each ``AGEING`` in which it got no worker,
2. holds the fewest workers at this moment,
3. has the least work left, so that a short lecture passes a long one,
4. has waited longest.

The rank of whoever waits grows without limit, so nothing waits for ever, whatever else arrives;
a long job that gets a worker now and then is not waiting, so age does not help it past a short one.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

AGEING: Final = timedelta(minutes=30)  # About fifteen units of a long lecture.


class Priority(enum.StrEnum):
    """What an editor may ask for."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


RANKS: Final[Mapping[Priority, int]] = {Priority.LOW: 0, Priority.NORMAL: 1, Priority.HIGH: 2}


@dataclass(frozen=True, slots=True)
class Contender:
    """A job with a unit that could run now.

    Attributes:
        unit_id: The first of its queued units in the order of its plan.
        held_count: Units of it that run, on any queue.
        remaining_weight: Of all its units that are not done.
        idle_since: When it last got a worker, or, if that is later, became ready to use one.
    """

    job_id: str
    unit_id: str
    priority: Priority
    held_count: int
    remaining_weight: float
    idle_since: datetime


def compute_rank(priority: Priority, waited: timedelta) -> int:
    """Rank of a job that has got no worker for ``waited``; a higher one goes first."""
    return RANKS[priority] + max(0, waited // AGEING)


def choose_unit(contenders: Iterable[Contender], *, now: datetime) -> Contender | None:
    """Choose the job whose unit a free worker takes; ``None`` when there is none."""
    return min(
        contenders,
        key=lambda job: (
            -compute_rank(job.priority, now - job.idle_since),
            job.held_count,
            job.remaining_weight,
            job.idle_since,
            job.job_id,
        ),
        default=None,
    )
