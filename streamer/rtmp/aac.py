"""AudioSpecificConfig (ISO 14496-3 §1.6.2.1) to ``AudioConfig``. Pure.

Refused: everything but AAC-LC with or without SBR and PS, 960-sample frames, channel layouts that
are written out as a program config element.
"""

from __future__ import annotations

from typing import Final

from kernel.errors import BitstreamError
from streamer.media import AudioConfig
from streamer.rtmp.codecs import UnsupportedCodecError

_ASC_BYTES: Final = range(2, 65)  # An ASC of LC has 2 bytes, with SBR 4-7; `esds` holds it whole.
_SAMPLE_RATES_HZ: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip
_CHANNELS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8}
_LC: Final = 2
_SBR: Final = 5
_PS: Final = 29
_ESCAPE_TYPE: Final = 31
_ESCAPE_RATE: Final = 15


class _Bits:
    """Most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise BitstreamError("the AudioSpecificConfig is truncated")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def take_object_type(self) -> int:
        kind = self.take(5)
        return 32 + self.take(6) if kind == _ESCAPE_TYPE else kind

    def take_sample_rate_hz(self) -> int:
        index = self.take(4)
        if index == _ESCAPE_RATE:
            return self.take(24)
        if index >= len(_SAMPLE_RATES_HZ):
            raise BitstreamError(f"AAC sampling frequency index {index} is reserved")
        return _SAMPLE_RATES_HZ[index]


def parse_audio_specific_config(data: bytes) -> AudioConfig:
    """Read what the packager has to know; the bytes themselves go into ``esds`` unchanged.

    Raises:
        UnsupportedCodecError: A kind of AAC that we do not carry.
        BitstreamError: Truncated or reserved values.
    """
    if len(data) not in _ASC_BYTES:
        raise BitstreamError(f"an AudioSpecificConfig of {len(data)} bytes")
    bits = _Bits(data)
    kind = bits.take_object_type()
    rate_hz = bits.take_sample_rate_hz()
    channel_configuration = bits.take(4)
    if kind in {_SBR, _PS}:
        bits.take_sample_rate_hz()  # Of the extension; the core coder's is what frames count in.
        kind = bits.take_object_type()
    if kind != _LC:
        raise UnsupportedCodecError(f"AAC object type {kind}", advice="set the encoder to AAC-LC")
    if bits.take(1):
        raise UnsupportedCodecError("AAC with 960 samples a frame", advice="use 1024")
    channels_count = _CHANNELS.get(channel_configuration)
    if channels_count is None:
        raise UnsupportedCodecError(
            f"AAC channel configuration {channel_configuration}", advice="use mono or stereo"
        )
    if not _SAMPLE_RATES_HZ[-1] <= rate_hz <= _SAMPLE_RATES_HZ[0]:
        raise BitstreamError(f"an AAC sampling rate of {rate_hz} Hz")
    return AudioConfig(asc=data, sample_rate_hz=rate_hz, channels_count=channels_count)
