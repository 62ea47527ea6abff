"""The live multivariant playlist, from what was measured. Pure."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Final

from kernel.hls import MultivariantPlaylist, Variant, render_multivariant_playlist
from kernel.layout import RENDITIONS, Rendition
from kernel.timing import TICKS_PER_S
from streamer.ports import EpochInfo, SegmentInfo

_RECENT_COUNT: Final = 60  # Segments the peak is taken from: about 2 min.
_GUESS_BPS: Final[dict[Rendition, int]] = {"av": 3_000_000, "audio": 160_000}  # Until measured.
_MIN_BPS: Final = 1_000


class Rates:
    """Measured bit rates per rendition: peak segment of the last 2 min, and average."""

    def __init__(self) -> None:
        self._recent: deque[SegmentInfo] = deque(maxlen=_RECENT_COUNT)
        self._sizes: dict[Rendition, int] = dict.fromkeys(RENDITIONS, 0)
        self._ticks = 0

    def add(self, segment: SegmentInfo) -> None:
        """Take a closed segment into account; gaps say nothing."""
        if segment.is_gap:
            return
        self._recent.append(segment)
        self._ticks += segment.duration_ticks
        for rendition in RENDITIONS:
            self._sizes[rendition] += segment.sizes[rendition]

    def average_bps(self, rendition: Rendition) -> int | None:
        if not self._ticks:
            return None
        return max(_MIN_BPS, self._sizes[rendition] * 8 * TICKS_PER_S // self._ticks)

    def peak_bps(self, rendition: Rendition) -> int:
        """Highest rate of a recent segment of >= 0.5 s; a guess before there is one."""
        rates = [
            segment.sizes[rendition] * 8 * TICKS_PER_S // segment.duration_ticks
            for segment in self._recent
            if segment.duration_ticks >= TICKS_PER_S // 2
        ]
        average = self.average_bps(rendition)
        return max(rates, default=_GUESS_BPS[rendition] if average is None else average) or _MIN_BPS


def render_multivariant(epochs: list[EpochInfo], rates: Rates) -> bytes:
    """Render it for the epochs that are listed.

    The variant with pictures is muxed, so it needs no AUDIO group; without pictures there is only
    the sound. CODECS names every format of the class, RESOLUTION the largest picture.
    """
    variants: list[Variant] = []
    pictures = [epoch for epoch in epochs if epoch.video_codec is not None]
    sounds = _distinct([epoch.audio_codec for epoch in epochs])
    if pictures:
        largest = max(pictures, key=lambda epoch: (epoch.width_px or 0) * (epoch.height_px or 0))
        frame_rates = [epoch.frame_rate for epoch in pictures if epoch.frame_rate]
        codecs = _distinct([epoch.video_codec or "" for epoch in pictures])
        variants.append(
            Variant(
                uri="av.m3u8",
                bandwidth_bps=rates.peak_bps("av"),
                average_bandwidth_bps=rates.average_bps("av"),
                codecs=(*codecs, *sounds),
                width_px=largest.width_px,
                height_px=largest.height_px,
                frame_rate=Fraction(max(frame_rates)).limit_denominator(1001)
                if frame_rates
                else None,
            )
        )
    variants.append(
        Variant(
            uri="audio.m3u8",
            bandwidth_bps=rates.peak_bps("audio"),
            average_bandwidth_bps=rates.average_bps("audio"),
            codecs=sounds,
        )
    )
    return render_multivariant_playlist(MultivariantPlaylist(variants=tuple(variants))).encode()


def _distinct(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
