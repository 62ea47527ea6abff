"""Where parts and segments of one epoch are cut. Pure. No I/O, no clock.

Parts are half-open intervals of 0.5 s of lecture time from their segment's start, so EXT-X-PART
durations are exact; a sample belongs to the interval that holds its dts (sound: pts). A segment
ends at the first IDR >= 2 s after its start, or without one at 4 s, on the grid.

A part is published when both tracks have passed its end. Two patiences bound the wait: for video
(screen share, variable frame rate) while the sound goes on, and for sound (mute, DTX, none at all)
while the video goes on. A track that proves to be merely late makes its patience longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kernel.timing import TICKS_PER_S
from streamer.packager.audio import MAX_PATIENCE_TICKS, AudioFrame, AudioLine
from streamer.timeline import (
    IDR_TOLERANCE_TICKS,
    MAX_SEGMENT_TICKS,
    PART_TICKS,
    SEGMENT_TICKS,
)

VIDEO_PATIENCE_TICKS: Final = 3 * TICKS_PER_S // 20  # 150 ms.
MAX_VIDEO_PATIENCE_TICKS: Final = TICKS_PER_S  # Above it live latency would suffer more.
SNAP_TICKS: Final = 3 * TICKS_PER_S // 20  # An IDR this little after the grid, with no frame in
# between, needs no part of its own: 29.97 fps would otherwise make one of 2 ms every segment.
LATE_TAIL_TICKS: Final = TICKS_PER_S // 20  # Room for late frames before a late IDR.
_DEFAULT_FRAME_TICKS: Final = TICKS_PER_S // 25
_MAX_FRAME_TICKS: Final = TICKS_PER_S


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """An access unit in lecture time."""

    dts: int
    pts: int
    data: bytes
    is_idr: bool


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame with the duration that its sample will say."""

    frame: VideoFrame
    duration_ticks: int


@dataclass(frozen=True, slots=True)
class CutPart:
    """A part to be published: ``[start, end)`` of lecture time and what lies in it."""

    start_ticks: int
    end_ticks: int
    index: int
    is_independent: bool
    video: list[TimedFrame]
    audio: list[AudioFrame]


@dataclass(frozen=True, slots=True)
class CutSegment:
    """The segment is complete: its parts are all the :class:`CutPart` since the last one."""

    start_ticks: int
    end_ticks: int
    parts_count: int


Cut = CutPart | CutSegment


@dataclass(frozen=True, slots=True)
class _Plan:
    """The end of the current part as far as the video seen tells."""

    end: int
    frames_count: int
    is_video_past: bool
    closes: bool


