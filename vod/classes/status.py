"""What streamer knows about live broadcasts, asked in batches and kept for a second.

A page must stay fast while streamer is slow or away: one question is under way at a time, it has
a deadline, and until it is answered the last known values are shown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from kernel.clock import Clock
from kernel.errors import HallError
from kernel.http import InternalClient
from kernel.messages import BroadcastStatus

FRESH_S: Final = 1.0  # Pages poll every few seconds; streamer is asked at most once a second.
DEADLINE_S: Final = 1.0
AWAY_PAUSE_S: Final = 5.0  # After a failure pages do not wait for streamer for this long.
MAX_KEPT: Final = 1000  # Oldest dropped; far more than classes live at once.

log = structlog.get_logger(__name__)

_IDS: Final = TypeAdapter(list[str])
_STATUSES: Final = TypeAdapter(dict[str, BroadcastStatus])


class LiveStatuses:
    """A cache of ``BroadcastStatus`` by broadcast. Runs on the loop."""

    def __init__(self, streamer: InternalClient, clock: Clock) -> None:
        self._streamer = streamer
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, BroadcastStatus | None]] = OrderedDict()
        self._turn = asyncio.Lock()
        self._away_until_s = float("-inf")

    async def load(self, broadcast_ids: Iterable[str]) -> dict[str, BroadcastStatus]:
        """Return what is known of these broadcasts; ids that streamer never knew are absent.

        Never raises for a streamer that is away, and waits for it at most ``DEADLINE_S``.
        """
        wanted = list(dict.fromkeys(broadcast_ids))
        if self._find_stale(wanted):
            try:
                async with asyncio.timeout(DEADLINE_S), self._turn:
                    await self._refresh(self._find_stale(wanted))
            except TimeoutError:
                self._note_away("no answer in time")
        found = ((key, self._known.get(key)) for key in wanted)
        return {key: entry[1] for key, entry in found if entry is not None and entry[1] is not None}

    def _find_stale(self, wanted: list[str]) -> list[str]:
        now_s = self._clock.monotonic_s()
        if now_s < self._away_until_s:
            return []
        return [
            key
            for key in wanted
            if (entry := self._known.get(key)) is None or now_s - entry[0] >= FRESH_S
        ]

    async def _refresh(self, stale: list[str]) -> None:
        if not stale:
            return  # Whoever held the turn before asked for the same.
        try:
            answer = await self._streamer.call(
                "POST", "/internal/broadcasts", body=_IDS.dump_json(stale)
            )
            statuses = _STATUSES.validate_python(answer)
        except (HallError, ValidationError) as error:
            self._note_away(str(error))
            return
        now_s = self._clock.monotonic_s()
        for key in stale:
            self._known[key] = (now_s, statuses.get(key))
            self._known.move_to_end(key)
        while len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)

    def _note_away(self, reason: str) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._away_until_s:
            log.warning("streamer_status_unknown", reason=reason)
        self._away_until_s = now_s + AWAY_PAUSE_S
