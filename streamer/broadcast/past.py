"""Broadcasts that are not open here: read back from their journals, the newest few kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from kernel.clock import Clock
from kernel.errors import NotFoundError
from kernel.messages import BroadcastStatus
from kernel.timing import to_seconds_down
from streamer.broadcast.factory import BroadcastFactory
from streamer.live import LiveWindow
from streamer.recorder.history import History
from streamer.recorder.spool import is_folder_name

UNKNOWN_S: Final = 10.0  # A broadcast nobody knows is not looked for more often.
MAX_UNKNOWN: Final = 1000
MAX_KEPT: Final = 16  # Windows of ended broadcasts; one of a 2 h class is ~2 MB.


@dataclass(frozen=True, slots=True)
class PastBroadcast:
    """What a journal tells."""

    history: History
    window: LiveWindow

    def build_status(self, *, viewers_count: int) -> BroadcastStatus:
        history = self.history
        seconds = to_seconds_down(history.recorded_ticks)
        last = history.epochs[-1].info if history.epochs else None
        return BroadcastStatus(
            broadcast_id=history.broadcast_id,
            state="ended" if history.is_ended else "interrupted",
            epoch=None if last is None else last.epoch,
            viewers=viewers_count,
            recorded_s=seconds,
            stored_s=seconds,
            has_video=last is not None and bool(last.video_codec),
            has_b_frames=False,
            is_recording_paused=False,
            health=None,
        )


class PastBroadcasts:
    """Bounded memory of what was read. Full: the one not asked for longest goes."""

    def __init__(self, factory: BroadcastFactory, clock: Clock) -> None:
        self._factory = factory
        self._clock = clock
        self._kept: OrderedDict[str, PastBroadcast] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()

    def find(self, broadcast_id: str) -> PastBroadcast | None:
        """What is in memory.

        Raises:
            NotFoundError: It cannot be one of ours, or was not found within the last 10 s.
        """
        is_unknown = self._unknown.get(broadcast_id, 0.0) > self._clock.monotonic_s()
        if is_unknown or not is_folder_name(broadcast_id):
            raise NotFoundError("no such broadcast")
        found = self._kept.get(broadcast_id)
        if found is not None:
            self._kept.move_to_end(broadcast_id)
        return found

    async def load(self, broadcast_id: str) -> PastBroadcast:
        """Read it unless it is in memory. One call per broadcast at a time.

        Raises:
            NotFoundError: Nobody has a journal of it.
            DependencyError: The store cannot be asked now.
        """
        found = self.find(broadcast_id) or await self._read(broadcast_id)
        self._kept[broadcast_id] = found
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found

    def forget(self, broadcast_id: str) -> None:
        """It is taken up again, or gone: nothing that was known of it holds."""
        self._kept.pop(broadcast_id, None)
        self._unknown.pop(broadcast_id, None)

    async def _read(self, broadcast_id: str) -> PastBroadcast:
        try:
            history = await self._factory.load_history(broadcast_id)
        except NotFoundError:
            self._unknown[broadcast_id] = self._clock.monotonic_s() + UNKNOWN_S
            while len(self._unknown) > MAX_UNKNOWN:
                self._unknown.popitem(last=False)
            raise
        window = self._factory.build_window(history, self._factory.folder(broadcast_id))
        return PastBroadcast(history, window)