class Segmenter:
    """Queues of both tracks in, cuts out.

    Bounded: whatever is older than the patience and one part is published, so the queues hold
    about two seconds of media at most.

    Invariants: dts strictly increase; each segment is the concatenation of its parts; the end of
    one cut is the start of the next.
    """

    def __init__(self, *, start_ticks: int, audio: AudioLine, has_video: bool) -> None:
        self.audio = audio
        self.has_video = has_video
        self.part_start = start_ticks
        self.segment_start = start_ticks
        self.video_patience_ticks = VIDEO_PATIENCE_TICKS
        self._part_index = 0
        self._video: deque[VideoFrame] = deque()
        self._last_dts = start_ticks - 1
        self._has_frames = False
        self._frame_ticks = _DEFAULT_FRAME_TICKS
        self._now = start_ticks

    @property
    def has_media(self) -> bool:
        """Something is queued or the open segment has parts."""
        return bool(self._video) or self.audio.has_frames or self.part_start > self.segment_start

    def write_video(self, frame: VideoFrame) -> Iterator[Cut]:
        """Queue a frame; its dts is nudged forward when it does not increase."""
        if frame.dts <= self._last_dts:
            frame = VideoFrame(self._last_dts + 1, frame.pts, frame.data, frame.is_idr)
        if frame.dts < self.part_start:
            late = self.part_start - frame.dts
            self.video_patience_ticks = max(
                self.video_patience_ticks,
                min(late + VIDEO_PATIENCE_TICKS, MAX_VIDEO_PATIENCE_TICKS),
            )
        if self._has_frames:
            self._frame_ticks = min(frame.dts - self._last_dts, _MAX_FRAME_TICKS)
        self._has_frames, self._last_dts = True, frame.dts
        self._video.append(frame)
        yield from self._pump()

    def write_audio(self, pts_ticks: int, data: bytes) -> Iterator[Cut]:
        """Queue a frame of the source's sound."""
        if not self.audio.write(pts_ticks, data):
            # It was not silence then, only late: wait longer from now on.
            lag = max(self._last_dts, self._now) - pts_ticks
            self.audio.is_silenced = False
            self.audio.patience_ticks = max(
                self.audio.patience_ticks, min(lag + TICKS_PER_S // 10, MAX_PATIENCE_TICKS)
            )
        yield from self._pump()

    def pass_time(self, now_ticks: int) -> Iterator[Cut]:
        """No media came, but lecture time is about ``now_ticks`` by the wall clock."""
        self._now = max(self._now, now_ticks)
        yield from self._pump()

    def finish(self, end_ticks: int | None = None) -> Iterator[Cut]:
        """Publish everything; the epoch ends at ``end_ticks``, or where its media does.

        Frames of the source's sound beyond the end stay in ``audio``.
        """
        end = self._find_end(end_ticks)
        self.audio.is_silenced = True
        while self.part_start < end:
            plan = self._plan()
            if plan.end >= end:
                plan = _Plan(end, len(self._video), is_video_past=True, closes=True)
            yield from self._cut(plan)
        if self.part_start > self.segment_start:
            yield self._close()

    def _find_end(self, end_ticks: int | None) -> int:
        if end_ticks is not None:
            return max(end_ticks, self.part_start + (LATE_TAIL_TICKS if self._video else 0))
        ends = [self.part_start]
        if self._video:
            ends += [self._last_dts + self._frame_ticks, self.part_start + LATE_TAIL_TICKS]
        if self.audio.has_frames:
            ends.append(self.audio.head_ticks)
        return max(ends)

    def _pump(self) -> Iterator[Cut]:
        while True:
            plan = self._plan()
            if plan.end > self.part_start and not self._may_publish(plan):
                return
            yield from self._cut(plan)

    def _plan(self) -> _Plan:
        start, grid_end = self.part_start, self.part_start + PART_TICKS
        count = 0
        for frame in self._video:
            if frame.dts >= grid_end:
                break
            if frame.is_idr and self._is_old_enough(max(frame.dts, start)):
                return _Plan(self._end_before(frame, count), count, is_video_past=True, closes=True)
            count += 1
        age = grid_end - self.segment_start
        closes = age >= (MAX_SEGMENT_TICKS if self.has_video else SEGMENT_TICKS)
        is_past = count < len(self._video) or not self.has_video
        return _Plan(grid_end, count, is_video_past=is_past, closes=closes)

    def _is_old_enough(self, at: int) -> bool:
        return at - self.segment_start >= SEGMENT_TICKS - IDR_TOLERANCE_TICKS

    def _end_before(self, idr: VideoFrame, frames_before: int) -> int:
        """Where the segment ends when ``idr`` is to begin the next one."""
        if frames_before == 0 and idr.dts - self.part_start <= SNAP_TICKS:
            return self.part_start
        return idr.dts if idr.dts > self.part_start else self.part_start + LATE_TAIL_TICKS

    def _may_publish(self, plan: _Plan) -> bool:
        if not plan.is_video_past:
            clock = self.audio.head_ticks
            if self.audio.is_silenced:
                clock = max(clock, self._now)
            if clock < plan.end + self.video_patience_ticks:
                return False
        if self.audio.has_frames and self.audio.head_ticks >= plan.end:
            return True
        if not self.has_video:
            return False
        lag = self._last_dts - self.audio.head_ticks
        if not self.audio.is_silenced and lag <= self.audio.patience_ticks:
            return False
        self.audio.is_silenced = True
        return True

    def _cut(self, plan: _Plan) -> Iterator[Cut]:
        if plan.end > self.part_start:
            if self.audio.is_silenced:
                self.audio.fill_to(plan.end)
            yield self._take_part(plan)
        if plan.closes:
            yield self._close()

    def _take_part(self, plan: _Plan) -> CutPart:
        count = plan.frames_count
        if not plan.is_video_past and count and plan.end - self._last_dts < PART_TICKS // 2:
            # The newest frame's duration is unknown. MSE drops everything up to the next IDR when
            # a frame comes later than twice the duration before it, so a short guess is worse than
            # delivering this frame with the next part, when its duration is known or >= 0.5 s.
            count -= 1
        frames = [self._video.popleft() for _ in range(count)]
        part = CutPart(
            start_ticks=self.part_start,
            end_ticks=plan.end,
            index=self._part_index,
            is_independent=frames[0].is_idr if frames else not self.has_video,
            video=self._time_frames(frames, plan.end),
            audio=self.audio.take(plan.end),
        )
        self.part_start = plan.end
        self._part_index += 1
        return part

    def _time_frames(self, frames: list[VideoFrame], end: int) -> list[TimedFrame]:
        following = [*frames[1:], *([self._video[0]] if self._video else [])]
        timed = [
            TimedFrame(frame, later.dts - frame.dts)
            for frame, later in zip(frames, following, strict=False)
        ]
        if len(timed) < len(frames):
            last = frames[-1]
            timed.append(TimedFrame(last, end - last.dts if end > last.dts else self._frame_ticks))
        return timed

    def _close(self) -> CutSegment:
        segment = CutSegment(self.segment_start, self.part_start, self._part_index)
        self.segment_start, self._part_index = self.part_start, 0
        return segment
