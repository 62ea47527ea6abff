"""The packager of one broadcast: connections come and go, the timeline runs on.

```
closed --open_connection--> opening --configs and an IDR--> flowing --close_connection--> closed
                               ^------ time stamp jump -------'  `- new format: next epoch, flowing
```
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog

from kernel.aac import SAMPLES_PER_FRAME
from kernel.clock import Clock
from kernel.errors import BitstreamError
from kernel.timing import TICKS_PER_S, rescale, to_seconds
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.packager.epoch import Epoch
from streamer.packager.formats import (
    AudioFormat,
    VideoFormat,
    check_audio,
    check_video,
    guess_frame_rate,
)
from streamer.packager.silence import SILENT_CONFIG
from streamer.packager.source import SourceClock, extrapolate
from streamer.ports import EndReason, PackagerSink, ResumePoint
from streamer.timeline import Counters

CONFIG_WAIT_S: Final = 1.0  # RTMP sends both configurations at once, WHIP within a second.
IDR_WAIT_S: Final = 5.0  # Video was announced but cannot be decoded: let the sound begin alone.
STALL_LIMIT_S: Final = 5.0  # The owner closes a connection that is silent for longer.
MAX_PENDING_VIDEO: Final = 900  # 15 s at 60 fps while a configuration is awaited; then oldest GOP.
MAX_AUDIO_LEAD_TICKS: Final = 15 * TICKS_PER_S  # More than we ever wait: another clock's sound.
MAX_PENDING_AUDIO: Final = 500  # About 10 s; drop-oldest.

log = structlog.get_logger(__name__)


class Packager:
    """Turns units into epochs, parts and segments and hands them to the sinks in order.

    One per broadcast; every method is synchronous and runs on the loop. ``tick`` is called about
    every 100 ms by the owner while a connection is open: it publishes parts when a track stalls.

    Attributes:
        dropped_count: Units that could not be published: before the first IDR, without a usable
            configuration, stray or too late.
    """

    def __init__(
        self,
        broadcast_id: str,
        sinks: Sequence[PackagerSink],
        clock: Clock,
        resume: ResumePoint | None = None,
    ) -> None:
        self._broadcast_id = broadcast_id
        self._sinks = tuple(sinks)
        self._clock = clock
        self._counters = Counters(resume or ResumePoint())
        self._protocol: Literal["rtmp", "whip"] | None = None
        self._epoch: Epoch | None = None
        self._is_ended = False
        self._last_date_time = None if resume is None else resume.next_date_time
        self.dropped_count = 0
        self._reset()

    def _reset(self) -> None:
        self._video_format: VideoFormat | None = None
        self._audio_format: AudioFormat | None = None
        self._source = SourceClock()
        self._seen_at_s = self._clock.monotonic_s()
        self._start_opening()

    def _start_opening(self) -> None:
        self._waiting_since_s: float | None = None
        self._pending_video: list[VideoUnit] = []
        self._pending_audio: deque[AudioUnit] = deque(maxlen=MAX_PENDING_AUDIO)

    # ---- state -------------------------------------------------------------------------------

    @property
    def resume_point(self) -> ResumePoint:
        """Where a successor would go on; exact between epochs."""
        return self._counters.point

    @property
    def is_flowing(self) -> bool:
        """An epoch is open: media is being published."""
        return self._epoch is not None

    @property
    def has_source_audio(self) -> bool:
        """The open epoch's sound comes from the publisher, not from us."""
        return self._epoch is not None and self._epoch.has_source_audio

    # ---- connections -------------------------------------------------------------------------

    def open_connection(self, protocol: Literal["rtmp", "whip"]) -> None:
        """A publisher is there; what an older connection left open is closed as TAKEN_OVER."""
        self.close_connection(EndReason.TAKEN_OVER)
        self._protocol = protocol
        self._reset()

    def close_connection(self, reason: EndReason) -> None:
        """Publish what is left and end the epoch. Idempotent."""
        if self._protocol is None:
            return
        if self._epoch is None and (self._pending_video or self._audio_format is not None):
            self._try_open(is_last_chance=True)
        self._close_epoch(reason)
        self._protocol = None
        self._start_opening()

    def end(self) -> None:
        """The broadcast is over: ``on_end`` after the last segment. Idempotent."""
        self.close_connection(EndReason.CLASS_ENDED)
        if not self._is_ended:
            self._is_ended = True
            self._publish(lambda sink: sink.on_end())

    def reopen(self) -> None:
        """An ended broadcast goes on: ``on_reopen``. Idempotent."""
        if self._is_ended:
            self._is_ended = False
            self._publish(lambda sink: sink.on_reopen())

    # ---- media -------------------------------------------------------------------------------

    def set_video_config(self, config: VideoConfig) -> None:
        """A changed configuration starts a new epoch at the next IDR; a broken one is ignored."""
        if self._protocol is None or self._is_same_video(config):
            return
        try:
            self._video_format = check_video(config)
        except BitstreamError as error:
            log.warning("video_config_refused", broadcast=self._broadcast_id, reason=str(error))
            return
        self._pending_video.clear()
        self._try_open()

    def set_audio_config(self, config: AudioConfig) -> None:
        """A changed configuration starts a new epoch: with video at the next IDR, else at once."""
        current = self._audio_format
        if self._protocol is None or (current is not None and current.config == config):
            return
        try:
            self._audio_format = check_audio(config)
        except BitstreamError as error:
            log.warning("audio_config_refused", broadcast=self._broadcast_id, reason=str(error))
            return
        epoch = self._epoch
        if epoch is not None and not epoch.has_source_audio and config == SILENT_CONFIG:
            epoch.has_source_audio = True  # The silence we made is in the source's own format.
        self._pending_audio.clear()
        self._try_open()

    def write_video(self, unit: VideoUnit) -> None:
        if self._protocol is None or self._video_format is None:
            self.dropped_count += 1
            return
        if self._epoch is None:
            self._collect_video(unit)
        elif not self._source.accept_video(unit.dts):
            self._handle_stray_video(unit)
        elif not self._is_video_current() or (unit.is_idr and not self._is_audio_current()):
            self._change_format(unit)
        else:
            self._seen_at_s = self._clock.monotonic_s()
            self._epoch.write_video(unit)

    def write_audio(self, unit: AudioUnit) -> None:
        if self._protocol is None or self._audio_format is None:
            self.dropped_count += 1
            return
        if self._epoch is None:
            self._collect_audio(unit)
            return
        unit = self._source.shift(unit)
        if not self._source.accept_audio(unit):
            self._handle_stray_audio()
        elif self._is_audio_current():
            self._seen_at_s = self._clock.monotonic_s()
            self._epoch.write_audio(unit)
        elif self._epoch.video is None:
            self._start_epoch(unit.pts, [], [unit], ended_as=EndReason.FORMAT_CHANGED)
        else:
            self._pending_audio.append(unit)

    def tick(self) -> None:
        """Let time pass without media; call about every 100 ms."""
        if self._protocol is None:
            return
        if self._epoch is None:
            self._try_open()
        elif self._source.head is not None:
            elapsed = self._clock.monotonic_s() - self._seen_at_s
            now = extrapolate(self._source.head, elapsed_s=elapsed, limit_s=STALL_LIMIT_S)
            self._epoch.pass_time(now)

    # ---- opening -----------------------------------------------------------------------------

    def _collect_video(self, unit: VideoUnit) -> None:
        if not unit.is_idr and not self._pending_video:
            self.dropped_count += 1  # Nothing can be decoded before the first IDR.
            return
        if unit.is_idr and len(self._pending_video) >= MAX_PENDING_VIDEO:
            self._pending_video.clear()
        if len(self._pending_video) >= 2 * MAX_PENDING_VIDEO:
            self.dropped_count += 1
            return
        last = self._pending_video[-1].dts if self._pending_video else unit.dts
        if abs(unit.dts - last) > STALL_LIMIT_S * TICKS_PER_S:
            self._pending_video.clear()  # The clock jumped while we waited.
            if not unit.is_idr:
                self.dropped_count += 1
                return
        self._pending_video.append(unit)
        self._note_waiting()
        self._try_open()

    def _collect_audio(self, unit: AudioUnit) -> None:
        self._pending_audio.append(unit)
        self._note_waiting()
        self._try_open()

    def _note_waiting(self) -> None:
        if self._waiting_since_s is None:
            self._waiting_since_s = self._clock.monotonic_s()

    def _waited_s(self) -> float:
        """How long media has been waiting, by the wall clock or by its own, whichever is more."""
        if self._waiting_since_s is None:
            return 0.0
        waited = self._clock.monotonic_s() - self._waiting_since_s
        if self._pending_video:
            span = self._pending_video[-1].dts - self._pending_video[0].dts
            waited = max(waited, to_seconds(span))
        if self._pending_audio:
            span = self._pending_audio[-1].pts - self._pending_audio[0].pts
            waited = max(waited, to_seconds(span))
        return waited

    def _try_open(self, *, is_last_chance: bool = False) -> None:
        if self._epoch is not None:
            return
        waited = self._waited_s()
        if self._pending_video:
            if self._audio_format is not None or waited >= CONFIG_WAIT_S or is_last_chance:
                video, audio = self._pending_video, list(self._pending_audio)
                self._start_epoch(video[0].dts, video, audio)
        elif self._pending_audio:
            patience = CONFIG_WAIT_S if self._video_format is None else IDR_WAIT_S
            if waited >= patience or is_last_chance:
                audio = list(self._pending_audio)
                self._start_epoch(audio[0].pts, [], audio)

    def _start_epoch(
        self,
        source_start: int,
        video: list[VideoUnit],
        audio: list[AudioUnit],
        *,
        ended_as: EndReason | None = None,
    ) -> None:
        """Open an epoch and feed it; ``ended_as`` closes the one before, on the same clock."""
        if ended_as is not None:
            audio = [*self._close_epoch(ended_as, source_start), *audio]
        audio = self._drop_before(source_start, audio)
        self._source.restart(source_start)
        video_format = self._video_format if video else None
        if self._protocol is None:
            raise RuntimeError("an epoch needs a connection")
        self._epoch = Epoch(
            counters=self._counters,
            publish=self._publish,
            protocol=self._protocol,
            video=video_format,
            audio=self._audio_format,
            source_start=source_start,
            program_date_time=self._build_date(
                source_start,
                max([unit.dts for unit in video] + [unit.pts for unit in audio]),
                goes_on=ended_as is not None,
            ),
            frame_rate=guess_frame_rate(video_format, [unit.dts for unit in video])
            if video_format
            else None,
        )
        self._start_opening()
        self._feed(video, audio)

    def _drop_before(self, source_start: int, audio: list[AudioUnit]) -> list[AudioUnit]:
        """Sound from before the first picture is not published; nor from before a jump."""
        if self._audio_format is None:
            return []
        rate_hz = self._audio_format.config.sample_rate_hz
        first = source_start - rescale(SAMPLES_PER_FRAME // 2, from_hz=rate_hz, to_hz=TICKS_PER_S)
        kept = [unit for unit in audio if first <= unit.pts <= source_start + MAX_AUDIO_LEAD_TICKS]
        self.dropped_count += len(audio) - len(kept)
        return kept

    def _build_date(self, source_start: int, latest: int, *, goes_on: bool) -> datetime:
        """Wall clock at the epoch's start: from the media's clock where it goes on.

        EXT-X-PROGRAM-DATE-TIME must not run back over the broadcast.
        """
        last = self._last_date_time
        if goes_on and last is not None:
            return last
        now = self._clock.now() - timedelta(seconds=to_seconds(max(0, latest - source_start)))
        return now if last is None else max(now, last)

    def _feed(self, video: list[VideoUnit], audio: list[AudioUnit]) -> None:
        """Write the units that waited, in time order as they would have come."""
        units: list[tuple[int, VideoUnit | AudioUnit]] = [(unit.dts, unit) for unit in video]
        units += [(unit.pts, unit) for unit in audio]
        for _, unit in sorted(units, key=lambda item: item[0]):
            if isinstance(unit, VideoUnit):
                self.write_video(unit)
            else:
                self.write_audio(unit)

    # ---- leaving an epoch --------------------------------------------------------------------

    def _close_epoch(self, reason: EndReason, source_end: int | None = None) -> list[AudioUnit]:
        """End the open epoch, if any; return sound beyond ``source_end``."""
        epoch = self._epoch
        if epoch is None:
            return []
        self._epoch = None
        rest = epoch.finish(source_end)
        self.dropped_count += epoch.late_audio_count
        self._last_date_time = epoch.end_date_time
        number = epoch.info.epoch
        log.info(
            "epoch_ended",
            broadcast=self._broadcast_id,
            epoch=number,
            reason=reason.value,
            silent_frames=epoch.silent_count,
        )
        self._publish(lambda sink: sink.on_epoch_end(number, reason))
        return rest

    def _change_format(self, unit: VideoUnit) -> None:
        """The parameter sets or the sound's format changed: go on with the next IDR."""
        if not unit.is_idr:
            self.dropped_count += 1  # It belongs to parameter sets that the epoch does not have.
            return
        audio = list(self._pending_audio)
        self._start_epoch(unit.dts, [unit], audio, ended_as=EndReason.FORMAT_CHANGED)

    def _handle_stray_video(self, unit: VideoUnit) -> None:
        if unit.is_idr:
            self._jump([unit])
        elif self._source.has_lost_video:
            self.dropped_count += 1
            self._jump([])
        else:
            self.dropped_count += 1

    def _handle_stray_audio(self) -> None:
        if self._epoch is None:
            return
        if self._epoch.video is None:
            if self._source.has_lost_only_audio:
                self._jump([])
        elif self._source.has_lost_audio:
            self.dropped_count += len(self._source.strays)
            self._source.realign_audio()

    def _jump(self, video: list[VideoUnit]) -> None:
        """The time stamps jumped: end the epoch, begin again with what came from the new time."""
        strays = self._source.strays
        self._close_epoch(EndReason.TIMESTAMP_JUMP)
        self._source = SourceClock()
        self._start_opening()
        for sound in strays:
            self._collect_audio(sound)
        for picture in video:
            if self._epoch is None:
                self._collect_video(picture)

    # ---- helpers -----------------------------------------------------------------------------

    def _is_same_video(self, config: VideoConfig) -> bool:
        return self._video_format is not None and self._video_format.config == config

    def _is_video_current(self) -> bool:
        if self._epoch is None or self._epoch.video is None or self._video_format is None:
            return False
        return self._epoch.video.config == self._video_format.config

    def _is_audio_current(self) -> bool:
        """The open epoch carries the source's sound in its present format, or there is none."""
        if self._epoch is None or self._audio_format is None:
            return True
        return (
            self._epoch.has_source_audio and self._epoch.audio.config == self._audio_format.config
        )

    def _publish(self, call: Callable[[PackagerSink], None]) -> None:
        for sink in self._sinks:
            call(sink)
