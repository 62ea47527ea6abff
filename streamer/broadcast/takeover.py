"""Who wins when two publishers hold the same key. Pure.

A newer connection takes over at once: it is nearly always the same encoder coming back. Two
encoders that fight would take turns for ever; after three takeovers in a minute the incumbent
stays, and whoever else comes is refused for a minute.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_TAKEOVERS: Final = 3
WINDOW_S: Final = 60.0
REFUSAL_S: Final = 60.0


class TakeoverGuard:
    """Counts takeovers of one broadcast; times are seconds of a steady clock."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=MAX_TAKEOVERS)
        self._refused_until_s = float("-inf")

    def may_take_over(self, now_s: float) -> bool:
        """Tell whether a newcomer may replace a connected publisher now; counts it when it may."""
        if now_s < self._refused_until_s:
            return False
        if len(self._times_s) == MAX_TAKEOVERS and now_s - self._times_s[0] < WINDOW_S:
            self._refused_until_s = now_s + REFUSAL_S
            self._times_s.clear()
            return False
        self._times_s.append(now_s)
        return True

    def is_contested(self, now_s: float) -> bool:
        """Newcomers are being refused: somebody else uses this key."""
        return now_s < self._refused_until_s
