"""Opus in, AAC-LC out: 48 kHz stereo, 96 kbit/s, 1024 samples a frame, on the given clock.

Blocking: runs in the publisher's audio thread. Samples are counted, never time stamps added up:
the output has no holes and never steps back. A hole in the input (DTX, mute, loss) becomes
silence, an overlap is cut away.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
import structlog
from av.audio.codeccontext import AudioCodecContext

from kernel.timing import TICKS_PER_S, rescale
from streamer.media import AudioConfig, AudioUnit, OpusUnit

RATE_HZ: Final = 48_000
CHANNELS_COUNT: Final = 2
FRAME_SAMPLES: Final = 1024
BITRATE_BPS: Final = 96_000
TOLERANCE_SAMPLES: Final = 720  # 15 ms: less than the shortest usual Opus packet (20 ms).
MAX_FILL_SAMPLES: Final = 30 * RATE_HZ  # A longer hole moves the anchor instead.
_CLOCK: Final = Fraction(1, RATE_HZ)

log = structlog.get_logger(__name__)


class OpusToAac:
    """One publisher's sound. Not thread-safe: used by one thread only.

    Attributes:
        config: AudioSpecificConfig of the output.
    """

    def __init__(self) -> None:
        self._decoder = _open_decoder()
        self._encoder = _open_encoder()
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
        self._fifo = av.AudioFifo()
        self._anchor_ticks = 0
        self._is_anchored = False
        self._written_samples = 0  # Since the anchor, into the fifo.
        self._encoded_samples = 0  # Since the encoder was opened.
        self._anchor_sample = 0  # Encoder sample number of the anchor.
        self.broken_count = 0
        self.config = AudioConfig(
            asc=bytes(self._encoder.extradata or b""),
            sample_rate_hz=RATE_HZ,
            channels_count=CHANNELS_COUNT,
        )

    @property
    def end_ticks(self) -> int:
        """Time of the sample after the last one taken in."""
        return self._anchor_ticks + rescale(
            self._written_samples, from_hz=RATE_HZ, to_hz=TICKS_PER_S
        )

    def transcode(self, packet: OpusUnit) -> list[AudioUnit]:
        """Decode one packet, keep its place in time, return the frames that became full."""
        try:
            decoded = self._decoder.decode(av.Packet(packet.data))
        except av.FFmpegError:
            self.broken_count += 1
            return []
        units: list[AudioUnit] = []
        pts = packet.pts
        for frame in decoded:
            for pcm in self._resampler.resample(frame):
                samples_count = pcm.samples
                units += self._place(pcm, pts)
                pts += rescale(samples_count, from_hz=RATE_HZ, to_hz=TICKS_PER_S)
        return units

    def fill_until(self, pts: int) -> list[AudioUnit]:
        """Write silence up to ``pts`` when nothing came; does nothing before the first sound."""
        if not self._is_anchored:
            self._anchor(pts)
            return []
        behind = rescale(pts - self.end_ticks, from_hz=TICKS_PER_S, to_hz=RATE_HZ)
        return self._write_silence(behind) if behind > 0 else []

    def _place(self, pcm: av.AudioFrame, pts: int) -> list[AudioUnit]:
        if not self._is_anchored:
            self._anchor(pts)
        units: list[AudioUnit] = []
        ahead = rescale(pts - self.end_ticks, from_hz=TICKS_PER_S, to_hz=RATE_HZ)
        if ahead > TOLERANCE_SAMPLES:
            units += self._write_silence(ahead)
        elif ahead < -TOLERANCE_SAMPLES:
            kept = _cut_front(pcm, -ahead)
            if kept is None:
                return units
            pcm = kept
        self._write(pcm)
        return units + self._encode()

    def _anchor(self, pts: int) -> None:
        self._anchor_ticks = pts
        self._anchor_sample = self._encoded_samples + self._fifo.samples
        self._written_samples = 0
        self._is_anchored = True

    def _write_silence(self, samples_count: int) -> list[AudioUnit]:
        if samples_count > MAX_FILL_SAMPLES:
            log.info("audio_gap_too_long", gap_s=samples_count // RATE_HZ)
            self._pad_fifo()
            units = self._encode()
            self._anchor(
                self.end_ticks + rescale(samples_count, from_hz=RATE_HZ, to_hz=TICKS_PER_S)
            )
            return units
        units = []
        while samples_count > 0:
            count = min(samples_count, RATE_HZ)
            self._write(_build_silence(count))
            units += self._encode()
            samples_count -= count
        return units

    def _pad_fifo(self) -> None:
        missing = -self._fifo.samples % FRAME_SAMPLES
        if missing:
            self._write(_build_silence(missing))

    def _write(self, pcm: av.AudioFrame) -> None:
        pcm.pts = None
        self._fifo.write(pcm)
        self._written_samples += pcm.samples

    def _encode(self) -> list[AudioUnit]:
        units = []
        while (frame := self._fifo.read(FRAME_SAMPLES)) is not None:
            frame.pts = self._encoded_samples
            frame.time_base = _CLOCK
            self._encoded_samples += FRAME_SAMPLES
            for packet in self._encoder.encode(frame):
                unit = self._stamp(packet)
                if unit is not None:
                    units.append(unit)
        return units

    def _stamp(self, packet: av.Packet[Any]) -> AudioUnit | None:
        """Place a frame where its sound is heard.

        The encoder numbers a packet 1024 samples (its priming) before the samples it was fed, so
        that a decoder that drops nothing plays in time. The pure priming packet is not passed on.
        """
        if packet.pts is None or packet.pts < 0:
            return None
        since = packet.pts - self._anchor_sample
        return AudioUnit(
            pts=self._anchor_ticks + rescale(since, from_hz=RATE_HZ, to_hz=TICKS_PER_S),
            data=bytes(packet),
        )


def _open_decoder() -> AudioCodecContext:
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, AudioCodecContext)  # noqa: S101 - libopus is an audio codec
    decoder.sample_rate = RATE_HZ
    decoder.layout = "stereo"
    return decoder


def _open_encoder() -> AudioCodecContext:
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, AudioCodecContext)  # noqa: S101 - aac is an audio codec
    encoder.sample_rate = RATE_HZ
    encoder.layout = "stereo"
    encoder.format = av.AudioFormat("fltp")
    encoder.bit_rate = BITRATE_BPS
    encoder.time_base = _CLOCK
    # Speech: 0.5 % of a core; "twoloop" takes 1.5 %. Joint stereo makes "fast" search for a long
    # time when both channels carry one voice, which is what a microphone sends.
    encoder.options = {"aac_coder": "fast", "aac_ms": "0"}
    encoder.open()
    return encoder


def _build_silence(samples_count: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="fltp", layout="stereo", samples=samples_count)
    frame.sample_rate = RATE_HZ
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame


def _cut_front(pcm: av.AudioFrame, samples_count: int) -> av.AudioFrame | None:
    """Drop the first ``samples_count`` samples; ``None`` when nothing is left."""
    if samples_count >= pcm.samples:
        return None
    fifo = av.AudioFifo()
    pcm.pts = None
    fifo.write(pcm)
    fifo.read(samples_count)
    return fifo.read(0, partial=True)
