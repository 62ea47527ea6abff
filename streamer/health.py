"""How well a publisher is doing: rates of the last five seconds, warnings in stable codes.

The meter only counts; the sound level is decoded from about one frame a second, in a thread.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import deque
from typing import Final

import av
import structlog
from av.audio.codeccontext import AudioCodecContext

from kernel.blobs.executor import BoundedExecutor
from kernel.clock import Clock
from kernel.errors import DependencyError
from kernel.messages import StreamHealth
from kernel.timing import TICKS_PER_S
from streamer.media import AudioConfig, AudioUnit, VideoUnit

WINDOW_S: Final = 5.0
LEVEL_PERIOD_S: Final = 1.0
LEVEL_TIMEOUT_S: Final = 2.0
SILENCE_DBFS: Final = -90.0  # What digital silence is reported as.
QUIET_DBFS: Final = -60.0  # Below it for the whole window nobody hears a voice.
QUIET_S: Final = 10.0  # A pause in a lecture is no fault.
LONG_GOP_S: Final = 4.5  # Segments are cut at 4 s even without an IDR; seeking suffers beyond.
LOW_VIDEO_BPS: Final = 150_000  # Slides in 720p need more than that.
UNSTABLE_DROPS: Final = 5  # Units lost within the window.
MAX_SAMPLES: Final = 4096  # Per window and track; 5 s of 120 fps and 96 kHz AAC fit.

log = structlog.get_logger(__name__)


class RateWindow:
    """Sizes of what arrived in the last ``WINDOW_S``. Queue policy: drop-oldest."""

    def __init__(self) -> None:
        self._items: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)

    def add(self, now_s: float, size: int) -> None:
        self._items.append((now_s, size))

    def trim(self, now_s: float) -> None:
        while self._items and self._items[0][0] <= now_s - WINDOW_S:
            self._items.popleft()

    def total(self, now_s: float) -> int:
        self.trim(now_s)
        return sum(size for _, size in self._items)

    def count(self, now_s: float) -> int:
        self.trim(now_s)
        return len(self._items)


class LevelMeter:
    """Sound level of AAC frames. Runs on: one thread at a time."""

    def __init__(self, config: AudioConfig) -> None:
        self._config = config
        self._codec: AudioCodecContext | None = None

    def measure_blocking(self, frames: list[bytes]) -> float | None:
        """Return the RMS of the last frame in dBFS, ``None`` when nothing could be decoded."""
        if self._codec is None:
            codec = av.CodecContext.create("aac", "r")
            if not isinstance(codec, AudioCodecContext):
                raise TypeError("aac is an audio codec")
            codec.extradata = self._config.asc
            codec.sample_rate = self._config.sample_rate_hz
            self._codec = codec
        level = None
        for frame in frames:
            try:
                decoded = self._codec.decode(av.Packet(frame))
            except av.FFmpegError as error:
                log.debug("level_not_measured", detail=str(error))
                continue
            for samples in decoded:
                level = _level_dbfs(samples)
        return level


def _level_dbfs(frame: av.AudioFrame) -> float:
    """RMS over all channels; FFmpeg's AAC decoder gives planar 32-bit floats in [-1, 1]."""
    samples = array("f")
    for plane in frame.planes:
        samples.frombytes(memoryview(plane)[: frame.samples * samples.itemsize])
    if not samples:
        return SILENCE_DBFS
    power = sum(sample * sample for sample in samples) / len(samples)
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS


