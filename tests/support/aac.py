"""Real AAC for tests, made by FFmpeg's encoder."""

from __future__ import annotations

import math
from array import array

import av

from streamer.media import AudioConfig

SAMPLE_RATE_HZ = 48_000


def encode_sine(amplitude: float, frames_count: int) -> tuple[AudioConfig, list[bytes]]:
    """Real AAC of a 440 Hz sine; its RMS is ``amplitude / sqrt(2)``."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE_HZ, "mono", "fltp"
    encoder.bit_rate = 96_000
    encoder.flags |= av.codec.context.Flags.global_header
    frames = []
    for number in range(frames_count):
        wave = array(
            "f",
            (
                amplitude * math.sin(2 * math.pi * 440 * (number * 1024 + sample) / SAMPLE_RATE_HZ)
                for sample in range(1024)
            ),
        )
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.planes[0].update(wave.tobytes())
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, number * 1024
        frames += [bytes(packet) for packet in encoder.encode(frame)]
    return AudioConfig(bytes(encoder.extradata), SAMPLE_RATE_HZ, 1), frames
