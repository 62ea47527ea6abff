"""What vod hears of one broadcast: facts become events in the outbox, each fact once."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kernel.clock import Clock
from kernel.messages import (
    BroadcastEnded,
    EpochEnded,
    EpochStarted,
    RecordingStored,
    SegmentsStored,
)
from streamer.events import Outbox
from streamer.ports import EpochInfo
from streamer.recorder.recorder import Recorder

MAX_REASON_CHARS: Final = 200


class Announcer:
    """Writes a broadcast's events. Never blocks; the outbox delivers them."""

    def __init__(self, recorder: Recorder, outbox: Outbox, clock: Clock) -> None:
        self._recorder = recorder
        self._outbox = outbox
        self._clock = clock

    @property
    def _broadcast_id(self) -> str:
        return self._recorder.history.broadcast_id

    def tell_epoch_started(self, info: EpochInfo, *, at: datetime | None = None) -> None:
        """``at``: when, if not now."""
        moment = at or self._clock.now()
        self._outbox.put(
            lambda event_id: EpochStarted(
                event_id=event_id,
                broadcast_id=self._broadcast_id,
                at=moment,
                epoch=info.epoch,
                protocol="whip" if info.protocol == "whip" else "rtmp",
                width_px=info.width_px,
                height_px=info.height_px,
            )
        )

    def tell_epoch_ended(self, epoch: int, reason: str, *, is_interrupted: bool) -> None:
        self._outbox.put(
            lambda event_id: EpochEnded(
                event_id=event_id,
                broadcast_id=self._broadcast_id,
                at=self._clock.now(),
                epoch=epoch,
                reason=reason[:MAX_REASON_CHARS],
                is_interrupted=is_interrupted,
            )
        )

    def tell_ended(self) -> None:
        """It is over; the event carries the whole index."""
        history = self._recorder.history
        self._outbox.put(
            lambda event_id: BroadcastEnded(
                event_id=event_id,
                broadcast_id=self._broadcast_id,
                at=history.ended_at or self._clock.now(),
                recording_version=history.recording_version,
                index=self._recorder.build_index(),
            )
        )

    def tell_segments_stored(self, through_msn: int, stored_ticks: int) -> None:
        self._outbox.put(
            lambda event_id: SegmentsStored(
                event_id=event_id,
                broadcast_id=self._broadcast_id,
                at=self._clock.now(),
                through_msn=through_msn,
                stored_ticks=stored_ticks,
            )
        )

    def tell_recording_stored(self, version: int) -> None:
        self._outbox.put(
            lambda event_id: RecordingStored(
                event_id=event_id,
                broadcast_id=self._broadcast_id,
                at=self._clock.now(),
                recording_version=version,
            )
        )

    def reconcile(self) -> None:
        """After a restart: what the journal knows and the outbox does not is told now."""
        history, has_told = self._recorder.history, self._outbox.has
        for epoch in history.epochs:
            info = epoch.info
            if info.epoch <= history.told_epoch:
                continue
            if not has_told("epoch_started", info.epoch):
                self.tell_epoch_started(info, at=info.program_date_time)
            if epoch.end_reason is not None and not has_told("epoch_ended", info.epoch):
                self.tell_epoch_ended(
                    info.epoch, epoch.end_reason, is_interrupted=not history.is_ended
                )
        version = history.recording_version
        if version <= history.told_version:
            return
        if history.is_ended and not has_told("broadcast_ended", version):
            self.tell_ended()
        is_told = has_told("recording_stored", version)
        if history.is_kept and not is_told and history.recorded_ticks:
            self.tell_recording_stored(version)
