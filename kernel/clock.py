"""The wall clock and the steady clock behind one port, so that tests can hold time still."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Port: where every service takes the time from."""

    def now(self) -> datetime:
        """Current time, aware, UTC."""

    def monotonic_s(self) -> float:
        """Seconds that never go back; only differences mean something."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told; used by tests and simulations."""

    def __init__(self, start: datetime = datetime(2026, 7, 1, 8, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by ``seconds`` >= 0."""
        if seconds < 0:
            raise ValueError(f"time does not run back: {seconds} s")
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += seconds
