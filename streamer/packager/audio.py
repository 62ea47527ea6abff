"""One epoch's sound as an unbroken run of AAC frames. Pure. No I/O, no clock.

Frames are placed by counting samples, so the milliseconds of RTMP do not shake them. Where the
source leaves a hole there is silence; where it overlaps what was published already, it is dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from kernel.aac import SAMPLES_PER_FRAME
from kernel.timing import TICKS_PER_S, rescale

REANCHOR_TICKS: Final = TICKS_PER_S // 10  # Beyond 100 ms the count is wrong, not the stamps.
PATIENCE_TICKS: Final = 2 * TICKS_PER_S // 5  # 400 ms behind the video: muted, DTX or gone.
MAX_PATIENCE_TICKS: Final = 3 * TICKS_PER_S // 2  # For encoders that send their sound late.
_DRIFT_FRAMES_COUNT: Final = 10  # A loss persists for so many frames, jitter does not.


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """An AAC frame at its place: ``position`` in samples of lecture time."""

    position: int
    data: bytes
    is_silent: bool


class AudioLine:
    """The frames not yet published, and where the next one belongs.

    The queue is bounded by its reader: the segmenter publishes whenever it holds a part.
    """

    def __init__(self, *, rate_hz: int, start_ticks: int, silent_frame: bytes) -> None:
        self.rate_hz = rate_hz
        self.patience_ticks = PATIENCE_TICKS
        self.is_silenced = False
        self.silent_count = 0
        self.dropped_count = 0
        self._silent_frame = silent_frame
        self._head = rescale(start_ticks, from_hz=TICKS_PER_S, to_hz=rate_hz)
        self._queue: deque[AudioFrame] = deque()
        self._has_begun = False
        self._drifts: deque[int] = deque(maxlen=_DRIFT_FRAMES_COUNT)
        reanchor = rescale(REANCHOR_TICKS, from_hz=TICKS_PER_S, to_hz=rate_hz)
        self._reanchor = max(reanchor, 3 * SAMPLES_PER_FRAME // 2)

    @property
    def head_ticks(self) -> int:
        """Lecture time that the next frame begins at."""
        return self.to_ticks(self._head)

    @property
    def has_frames(self) -> bool:
        return bool(self._queue)

    def to_ticks(self, position: int) -> int:
        return rescale(position, from_hz=self.rate_hz, to_hz=TICKS_PER_S)

    def write(self, pts_ticks: int, data: bytes) -> bool:
        """Place a frame of the source; false when it came too late and was dropped."""
        position = rescale(pts_ticks, from_hz=TICKS_PER_S, to_hz=self.rate_hz)
        drift = position - self._head
        if not self._has_begun and abs(drift) <= SAMPLES_PER_FRAME:
            if drift < -SAMPLES_PER_FRAME // 2:
                self.dropped_count += 1
                return False
            self._head = max(self._head, position)
            drift = 0
        if not self._is_in_place(drift):
            self.dropped_count += 1
            return False
        self._has_begun, self.is_silenced = True, False
        self._append(data, is_silent=False)
        return True

    def _is_in_place(self, drift: int) -> bool:
        """Fill the hole before a frame; false when it belongs where there is sound already."""
        after_silence = self.is_silenced or (self._queue and self._queue[-1].is_silent)
        if drift < -self._reanchor or (after_silence and drift < -SAMPLES_PER_FRAME // 2):
            self._drifts.clear()
            return False
        if drift > self._reanchor:
            self._fill(drift // SAMPLES_PER_FRAME)
            return True
        self._drifts.append(drift)
        if len(self._drifts) < _DRIFT_FRAMES_COUNT:
            return True
        if min(self._drifts) > SAMPLES_PER_FRAME:
            self._fill(min(self._drifts) // SAMPLES_PER_FRAME)
        elif max(self._drifts) < -SAMPLES_PER_FRAME:
            self._drifts.clear()
            return False
        return True

    def fill_to(self, end_ticks: int) -> None:
        """Add silence until the line has a frame to give and reaches ``end_ticks``."""
        while not self._queue or self.head_ticks < end_ticks:
            self._fill(1)

    def _fill(self, count: int) -> None:
        self._drifts.clear()
        self._has_begun = True
        self.silent_count += count
        for _ in range(count):
            self._append(self._silent_frame, is_silent=True)

    def _append(self, data: bytes, *, is_silent: bool) -> None:
        self._queue.append(AudioFrame(self._head, data, is_silent))
        self._head += SAMPLES_PER_FRAME

    def take(self, end_ticks: int) -> list[AudioFrame]:
        """Remove the frames that begin before ``end_ticks``, at least one if there is any."""
        taken: list[AudioFrame] = []
        while self._queue and (not taken or self.to_ticks(self._queue[0].position) < end_ticks):
            taken.append(self._queue.popleft())
        return taken

    def take_rest(self) -> list[tuple[int, bytes]]:
        """Remove what the source sent beyond the epoch's end: (lecture time, frame)."""
        rest = [
            (self.to_ticks(frame.position), frame.data)
            for frame in self._queue
            if not frame.is_silent
        ]
        self._queue.clear()
        return rest
