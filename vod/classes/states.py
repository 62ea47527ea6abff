"""The life of a live class. Pure.

```
 scheduled --media--> live --lost--> interrupted --media--> live
     |                  |                |
     `------- end ------+------ end -----'
                        v
 scheduled <-reopen-- ended --reopen--> interrupted        (never live: back to scheduled)
```
"""

from __future__ import annotations

import enum
from typing import Final

from kernel.errors import ConflictError


class ClassState(enum.Enum):
    SCHEDULED = "scheduled"
    LIVE = "live"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Trigger(enum.Enum):
    """What may happen to a class."""

    MEDIA_STARTED = "media_started"
    MEDIA_LOST = "media_lost"
    END = "end"
    REOPEN = "reopen"
    """A class that was live goes on."""
    REOPEN_UNUSED = "reopen_unused"
    """A class that was ended before anything was sent waits again."""


TRANSITIONS: Final[dict[tuple[ClassState, Trigger], ClassState]] = {
    (ClassState.SCHEDULED, Trigger.MEDIA_STARTED): ClassState.LIVE,
    (ClassState.SCHEDULED, Trigger.END): ClassState.ENDED,
    (ClassState.LIVE, Trigger.MEDIA_STARTED): ClassState.LIVE,  # A new epoch without a gap.
    (ClassState.LIVE, Trigger.MEDIA_LOST): ClassState.INTERRUPTED,
    (ClassState.LIVE, Trigger.END): ClassState.ENDED,
    (ClassState.INTERRUPTED, Trigger.MEDIA_STARTED): ClassState.LIVE,
    (ClassState.INTERRUPTED, Trigger.MEDIA_LOST): ClassState.INTERRUPTED,
    (ClassState.INTERRUPTED, Trigger.END): ClassState.ENDED,
    (ClassState.ENDED, Trigger.END): ClassState.ENDED,  # Ending twice is one end.
    (ClassState.ENDED, Trigger.REOPEN): ClassState.INTERRUPTED,
    (ClassState.ENDED, Trigger.REOPEN_UNUSED): ClassState.SCHEDULED,
}


def advance(state: ClassState, trigger: Trigger) -> ClassState:
    """Return the state after ``trigger``.

    Raises:
        ConflictError: That cannot happen to a class in this state.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise ConflictError(f"a class that is {state.value} cannot take {trigger.value}") from None