class HealthMeter:
    """Watches one connection's units. Cheap per unit: a few appends."""

    def __init__(self, protocol: str, peer: str, *, clock: Clock, decoder: BoundedExecutor) -> None:
        self._protocol = protocol
        self._peer = peer
        self._clock = clock
        self._decoder = decoder
        self._began_s = clock.monotonic_s()
        self._video = RateWindow()
        self._audio = RateWindow()
        self._drops = RateWindow()
        self._dropped_count = 0
        self._last_idr_ticks: int | None = None
        self._gop_ticks: int | None = None
        self._newest_dts = 0
        self._has_b_frames = False
        self._level: LevelMeter | None = None
        self._level_dbfs: float | None = None
        self._level_due_s = self._began_s
        self._level_frames: list[bytes] = []
        self._level_task: asyncio.Task[None] | None = None
        self._heard_s = self._began_s
        self.width_px: int | None = None
        self.height_px: int | None = None

    @property
    def has_b_frames(self) -> bool:
        return self._has_b_frames

    def set_audio_config(self, config: AudioConfig) -> None:
        self._level, self._level_frames = LevelMeter(config), []

    def add_video(self, unit: VideoUnit) -> None:
        self._video.add(self._clock.monotonic_s(), len(unit.data))
        self._has_b_frames = self._has_b_frames or unit.pts > unit.dts
        self._newest_dts = unit.dts
        if unit.is_idr:
            if self._last_idr_ticks is not None:
                self._gop_ticks = max(0, unit.dts - self._last_idr_ticks)
            self._last_idr_ticks = unit.dts

    def add_audio(self, unit: AudioUnit) -> None:
        now_s = self._clock.monotonic_s()
        self._audio.add(now_s, len(unit.data))
        if self._level is None or now_s < self._level_due_s or self._level_task is not None:
            return
        # AAC frames overlap: the first decodes to half a window, the third is sound as it was.
        self._level_frames.append(unit.data)
        if len(self._level_frames) >= 3:  # noqa: PLR2004 - see above
            self._level_due_s = now_s + LEVEL_PERIOD_S
            frames, self._level_frames = self._level_frames, []
            self._level_task = asyncio.get_running_loop().create_task(
                self._measure(self._level, frames), name="sound-level"
            )

    def add_dropped(self, count: int) -> None:
        self._dropped_count += count
        self._drops.add(self._clock.monotonic_s(), count)

    async def _measure(self, meter: LevelMeter, frames: list[bytes]) -> None:
        try:
            self._level_dbfs = await self._decoder.run(
                lambda: meter.measure_blocking(frames), timeout_s=LEVEL_TIMEOUT_S
            )
        except DependencyError as error:
            log.debug("level_not_measured", detail=str(error))
        finally:
            self._level_task = None
        if self._level_dbfs is not None and self._level_dbfs > QUIET_DBFS:
            self._heard_s = self._clock.monotonic_s()

    def close(self) -> None:
        if self._level_task is not None:
            self._level_task.cancel()

    def report(self, *, extra_warnings: tuple[str, ...] = ()) -> StreamHealth:
        """Summarise; ``extra_warnings`` come from the recorder and the broadcast."""
        now_s = self._clock.monotonic_s()
        uptime_s = max(0.0, now_s - self._began_s)
        span_s = min(WINDOW_S, max(uptime_s, 0.5))
        return StreamHealth(
            protocol="whip" if self._protocol == "whip" else "rtmp",
            peer=self._peer,
            uptime_s=round(uptime_s, 3),
            video_bps=int(self._video.total(now_s) * 8 / span_s),
            audio_bps=int(self._audio.total(now_s) * 8 / span_s),
            fps=round(self._video.count(now_s) / span_s, 2),
            width_px=self.width_px,
            height_px=self.height_px,
            gop_s=self._gop_s(),
            audio_level_dbfs=None if self._level_dbfs is None else round(self._level_dbfs, 1),
            dropped_count=self._dropped_count,
            warnings=(*self._warnings(now_s, span_s, uptime_s), *extra_warnings),
        )

    def _gop_s(self) -> float | None:
        """Length of the last GOP, or of the running one when that is longer already."""
        if self._last_idr_ticks is None:
            return None
        running = self._newest_dts - self._last_idr_ticks
        if self._gop_ticks is None and running < LONG_GOP_S * TICKS_PER_S:
            return None
        return round(max(self._gop_ticks or 0, running) / TICKS_PER_S, 3)

    def _warnings(self, now_s: float, span_s: float, uptime_s: float) -> list[str]:
        warnings = []
        gop_s = self._gop_s()
        if gop_s is not None and gop_s > LONG_GOP_S:
            warnings.append("gop_too_long")
        has_sound = self._audio.count(now_s) > 0
        if uptime_s > WINDOW_S and (not has_sound or now_s - self._heard_s > QUIET_S):
            warnings.append("no_audio")
        video_bps = self._video.total(now_s) * 8 / span_s
        if uptime_s > WINDOW_S and 0 < video_bps < LOW_VIDEO_BPS:
            warnings.append("low_bitrate")
        if self._has_b_frames:
            warnings.append("b_frames")
        if self._drops.total(now_s) >= UNSTABLE_DROPS:
            warnings.append("unstable_network")
        return warnings
