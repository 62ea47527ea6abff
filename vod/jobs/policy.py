"""The rules of units and jobs: states, back-off, progress. Pure. No I/O, no clock.

One unit::

                 +---------------------- retry (a person) ---------------------+
                 v                                                             |
    waiting --> queued --> running --> done                                  failed
     | ^ ^       | | ^       | | |                                             ^
     | | |       | | +-------+ | +----- permanent, or 5 attempts used ---------+
     | | +-------+ | transient failure, expired lease, or the worker stops
     | +--------------- held --+   (another unit of the job failed for good)
     +-------------+-----------+----> cancelled (a newer recording or a person)

``waiting`` has predecessors that are not done, or belongs to a failed job: nothing of that runs
until a person retries what failed. ``done`` and ``cancelled`` are final. A job has no state of its
own: :func:`derive_job_state` reads it from its units.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from kernel.errors import ConflictError
from kernel.messages import FailureCause

MAX_ATTEMPTS: Final = 5  # DESIGN §5: retried <= 5 with back-off.
MAX_MEMORY_FAILURES: Final = 2  # A neighbour may have been greedy once; twice it is the unit.
BACKOFF_BASE_S: Final = 5  # 5, 15, 45, 135 s: a restart of a neighbour fits into the second one.
BACKOFF_FACTOR: Final = 3
RESEND_BASE_S: Final = 60  # A message not claimed for this long may be lost.
RESEND_MAX_S: Final = 900  # Behind a long queue re-sending must not become the load.


class UnitState(enum.StrEnum):
    """Where a unit is; the value is what the API shows."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(enum.StrEnum):
    """What the units of a job amount to."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptOutcome(enum.StrEnum):
    """What became of one claim of a unit."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    RELEASED = "released"
    STOPPED = "stopped"


class UnitEvent(enum.Enum):
    """What happens to a unit."""

    READY = "its predecessors are done"
    CLAIMED = "a worker took it"
    COMPLETED = "the worker finished it"
    POSTPONED = "it failed or its lease ran out, and it may be tried again"
    RELEASED = "its worker stops and gives it back"
    GAVE_UP = "it failed for good"
    HELD = "another unit of its job failed for good"
    RETRIED = "a person asked for another try"
    CANCELLED = "it is no longer wanted"


_S, _E = UnitState, UnitEvent
TRANSITIONS: Final[Mapping[tuple[UnitState, UnitEvent], UnitState]] = {
    (_S.WAITING, _E.READY): _S.QUEUED,
    (_S.WAITING, _E.CANCELLED): _S.CANCELLED,
    (_S.QUEUED, _E.CLAIMED): _S.RUNNING,
    (_S.QUEUED, _E.HELD): _S.WAITING,
    (_S.QUEUED, _E.CANCELLED): _S.CANCELLED,
    (_S.RUNNING, _E.COMPLETED): _S.DONE,
    (_S.RUNNING, _E.POSTPONED): _S.QUEUED,
    (_S.RUNNING, _E.RELEASED): _S.QUEUED,
    (_S.RUNNING, _E.GAVE_UP): _S.FAILED,
    (_S.RUNNING, _E.HELD): _S.WAITING,
    (_S.RUNNING, _E.CANCELLED): _S.CANCELLED,
    (_S.FAILED, _E.RETRIED): _S.QUEUED,
    (_S.FAILED, _E.CANCELLED): _S.CANCELLED,
}


def advance(state: UnitState, event: UnitEvent) -> UnitState:
    """Return the state after ``event``.

    Raises:
        ConflictError: The event does not apply to this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ConflictError(f"a unit that is {state} cannot change because {event.value}") from None


def find_sources(event: UnitEvent) -> tuple[UnitState, ...]:
    """States in which ``event`` applies: the WHERE of its conditional UPDATE."""
    return tuple(state for state, known in TRANSITIONS if known is event)


def is_retry_allowed(
    attempt: int, *, cause: FailureCause = "other", same_cause_count: int = 1
) -> bool:
    """Tell whether a unit that failed in its ``attempt``-th run (from 1) is tried again.

    Args:
        same_cause_count: How many of its runs, this one included, failed for ``cause``.
    """
    if cause == "memory" and same_cause_count >= MAX_MEMORY_FAILURES:
        return False
    return attempt < MAX_ATTEMPTS


def compute_backoff_s(attempt: int) -> int:
    """Seconds to wait after the ``attempt``-th run (from 1) failed for a passing reason."""
    return int(BACKOFF_BASE_S * BACKOFF_FACTOR ** (max(1, attempt) - 1))


def compute_resend_s(sends_count: int) -> int:
    """Seconds after which an unclaimed message, sent ``sends_count`` times, counts as lost."""
    return int(min(RESEND_MAX_S, RESEND_BASE_S * 2 ** min(10, max(0, sends_count - 1))))


def derive_job_state(counts: Mapping[UnitState, int], *, is_published: bool = False) -> JobState:
    """Read a job's state from the number of its units in each state.

    One failed unit fails the job at once, because its last unit can never run.

    Args:
        is_published: The whole set is. What fails afterwards would only have added to it.
    """
    present = {state for state, count in counts.items() if count}
    if UnitState.CANCELLED in present:
        return JobState.CANCELLED
    if UnitState.FAILED in present:
        return JobState.DONE if is_published else JobState.FAILED
    if present <= {UnitState.DONE}:
        return JobState.DONE
    return JobState.RUNNING if present & {UnitState.RUNNING, UnitState.DONE} else JobState.QUEUED


def describe_addition(reason: str) -> str:
    """Say what it means that something fails once the whole set is published."""
    return f"课程已经发布,可以正常观看;附加的 AV1 画质没有完成:{reason}(可以在任务页重试)"


def compute_progress(*, done_weight: float, total_weight: float) -> float:
    """Share of a job that is done, in [0, 1]; planning weighs nothing and so is 0."""
    if total_weight <= 0:
        return 0.0
    return min(1.0, max(0.0, done_weight / total_weight))
