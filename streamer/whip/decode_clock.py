"""Decode times for pictures that come with presentation times only. Pure.

RTP carries presentation times. Browsers send no B-frames; hardware encoders and OBS may. The
depth of reordering is read from the SPS where it says so, and learned otherwise.
"""

from __future__ import annotations

import heapq
from typing import Final

from kernel.errors import BitstreamError
from kernel.h264 import parse_sps

MAX_DEPTH: Final = 16  # H.264 §E.2.1: max_num_reorder_frames is at most max_dec_frame_buffering.
_FALLBACK_STEP_TICKS: Final = 3000


class DecodeClock:
    """Give each picture a decode time: strictly increasing and never after its presentation.

    The decode time is the ``depth``-delayed sorted presentation time, as muxers do it. A picture
    for which that is impossible (the depth was larger than thought) is refused, and the depth
    grows by one from the next IDR on.
    """

    def __init__(self) -> None:
        self.depth = 0
        self._pending: list[int] = []
        self._last: int | None = None
        self._last_pts: int | None = None
        self._step = _FALLBACK_STEP_TICKS

    def learn(self, sps: bytes) -> None:
        """Take the depth from a new SPS; an unreadable one teaches nothing."""
        try:
            depth = parse_sps(sps).max_num_reorder
        except BitstreamError:
            depth = None  # The packager judges parameter sets; here only ordering is asked for.
        self.depth = depth or 0
        self._pending.clear()

    def restart(self) -> None:
        """An IDR after a gap: nothing before it takes part in the ordering."""
        self._pending.clear()

    def assign(self, pts: int) -> int | None:
        """Return the decode time of the next picture in decode order, ``None`` to drop it."""
        if self._last_pts is not None and pts > self._last_pts:
            self._step = min(pts - self._last_pts, _FALLBACK_STEP_TICKS * 4)
        self._last_pts = pts
        if not self.depth:
            dts = pts
        else:
            if not self._pending:
                self._pending = [pts - self._step * n for n in range(self.depth, 0, -1)]
            heapq.heappush(self._pending, pts)
            dts = heapq.heappop(self._pending)
        if self._last is not None and dts <= self._last:
            if pts <= self._last:
                self.depth = min(self.depth + 1, MAX_DEPTH)
                self._pending.clear()
                return None
            dts = self._last + 1
        self._last = dts
        return dts
