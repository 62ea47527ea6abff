"""In which order a worker asks its queues. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

EVERY: Final = 8  # One message in so many is taken from the last queue first.


class MostlyInOrder:
    """Kombu's cycle of queues: in the order of the worker, each ``EVERY``-th time the other way.

    So a replay goes before an upload and a short one before a long one, and yet a stream of short
    ones cannot keep the long ones waiting for ever.
    """

    def __init__(self, order: Sequence[str], queues: Sequence[str] | None = None) -> None:
        self._ranks = {name: rank for rank, name in enumerate(order)}
        self._queues: list[str] = []
        self._taken_count = 0
        self.update(queues or ())

    def update(self, queues: Sequence[str]) -> None:
        """Take the queues that are consumed from now on."""
        self._queues = sorted(queues, key=lambda name: self._ranks.get(name, len(self._ranks)))

    def consume(self, count: int) -> list[str]:
        """Return the queues in the order in which to look into them next."""
        is_turned = self._taken_count % EVERY == EVERY - 1
        return (self._queues[::-1] if is_turned else self._queues)[:count]

    def rotate(self, _last_used: str) -> None:
        """A message was taken."""
        self._taken_count += 1
