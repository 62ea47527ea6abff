from __future__ import annotations

from itertools import product

import pytest

from kernel.errors import ConflictError
from streamer.broadcast.state import BroadcastChange, BroadcastState, advance

IDLE, LIVE, INTERRUPTED, ENDED = BroadcastState
STARTED, STOPPED, END, REOPEN = BroadcastChange

ALLOWED = {
    (IDLE, STARTED): LIVE,
    (IDLE, END): ENDED,
    (LIVE, STOPPED): INTERRUPTED,
    (LIVE, END): ENDED,
    (INTERRUPTED, STARTED): LIVE,
    (INTERRUPTED, END): ENDED,
    (ENDED, REOPEN): INTERRUPTED,
}


@pytest.mark.parametrize(("state", "change"), list(product(BroadcastState, BroadcastChange)))
def test_every_change_in_every_state_is_allowed_or_refused(
    state: BroadcastState, change: BroadcastChange
) -> None:
    if (state, change) in ALLOWED:
        assert advance(state, change) is ALLOWED[state, change]
    else:
        with pytest.raises(ConflictError):
            advance(state, change)
