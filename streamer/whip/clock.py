"""Both tracks of a publisher on one clock of 1/90000 s. Pure: arrival times come as arguments.

Until RTCP sender reports of both tracks are there, tracks are aligned by arrival; some senders
never report. Video keeps its mapping; audio is moved to it, at first at once, then slowly.
"""

from __future__ import annotations

from typing import Final, Literal

from kernel.timing import TICKS_PER_S, Unwrapper32, rescale, signed_delta_32

ORIGIN_TICKS: Final = 10 * TICKS_PER_S  # Room for audio that turns out to begin before the video.
MAX_DISAGREEMENT_S: Final = 10  # RTP time against arrival; real clocks drift < 1 s in 5 h.
MAX_SKEW_TICKS: Final = 5 * TICKS_PER_S  # A report that moves audio by more is nonsense.
MAX_REPORT_AGE_S: Final = 60
SLEW_DIVISOR: Final = 200  # Audio moves by at most 0.5 % of the time that passes.

Track = Literal["video", "audio"]


class _TrackClock:
    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._unwrapper = Unwrapper32()
        self.last: int | None = None
        self.anchor_rtp = 0
        self.anchor_ticks = 0
        self.report: tuple[int, int] | None = None  # NTP 32.32, unwrapped RTP

    def unwrap(self, timestamp: int) -> int:
        self.last = self._unwrapper.unwrap(timestamp)
        return self.last

    def anchor(self, rtp: int, ticks: int) -> None:
        self.anchor_rtp, self.anchor_ticks = rtp, ticks
        self.report = None

    def ticks(self, rtp: int) -> int:
        return self.anchor_ticks + rescale(
            rtp - self.anchor_rtp, from_hz=self.rate_hz, to_hz=TICKS_PER_S
        )

    def note_report(self, ntp: int, timestamp: int) -> bool:
        """Keep a plausible sender report; tell whether it was one."""
        if not ntp or self.last is None:
            return False
        rtp = self.last + signed_delta_32(timestamp, self.last % (1 << 32))
        if abs(rtp - self.last) > MAX_REPORT_AGE_S * self.rate_hz:
            return False
        self.report = (ntp, rtp)
        return True


class SyncClock:
    """Map RTP time stamps of both tracks to ticks.

    Invariants: video never changes its mapping unless its time stamps leave the wall clock by
    ``MAX_DISAGREEMENT_S``; audio is within one slew step of the senders' own alignment.
    """

    def __init__(self) -> None:
        self._tracks = {"video": _TrackClock(TICKS_PER_S), "audio": _TrackClock(48_000)}
        self._origin_s: float | None = None
        self._is_aligned = False
        self._pending_ticks = 0
        self._slewed_at: int | None = None

    def map(self, track: Track, timestamp: int, now_s: float) -> int:
        """Return the ticks of a 32-bit RTP time stamp of a packet that arrived at ``now_s``."""
        clock = self._tracks[track]
        if self._origin_s is None:
            self._origin_s = now_s
        arrival = ORIGIN_TICKS + int((now_s - self._origin_s) * TICKS_PER_S)
        is_first = clock.last is None
        rtp = clock.unwrap(timestamp)
        if is_first or abs(clock.ticks(rtp) - arrival) > MAX_DISAGREEMENT_S * TICKS_PER_S:
            clock.anchor(rtp, arrival)
            self._is_aligned = False
            self._pending_ticks = 0
        ticks = clock.ticks(rtp)
        if track == "audio" and self._pending_ticks:
            ticks += self._slew(clock, ticks)
        return ticks

    def report(self, track: Track, ntp: int, timestamp: int) -> None:
        """Take a sender report: NTP 32.32 fixed point and the 32-bit RTP time stamp."""
        if not self._tracks[track].note_report(ntp, timestamp):
            return
        video, audio = self._tracks["video"].report, self._tracks["audio"].report
        if video is None or audio is None:
            return
        common = self._tracks["video"].ticks(video[1]) + ((audio[0] - video[0]) * TICKS_PER_S >> 32)
        error = common - self._tracks["audio"].ticks(audio[1])
        if abs(error) > MAX_SKEW_TICKS:
            return
        if self._is_aligned:
            self._pending_ticks = error
        else:
            self._tracks["audio"].anchor_ticks += error
            self._is_aligned = True

    def _slew(self, clock: _TrackClock, ticks: int) -> int:
        if self._slewed_at is None:
            self._slewed_at = ticks
        limit = max(0, ticks - self._slewed_at) // SLEW_DIVISOR
        step = max(-limit, min(limit, self._pending_ticks))
        if step:
            self._slewed_at = ticks
            clock.anchor_ticks += step
            self._pending_ticks -= step
        return step
