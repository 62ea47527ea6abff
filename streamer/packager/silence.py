"""Silent AAC frames, encoded once per sample rate and channel count."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import av
import av.error

from kernel.aac import SAMPLES_PER_FRAME, build_asc
from kernel.errors import EncodeError
from streamer.media import AudioConfig

_LAYOUTS: Final = {
    1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1(wide)",
}  # fmt: skip  # AAC channel configurations 1-7 as FFmpeg calls them.
_WARM_UP_COUNT: Final = 4  # The first frames carry the encoder's priming; a later one is steady.

SILENT_CONFIG: Final = AudioConfig(
    asc=build_asc(sample_rate_hz=48_000, channels_count=2), sample_rate_hz=48_000, channels_count=2
)
"""What a source without sound gets: AAC-LC, 48 kHz, stereo."""


@lru_cache(maxsize=64)
def encode_silent_frame(sample_rate_hz: int, channels_count: int) -> bytes:
    """Encode one AAC frame of silence that decodes anywhere in a run of frames.

    Raises:
        EncodeError: FFmpeg's encoder refuses the combination.

    Cost: a few milliseconds at the first call for a combination.
    """
    if channels_count not in _LAYOUTS:
        raise EncodeError(f"no AAC layout has {channels_count} channels", permanent=True)
    layout = _LAYOUTS[channels_count]
    try:
        encoder = av.CodecContext.create("aac", "w")
        encoder.sample_rate = sample_rate_hz
        encoder.layout = layout
        encoder.format = "fltp"
        packets: list[bytes] = []
        for index in range(_WARM_UP_COUNT + 4):
            frame = av.AudioFrame(format="fltp", layout=layout, samples=SAMPLES_PER_FRAME)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate = sample_rate_hz
            frame.pts = index * SAMPLES_PER_FRAME
            packets += [bytes(packet) for packet in encoder.encode(frame)]
            if len(packets) > _WARM_UP_COUNT:
                return packets[_WARM_UP_COUNT]
    except (av.error.FFmpegError, ValueError) as error:
        raise EncodeError(
            f"silence at {sample_rate_hz} Hz, {layout}: {error}", permanent=True
        ) from error
    raise EncodeError(f"the AAC encoder kept silent about {sample_rate_hz} Hz", permanent=True)
