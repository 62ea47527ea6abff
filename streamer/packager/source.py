"""One connection's clock: which units continue it, and which come from another time. Pure."""

from __future__ import annotations

from typing import Final

from kernel.timing import TICKS_PER_S
from streamer.media import AudioUnit
from streamer.timeline import BACKWARD_TICKS, JUMP_TICKS

MAX_STRAYS_COUNT: Final = 150  # About 3 s of AAC; then the sound's clock has left the picture's.
_STRAY_VIDEO_COUNT: Final = 30  # About 1 s of pictures without an IDR: the old clock is gone.
_STRAY_AUDIO_ONLY_COUNT: Final = 5  # Without pictures a few frames in a row are proof enough.


class SourceClock:
    """Judges time stamps on the connection's own 90 kHz clock.

    A unit is *stray* when it lies more than 3 s ahead of all media so far, or further back on its
    track than any reordering explains. Stray sound is kept (newest 150 frames) for the epoch
    that a jump of the picture may open.
    """

    def __init__(self) -> None:
        self.head: int | None = None
        self.strays: list[AudioUnit] = []
        self._video: int | None = None
        self._audio: int | None = None
        self._stray_video_count = 0
        self._shift = 0

    def restart(self, start: int) -> None:
        """A new epoch begins at ``start``; its first units are right by definition."""
        self.head, self._video, self._audio = start, None, None
        self._stray_video_count = 0
        self._shift = 0
        self.strays = []

    def shift(self, unit: AudioUnit) -> AudioUnit:
        """Correct sound whose clock left the picture's."""
        return AudioUnit(unit.pts + self._shift, unit.data) if self._shift else unit

    def accept_video(self, dts: int) -> bool:
        """Take note of a picture's dts; false when it is stray."""
        if self._is_stray(dts, self._video):
            self._stray_video_count += 1
            return False
        self._stray_video_count = 0
        self._video = dts if self._video is None else max(dts, self._video)
        self.head = dts if self.head is None else max(dts, self.head)
        return True

    def accept_audio(self, unit: AudioUnit) -> bool:
        """Take note of a (shifted) frame of sound; false when it is stray and was put aside."""
        if self._is_stray(unit.pts, self._audio):
            self.strays = [*self.strays[-MAX_STRAYS_COUNT + 1 :], unit]
            return False
        self.strays = []
        self._audio = unit.pts if self._audio is None else max(unit.pts, self._audio)
        self.head = unit.pts if self.head is None else max(unit.pts, self.head)
        return True

    def realign_audio(self) -> None:
        """Put the sound's clock back beside the picture's."""
        if self.strays and self.head is not None:
            self._shift += self.head - self.strays[-1].pts
            self._audio = None
            self.strays = []

    @property
    def has_lost_video(self) -> bool:
        return self._stray_video_count >= _STRAY_VIDEO_COUNT

    @property
    def has_lost_audio(self) -> bool:
        return len(self.strays) >= MAX_STRAYS_COUNT

    @property
    def has_lost_only_audio(self) -> bool:
        """For a source without pictures: the sound has jumped."""
        return len(self.strays) >= _STRAY_AUDIO_ONLY_COUNT

    def _is_stray(self, ticks: int, last: int | None) -> bool:
        if self.head is None:
            return False
        if ticks > self.head + JUMP_TICKS:
            return True
        floor = self.head - JUMP_TICKS if last is None else last - BACKWARD_TICKS
        return ticks < floor


def extrapolate(head: int, *, elapsed_s: float, limit_s: float) -> int:
    """Where the source's clock is ``elapsed_s`` after its last unit; it is believed so long."""
    return head + int(min(elapsed_s, limit_s) * TICKS_PER_S)
