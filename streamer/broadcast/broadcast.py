"""One broadcast: its publisher, packager, recorder, window and viewers. Lives on the event loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from kernel.blobs.executor import BoundedExecutor
from kernel.clock import Clock
from kernel.errors import ConflictError
from kernel.messages import BroadcastStatus
from kernel.timing import to_seconds_down
from streamer.broadcast.announcer import Announcer
from streamer.broadcast.fanout import Fanout, Subscription
from streamer.broadcast.publication import ActivePublication
from streamer.broadcast.state import BroadcastChange, BroadcastState, advance
from streamer.broadcast.takeover import TakeoverGuard
from streamer.broadcast.tally import Tally
from streamer.events import Outbox
from streamer.health import HealthMeter
from streamer.live import LiveWindow
from streamer.packager import Packager
from streamer.ports import EndReason, EpochInfo, IngestConnection, Part, SegmentInfo
from streamer.recorder.recorder import Recorder
from streamer.recorder.uploader import Uploader

STALL_S: Final = 4.5  # With a tick of 0.1 s a dead publisher is noticed within 5 s (DESIGN §4.2).
KEYFRAME_PERIOD_S: Final = 1.0  # At most one PLI a second reaches the encoder.
GOES_ON: Final = frozenset({EndReason.FORMAT_CHANGED, EndReason.TIMESTAMP_JUMP})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BroadcastParts:
    """What a broadcast is made of; put together by the registry."""

    recorder: Recorder
    outbox: Outbox
    window: LiveWindow
    clock: Clock
    decoder: BoundedExecutor


class Broadcast:
    """Owns one packager and gives its output to the recorder first, then to the window.

    Implements ``PackagerSink``, ``RecorderListener`` and ``UploadListener``.
    """

    def __init__(self, parts: BroadcastParts) -> None:
        history = parts.recorder.history
        self.broadcast_id = history.broadcast_id
        self.live_class_id = history.live_class_id
        self.title = history.title
        self.clock = parts.clock
        self.recorder = parts.recorder
        self.outbox = parts.outbox
        self.window = parts.window
        self.uploader: Uploader | None = None
        self.tally = Tally()
        self.fanout = Fanout(self.request_keyframe)
        self.packager = Packager(
            self.broadcast_id, [self], parts.clock, resume=history.resume_point()
        )
        self.state = _state_of(parts.recorder)
        self.ended_s: float | None = parts.clock.monotonic_s() if history.is_ended else None
        self._decoder = parts.decoder
        self._publisher: ActivePublication | None = None
        self._guard = TakeoverGuard()
        self._announcer = Announcer(parts.recorder, parts.outbox, parts.clock)
        self._keyframe_due_s = float("-inf")
        self._size_px: tuple[int | None, int | None] = (None, None)
        self._has_video = bool(history.epochs and history.epochs[-1].info.video_codec)
        parts.recorder.listener = self

    # ---- the publisher -------------------------------------------------------------------------

    @property
    def has_publisher(self) -> bool:
        return self._publisher is not None

    def accept(self, connection: IngestConnection) -> ActivePublication:
        """Make ``connection`` the publisher; an older one is told and closed.

        Raises:
            ConflictError: Ended, or three takeovers within a minute.
        """
        if self.state is BroadcastState.ENDED:
            raise ConflictError("the class has ended", title_zh="这堂课已经结束")
        now_s = self.clock.monotonic_s()
        if self._publisher is not None:
            if not self._guard.may_take_over(now_s):
                self._log_takeover(connection, is_refused=True)
                raise ConflictError(
                    "two publishers fight for this class; the first one stays for 60 s",
                    title_zh="另一台设备正在使用同一推流码直播,请一分钟后再试",
                )
            self._log_takeover(connection, is_refused=False)
            self.evict(EndReason.TAKEN_OVER)
        meter = HealthMeter(
            connection.protocol, connection.peer, clock=self.clock, decoder=self._decoder
        )
        publication = ActivePublication(self, connection, meter, now_s)
        self._publisher = publication
        self.fanout.reset()
        self.packager.open_connection("whip" if connection.protocol == "whip" else "rtmp")
        log.info(
            "publisher_admitted",
            broadcast_id=self.broadcast_id,
            protocol=connection.protocol,
            peer=connection.peer,
        )
        return publication

    def _log_takeover(self, connection: IngestConnection, *, is_refused: bool) -> None:
        """The audit line: who took the class from whom."""
        incumbent = self._publisher.connection.peer if self._publisher else ""
        log.warning(
            "takeover_refused" if is_refused else "takeover",
            audit=True,
            broadcast_id=self.broadcast_id,
            incumbent=incumbent,
            newcomer=connection.peer,
        )

    def leave(self, publication: ActivePublication, reason: EndReason) -> None:
        """A connection is over. Nothing happens when it was replaced before."""
        if self._publisher is publication:
            self._drop_publisher(reason)

    def evict(self, reason: EndReason) -> None:
        """Put the publisher out; the broadcast stays as it is, interrupted if it was live."""
        publisher = self._publisher
        if publisher is not None:
            self._drop_publisher(reason)
            publisher.connection.evict(reason)

    def _drop_publisher(self, reason: EndReason) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is None:
            return
        publisher.is_active = False
        publisher.meter.close()
        self.packager.close_connection(reason)
        log.info("publisher_left", broadcast_id=self.broadcast_id, reason=reason.value)

    def request_keyframe(self) -> None:
        """Ask the encoder for an IDR, at most once a second."""
        now_s = self.clock.monotonic_s()
        if self._publisher is not None and now_s >= self._keyframe_due_s:
            self._keyframe_due_s = now_s + KEYFRAME_PERIOD_S
            self._publisher.connection.request_keyframe()

    def subscribe(self) -> Subscription:
        """A WebRTC viewer joins."""
        return self.fanout.subscribe()

    def tick(self) -> None:
        """Let time pass; about every 0.1 s."""
        publisher = self._publisher
        if publisher is None:
            return
        if self.clock.monotonic_s() - publisher.last_media_s > STALL_S:
            self.evict(EndReason.STALLED)
        else:
            self.packager.tick()

    # ---- end and return ------------------------------------------------------------------------

    def end(self, reason: str) -> None:
        """End for good: last part, ENDLIST and ``BroadcastEnded`` with the index. Idempotent.

        Waits for nothing: the replay is playable from spool and memory while uploads go on.
        """
        if self.state is BroadcastState.ENDED:
            return
        self.evict(EndReason.CLASS_ENDED)
        self.state = advance(self.state, BroadcastChange.END)
        self.ended_s = self.clock.monotonic_s()
        self.packager.end()
        self.fanout.finish()
        log.info("broadcast_ended", broadcast_id=self.broadcast_id, reason=reason)
        if self.uploader is not None:
            self.uploader.poke()

    def reopen(self) -> None:
        """Go on after the end; interrupted until somebody publishes. Idempotent."""
        if self.state is not BroadcastState.ENDED:
            return
        self.state = advance(self.state, BroadcastChange.REOPEN)
        self.ended_s = None
        self.packager.reopen()
        if self.recorder.history.is_ended:
            self.on_reopen()  # A packager made after a restart never saw the end.
        log.info("broadcast_reopened", broadcast_id=self.broadcast_id)

    # ---- PackagerSink: recorder first, then the window -----------------------------------------

    def on_epoch(self, epoch: EpochInfo) -> None:
        self.recorder.on_epoch(epoch)
        self.window.on_epoch(epoch)
        self._size_px = epoch.width_px, epoch.height_px
        self._has_video = epoch.video_codec is not None
        if self._publisher is not None:
            self._publisher.meter.width_px, self._publisher.meter.height_px = self._size_px
        if self.state is not BroadcastState.LIVE:
            self.state = advance(self.state, BroadcastChange.MEDIA_STARTED)
        self._announcer.tell_epoch_started(epoch)
        if self.uploader is not None:
            self.uploader.poke()

    def on_part(self, part: Part) -> None:
        self.tally.parts_count += 1
        self.recorder.on_part(part)
        self.window.on_part(part)

    def on_segment(self, segment: SegmentInfo) -> None:
        self.recorder.on_segment(segment)
        if self.recorder.is_lost(segment.msn) and not segment.is_gap:
            segment = replace(segment, is_gap=True)
        if segment.is_gap:
            self.tally.gaps_count += 1
        else:
            self.tally.segments_count += 1
        self.window.on_segment(segment)

    def on_epoch_end(self, epoch: int, reason: EndReason) -> None:
        self.recorder.on_epoch_end(epoch, reason)
        self.window.on_epoch_end(epoch, reason)
        is_interrupted = reason not in GOES_ON and reason is not EndReason.CLASS_ENDED
        if reason not in GOES_ON and self.state is BroadcastState.LIVE:
            self.state = advance(self.state, BroadcastChange.MEDIA_STOPPED)
        self._announcer.tell_epoch_ended(epoch, reason.value, is_interrupted=is_interrupted)

    def on_end(self) -> None:
        self.recorder.on_end()
        self.window.on_end()
        self._announcer.tell_ended()

    def on_reopen(self) -> None:
        self.recorder.on_reopen()
        self.window.on_reopen()

    # ---- RecorderListener, UploadListener ------------------------------------------------------

    def on_segment_written(self, segment: SegmentInfo) -> None:
        if self.uploader is not None:
            self.uploader.add(segment)

    def on_segment_lost(self, segment: SegmentInfo) -> None:
        self.tally.gaps_count += 1
        self.window.mark_gap(segment.msn)
        if self.uploader is not None:
            self.uploader.drop(segment.msn)

    def on_segments_stored(self, through_msn: int, stored_ticks: int) -> None:
        self._announcer.tell_segments_stored(through_msn, stored_ticks)

    def on_recording_stored(self, version: int) -> None:
        self._announcer.tell_recording_stored(version)

    def reconcile_events(self) -> None:
        """After a restart: what the journal knows and the outbox does not is told now."""
        self._announcer.reconcile()

    # ---- for others to read --------------------------------------------------------------------

    def build_status(self, *, viewers_count: int) -> BroadcastStatus:
        publisher, history = self._publisher, self.recorder.history
        warnings = []
        now_s = self.clock.monotonic_s()
        if self.recorder.is_paused:
            warnings.append("recording_paused")
        if self.uploader is not None and self.uploader.is_behind:
            warnings.append("storage_behind")
        if self.recorder.is_disk_low:
            warnings.append("disk_low")
        if self._guard.is_contested(now_s):
            warnings.append("contested")
        return BroadcastStatus(
            broadcast_id=self.broadcast_id,
            state=self.state.value,
            epoch=history.epochs[-1].info.epoch if history.epochs else None,
            viewers=viewers_count + self.fanout.subscriptions_count,
            recorded_s=to_seconds_down(self.recorder.recorded_ticks),
            stored_s=to_seconds_down(self.uploader.stored_ticks if self.uploader else 0),
            has_video=self._has_video,
            has_b_frames=publisher is not None and publisher.meter.has_b_frames,
            is_recording_paused=self.recorder.is_paused,
            health=publisher.meter.report(extra_warnings=tuple(warnings)) if publisher else None,
        )


def _state_of(recorder: Recorder) -> BroadcastState:
    if recorder.history.is_ended:
        return BroadcastState.ENDED
    return BroadcastState.INTERRUPTED if recorder.history.epochs else BroadcastState.IDLE
