"""Who is watching: presence, not requests. Pure apart from the clock it is given."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from kernel.clock import Clock

PRESENCE_S: Final = 12.0  # A blocked reload is answered within 8 s, so a watcher shows up in time.
MAX_VIEWERS: Final = 50_000  # Per broadcast; the oldest are forgotten first. ~8 MB at the limit.


class Viewers:
    """Viewers seen on a playlist lately, per broadcast.

    Full: the one not seen for longest is forgotten; ``forgotten_count`` says how many.
    """

    def __init__(self, clock: Clock, *, max_viewers_count: int = MAX_VIEWERS) -> None:
        self._clock = clock
        self._max_count = max_viewers_count
        self._seen: dict[str, OrderedDict[str, float]] = {}
        self.forgotten_count = 0

    def note(self, broadcast_id: str, viewer: str) -> None:
        """``viewer`` asked for a playlist of this broadcast now."""
        seen = self._seen.get(broadcast_id)
        if seen is None:
            seen = self._seen[broadcast_id] = OrderedDict()
        now_s = self._clock.monotonic_s()
        seen[viewer] = now_s
        seen.move_to_end(viewer)
        # Two go for one that comes: memory follows the audience though nobody asks for the count.
        for _ in range(2):
            if next(iter(seen.values())) < now_s - PRESENCE_S:
                seen.popitem(last=False)
        if len(seen) > self._max_count:
            seen.popitem(last=False)
            self.forgotten_count += 1

    def count(self, broadcast_id: str) -> int:
        """Viewers seen within the last 12 s."""
        seen = self._seen.get(broadcast_id)
        if seen is None:
            return 0
        oldest = self._clock.monotonic_s() - PRESENCE_S
        while seen and next(iter(seen.values())) < oldest:
            seen.popitem(last=False)
        if not seen:
            del self._seen[broadcast_id]
        return len(seen)

    def forget(self, broadcast_id: str) -> None:
        """The broadcast is closed; free what is known of its viewers."""
        self._seen.pop(broadcast_id, None)
