"""The life of a broadcast. Pure.

```
          MEDIA_STARTED          MEDIA_STOPPED
   idle ----------------> live ----------------> interrupted
    |                     ^  |                    |  ^  |
    |                     |  |   MEDIA_STARTED    |  |  |
    |                     |  '<-------------------'  |  |
    |                     |                          |  |
    '------- END -----> ended <------- END ----------+--'      (live too)
                          '----------- REOPEN -------'
```
"""

from __future__ import annotations

import enum
from typing import Final

from kernel.errors import ConflictError


class BroadcastState(enum.StrEnum):
    IDLE = "idle"
    LIVE = "live"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class BroadcastChange(enum.Enum):
    MEDIA_STARTED = "media started"
    MEDIA_STOPPED = "media stopped"
    END = "end"
    REOPEN = "reopen"


_NEXT: Final[dict[tuple[BroadcastState, BroadcastChange], BroadcastState]] = {
    (BroadcastState.IDLE, BroadcastChange.MEDIA_STARTED): BroadcastState.LIVE,
    (BroadcastState.IDLE, BroadcastChange.END): BroadcastState.ENDED,
    (BroadcastState.LIVE, BroadcastChange.MEDIA_STOPPED): BroadcastState.INTERRUPTED,
    (BroadcastState.LIVE, BroadcastChange.END): BroadcastState.ENDED,
    (BroadcastState.INTERRUPTED, BroadcastChange.MEDIA_STARTED): BroadcastState.LIVE,
    (BroadcastState.INTERRUPTED, BroadcastChange.END): BroadcastState.ENDED,
    (BroadcastState.ENDED, BroadcastChange.REOPEN): BroadcastState.INTERRUPTED,
}


def advance(state: BroadcastState, change: BroadcastChange) -> BroadcastState:
    """Return the state after ``change``.

    Raises:
        ConflictError: The change makes no sense in ``state``.
    """
    try:
        return _NEXT[state, change]
    except KeyError:
        raise ConflictError(f"a broadcast that is {state} cannot {change.value}") from None
