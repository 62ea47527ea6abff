"""How many may join how fast, and which sessions are over. Pure: time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from kernel.errors import CapacityError

MAX_ENDED_COUNT: Final = 1000  # ~200 kB; a client says goodbye within seconds.


class JoinLimiter:
    """Token bucket: ``rate_per_s`` in the long run, ``burst_count`` at once.

    A join costs a certificate and a DTLS handshake, about 5 ms of this process.
    """

    def __init__(self, rate_per_s: float, burst_count: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst_count = burst_count
        self._tokens = float(burst_count)
        self._at_s: float | None = None

    def take(self, now_s: float) -> None:
        """Count one join.

        Raises:
            CapacityError: Too many joins; try again in a second or so.
        """
        if self._at_s is not None:
            refill = max(0.0, now_s - self._at_s) * self._rate_per_s
            self._tokens = min(float(self._burst_count), self._tokens + refill)
        self._at_s = now_s
        if self._tokens < 1:
            wait_s = max(1, round((1 - self._tokens) / self._rate_per_s))
            raise CapacityError("too many WebRTC joins at once", retry_after_s=wait_s)
        self._tokens -= 1


class EndedSessions:
    """Which sessions are over, so that ending one of them again is no mistake.

    Bounded: beyond ``max_count`` the oldest is forgotten.
    """

    def __init__(self, max_count: int = MAX_ENDED_COUNT) -> None:
        self._max_count = max_count
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, resource_id: str, session_id: str) -> None:
        """Remember a session of a class or broadcast."""
        self._keys[resource_id, session_id] = None
        while len(self._keys) > self._max_count:
            self._keys.popitem(last=False)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._keys
