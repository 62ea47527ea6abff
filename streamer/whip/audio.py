"""The audio thread of a publisher: Opus packets in from the loop, AAC frames back to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streamer.media import AudioConfig, AudioUnit, OpusUnit
from streamer.rtc.worker import MediaThread
from streamer.whip.opus_aac import OpusToAac

QUEUE_BATCHES: Final = 40  # 3 s of four 20 ms packets each; when full the oldest goes.

SoundWork = OpusUnit | int
"""A packet, or "silence until these ticks"."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What the thread gives back.

    Attributes:
        end_ticks: Time of the sample after the last one taken in.
    """

    config: AudioConfig
    units: list[AudioUnit]
    end_ticks: int


def open_audio_thread(
    on_sound: Callable[[Sound], None],
) -> MediaThread[list[SoundWork], Sound | None]:
    """Build the thread; ``on_sound`` is called on the loop with frames in order."""

    def hand_over(sound: Sound | None) -> None:
        if sound is not None:
            on_sound(sound)

    return MediaThread(
        "whip-audio", build=_build_converter, on_result=hand_over, capacity=QUEUE_BATCHES
    )


def _build_converter() -> Callable[[list[SoundWork]], Sound | None]:
    transcoder = OpusToAac()

    def convert(batch: list[SoundWork]) -> Sound | None:
        units: list[AudioUnit] = []
        for work in batch:
            if isinstance(work, int):
                units += transcoder.fill_until(work)
            else:
                units += transcoder.transcode(work)
        return Sound(transcoder.config, units, transcoder.end_ticks) if units else None

    return convert
