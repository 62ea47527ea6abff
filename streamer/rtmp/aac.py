"""AudioSpecificConfig (ISO 14496-3 §1.6.2.1) to ``AudioConfig``. Pure.

Refused: everything but AAC-LC with or without SBR and PS, 960-sample frames, channel layouts that
are written out as a program config element.
"""

from __future__ import annotations

from typing import Final

from kernel.aac import (
    AOT_LC,
    AOT_PS,
    AOT_SBR,
    CHANNELS_BY_CONFIGURATION,
    read_object_type,
    read_rate,
)
from kernel.bits import BitReader
from kernel.errors import BitstreamError
from streamer.media import AudioConfig
from streamer.rtmp.codecs import UnsupportedCodecError

_ASC_BYTES: Final = range(2, 65)  # An ASC of LC has 2 bytes, with SBR 4-7; `esds` holds it whole.


def parse_audio_specific_config(data: bytes) -> AudioConfig:
    """Read what the packager has to know; the bytes themselves go into ``esds`` unchanged.

    Raises:
        UnsupportedCodecError: A kind of AAC that we do not carry.
        BitstreamError: Truncated or reserved values.
    """
    if len(data) not in _ASC_BYTES:
        raise BitstreamError(f"an AudioSpecificConfig of {len(data)} bytes")
    bits = BitReader(data)
    kind = read_object_type(bits)
    rate_hz = read_rate(bits)
    channel_configuration = bits.read(4)
    if kind in {AOT_SBR, AOT_PS}:
        read_rate(bits)  # Of the extension; the core coder's is what frames count in.
        kind = read_object_type(bits)
    if kind != AOT_LC:
        raise UnsupportedCodecError(f"AAC object type {kind}", advice="set the encoder to AAC-LC")
    if bits.flag():
        raise UnsupportedCodecError("AAC with 960 samples a frame", advice="use 1024")
    channels_count = CHANNELS_BY_CONFIGURATION.get(channel_configuration)
    if channels_count is None:
        raise UnsupportedCodecError(
            f"AAC channel configuration {channel_configuration}", advice="use mono or stereo"
        )
    return AudioConfig(asc=data, sample_rate_hz=rate_hz, channels_count=channels_count)
