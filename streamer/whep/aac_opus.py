"""AAC in, Opus out, for viewers of RTMP sources: once per broadcast. Blocking: in a thread."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext

from kernel.timing import TICKS_PER_S
from streamer.media import AudioConfig, AudioUnit, OpusUnit

RATE_HZ: Final = 48_000
FRAME_SAMPLES: Final = 960  # 20 ms, what every WebRTC client expects.
FRAME_TICKS: Final = FRAME_SAMPLES * TICKS_PER_S // RATE_HZ
BITRATE_BPS: Final = 96_000
MAX_DRIFT_TICKS: Final = TICKS_PER_S // 10

AacWork = tuple[AudioConfig, AudioUnit]


class AacToOpus:
    """One broadcast's sound. Used by one thread only."""

    def __init__(self) -> None:
        self._config: AudioConfig | None = None
        self._decoder: AudioCodecContext | None = None
        self._resampler = _build_resampler()
        self._encoder = _open_encoder()
        self._fifo = av.AudioFifo()
        self._next_ticks: int | None = None
        self._fed_samples = 0
        self.broken_count = 0

    def transcode(self, work: AacWork) -> list[OpusUnit]:
        """Return the Opus packets that one AAC frame completes."""
        config, unit = work
        if config != self._config or self._decoder is None:
            self._open(config)
        assert self._decoder is not None  # noqa: S101 - opened above
        try:
            decoded = self._decoder.decode(av.Packet(unit.data))
        except av.FFmpegError:
            self.broken_count += 1
            return []
        units: list[OpusUnit] = []
        for frame in decoded:
            frame.pts = None
            for pcm in self._resampler.resample(frame):
                self._keep_time(unit.pts)
                pcm.pts = None
                self._fifo.write(pcm)
                units += self._encode()
        return units

    def _open(self, config: AudioConfig) -> None:
        decoder = av.CodecContext.create("aac", "r")
        assert isinstance(decoder, AudioCodecContext)  # noqa: S101 - aac is an audio codec
        decoder.extradata = config.asc
        decoder.sample_rate = config.sample_rate_hz
        self._decoder, self._config = decoder, config
        self._resampler = _build_resampler()
        self._fifo = av.AudioFifo()
        self._next_ticks = None

    def _keep_time(self, pts: int) -> None:
        """Start over at ``pts`` when the counted time has left it: a gap or a new publisher."""
        waiting = self._fifo.samples * TICKS_PER_S // RATE_HZ
        if self._next_ticks is None or abs(self._next_ticks + waiting - pts) > MAX_DRIFT_TICKS:
            self._fifo = av.AudioFifo()
            self._next_ticks = pts

    def _encode(self) -> list[OpusUnit]:
        units = []
        while (frame := self._fifo.read(FRAME_SAMPLES)) is not None:
            frame.pts = self._fed_samples
            frame.time_base = Fraction(1, RATE_HZ)
            self._fed_samples += FRAME_SAMPLES
            assert self._next_ticks is not None  # noqa: S101 - set before anything is written
            pts = self._next_ticks
            units += [OpusUnit(pts=pts, data=bytes(item)) for item in self._encoder.encode(frame)]
            self._next_ticks += FRAME_TICKS
        return units


def _build_resampler() -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="stereo", rate=RATE_HZ)


def _open_encoder() -> AudioCodecContext:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)  # noqa: S101 - libopus is an audio codec
    encoder.sample_rate = RATE_HZ
    encoder.layout = "stereo"
    encoder.format = av.AudioFormat("s16")
    encoder.bit_rate = BITRATE_BPS
    encoder.time_base = Fraction(1, RATE_HZ)
    encoder.open()
    return encoder
