"""The packager of one broadcast: connections come and go, the timeline runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kernel.clock import Clock
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.ports import EndReason, PackagerSink, ResumePoint


class Packager:
    """Turns units into epochs, parts and segments and hands them to the sinks in order.

    One per broadcast; every method is synchronous and runs on the loop. ``tick`` is called about
    every 100 ms by the owner while a connection is open: it publishes parts when one track stalls.
    """

    def __init__(
        self,
        broadcast_id: str,
        sinks: Sequence[PackagerSink],
        clock: Clock,
        resume: ResumePoint | None = None,
    ) -> None: ...

    @property
    def resume_point(self) -> ResumePoint:
        """Where a successor would go on; valid between epochs."""
        raise NotImplementedError

    @property
    def is_flowing(self) -> bool:
        """An epoch is open: media is being published."""
        raise NotImplementedError

    def open_connection(self, protocol: Literal["rtmp", "whip"]) -> None:
        """A publisher is there; what an older connection left open is closed as TAKEN_OVER."""

    def set_video_config(self, config: VideoConfig) -> None: ...

    def set_audio_config(self, config: AudioConfig) -> None: ...

    def write_video(self, unit: VideoUnit) -> None: ...

    def write_audio(self, unit: AudioUnit) -> None: ...

    def tick(self) -> None:
        """Let time pass without media."""

    def close_connection(self, reason: EndReason) -> None:
        """Publish what is left and end the epoch. Idempotent."""

    def end(self) -> None:
        """The broadcast is over: ``on_end`` after the last segment. Idempotent."""

    def reopen(self) -> None:
        """An ended broadcast goes on: ``on_reopen``. Idempotent."""
