"""From packets and decoded windows to the extent of a track in time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from transcode.intake.packets import TrackPackets
from transcode.intake.streams import AudioStream, VideoStream
from transcode.intake.timing import (
    MAX_HELD_SHARE,
    Extent,
    RateFit,
    choose_lecture_rate,
    fit_rate,
    sort_times,
)
from transcode.intake.windows import Window, choose_field_order, comes_in_fields
from transcode.specs import MAX_FRAME_RATE, FieldOrder

MAX_LAST_S: Final = 10  # How long the last picture may say that it stays.


@dataclass(frozen=True, slots=True)
class MeasuredVideo:
    """A picture track in time.

    Attributes:
        ticks: Pictures that decode, in ticks of the track, ascending.
        rate: Of the lecture that is made of it.
        lead_s: What was left out at the start because no keyframe comes before it.
        delay_s: How much later than meant decoders show pictures of a file that has decoding
            times only (AVI with B-frames); ``extent`` has it, sound does not.
    """

    stream: VideoStream
    packets: TrackPackets
    ticks: tuple[int, ...]
    fit: RateFit
    rate: Fraction
    extent: Extent
    field_order: FieldOrder
    lead_s: Fraction
    delay_s: Fraction = Fraction(0)

    @property
    def constant_rate(self) -> Fraction | None:
        """The source's rate where (nearly) every frame of its grid has a picture.

        ``None`` above what a ``DecodeSpec`` names: then pictures are chosen by time alone.
        """
        if self.fit.rate is None or self.fit.rate > MAX_FRAME_RATE:
            return None
        few = self.fit.held_count <= self.fit.frames_count * MAX_HELD_SHARE
        return self.fit.rate if few else None


@dataclass(frozen=True, slots=True)
class MeasuredAudio:
    stream: AudioStream
    packets: TrackPackets
    extent: Extent


def measure_video(
    stream: VideoStream,
    packets: TrackPackets,
    windows: Sequence[Window],
    *,
    is_whole: bool,
    height_px: int,
) -> MeasuredVideo | None:
    """Measure a track; ``None`` when no window showed a picture.

    Args:
        is_whole: The windows hold all pictures there are.
    """
    shown = [time for window in windows for time in window.video_s]
    if not shown or not len(packets):
        return None
    base = stream.time_base
    order = choose_field_order(stream.field_order, height_px, windows)
    if is_whole:
        ticks = sorted({round(time / base) for time in shown})
    else:
        in_s = [tick * base for tick in sorted(packets.pts)]
        is_fields = order != "progressive" and comes_in_fields(in_s, windows)
        ticks = sort_times(packets, is_fields=is_fields)
    first = min(packets.pts)
    if windows[0].video_s and not is_whole:
        ticks = _start_at(ticks, round(windows[0].video_s[0] / base), is_guessed=_guessed(packets))
    late = (ticks[0] - first) * base
    lead, delay = (Fraction(0), late) if _guessed(packets) else (late, Fraction(0))
    fit = fit_rate(ticks, base, nominal=stream.nominal_rate)
    rate = choose_lecture_rate(fit)
    if fit.rate is not None:
        extent = Extent(fit.first_s, fit.first_s + fit.frames_count / fit.rate)
    else:
        last = _last_duration(packets) * base
        stays = last if 0 < last <= MAX_LAST_S else 1 / rate
        extent = Extent(ticks[0] * base, ticks[-1] * base + stays)
    return MeasuredVideo(stream, packets, tuple(ticks), fit, rate, extent, order, lead, delay)


def _guessed(packets: TrackPackets) -> bool:
    return packets.guessed_count > len(packets) // 2


def _start_at(ticks: list[int], shown: int, *, is_guessed: bool) -> list[int]:
    """Begin with the first picture that decodes.

    Where the file has decoding times only, decoders show everything later by their delay.
    """
    if is_guessed:
        return [tick + shown - ticks[0] for tick in ticks]
    if shown <= ticks[0]:
        return ticks
    return [tick for tick in ticks if tick >= shown] or ticks


def _last_duration(packets: TrackPackets) -> int:
    last = max(range(len(packets)), key=lambda number: packets.pts[number])
    return packets.durations[last]


def measure_audio(
    stream: AudioStream, packets: TrackPackets, windows: Sequence[Window], *, is_whole: bool
) -> MeasuredAudio | None:
    """Measure a sound track; ``None`` when no window gave a sample.

    Decoders take away priming: the first decoded frame tells where sound begins.
    """
    heard = [time for window in windows for time in window.audio_s]
    if not heard or not len(packets):
        return None
    base = stream.time_base
    start = min(packets.pts) * base
    if windows[0].audio_s and (is_whole or windows[0].audio_s[0] - start < 1):
        start = windows[0].audio_s[0]
    last = max(range(len(packets)), key=lambda number: packets.pts[number])
    end = (packets.pts[last] + packets.durations[last]) * base
    return MeasuredAudio(stream, packets, Extent(start, max(end, start)))
