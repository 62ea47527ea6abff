"""Time stamps of one viewer: growing, whatever publishers come and go. Pure."""

from __future__ import annotations

from typing import Final

from kernel.timing import TICKS_PER_S

START_TICKS: Final = 60 * TICKS_PER_S  # Room below for a GOP that is sent compressed.
CATCH_UP_TICKS: Final = 90  # 1 ms between pictures that are only sent to be decoded.
MAX_JUMP_TICKS: Final = 10 * TICKS_PER_S


class ViewerClock:
    """Maps a publication's ticks to the viewer's; both tracks move together.

    After ``restart`` the next unit is placed where the wall clock is.
    """

    def __init__(self) -> None:
        self._offset: int | None = None
        self._last = START_TICKS
        self._last_s: float | None = None

    def restart(self) -> None:
        """Another publisher: its ticks have nothing to do with the previous ones."""
        self._offset = None

    def map(self, pts: int, now_s: float) -> int:
        """Return the viewer's ticks; never more than 10 s away from the previous ones."""
        elapsed = 0 if self._last_s is None else int((now_s - self._last_s) * TICKS_PER_S)
        wanted = self._last + elapsed
        if self._offset is None or abs(pts + self._offset - wanted) > MAX_JUMP_TICKS:
            self._offset = wanted - pts + (0 if self._last_s is None else CATCH_UP_TICKS)
        self._last = max(self._last, pts + self._offset)
        self._last_s = now_s
        return pts + self._offset


def compress_backlog(last_ticks: int, count: int) -> list[int]:
    """Ticks for ``count`` pictures sent at once, the last one at ``last_ticks``.

    A player decodes all of them and shows the newest: it starts at the live edge.
    """
    return [last_ticks - (count - 1 - index) * CATCH_UP_TICKS for index in range(count)]
