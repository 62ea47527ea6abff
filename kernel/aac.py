"""AAC's AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1). Pure.

Any bytes give a value or ``BitstreamError``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.bits import BitReader, BitWriter
from kernel.errors import BitstreamError

SAMPLES_PER_FRAME: Final = 1024
SAMPLE_RATES_HZ: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000,
    22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip  # Table 1.18, samplingFrequencyIndex.
_ESCAPE_INDEX: Final = 15
_ESCAPE_TYPE: Final = 31
_MIN_RATE_HZ, _MAX_RATE_HZ = 7_350, 96_000
CHANNELS_BY_CONFIGURATION: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8}  # Table 1.19.
_CONFIGURATIONS: Final = {count: index for index, count in CHANNELS_BY_CONFIGURATION.items()}
AOT_LC: Final = 2
AOT_SBR: Final = 5
AOT_PS: Final = 29
_GENERAL_AUDIO: Final = frozenset({1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23})


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """What a decoder must know.

    Attributes:
        object_type: Of the whole stream: 2 LC, 5 HE-AAC (SBR), 29 HE-AAC v2 (PS).
        core_object_type: Of the core coder below SBR and PS; the same without them.
        sample_rate_hz: Of the core coder; a frame is 1024 of its samples.
        channels_count: Of the core coder, 1-8.
        samples_per_frame: 1024, or 960 (DAB, which no browser plays).
    """

    object_type: int
    core_object_type: int
    sample_rate_hz: int
    channels_count: int
    samples_per_frame: int = SAMPLES_PER_FRAME

    @property
    def codec(self) -> str:
        """RFC 6381 string ``mp4a.40.N``."""
        return f"mp4a.40.{self.object_type}"


def parse_asc(data: bytes) -> AudioSpecificConfig:
    """Parse an AudioSpecificConfig of the general audio family.

    Raises:
        BitstreamError: Cut short, another kind of audio, or values out of range.
    """
    if len(data) > 64:  # noqa: PLR2004 - a config with a program config element is < 40 bytes.
        raise BitstreamError(f"an AudioSpecificConfig of {len(data)} bytes, limit 64")
    bits = BitReader(data)
    object_type = core = read_object_type(bits)
    rate = read_rate(bits)
    configuration = bits.read(4)
    if object_type in {AOT_SBR, AOT_PS}:
        read_rate(bits)  # Output rate, twice the core's.
        core = read_object_type(bits)
    if core not in _GENERAL_AUDIO:
        raise BitstreamError(f"audio object type {core} is not AAC")
    is_short = bits.flag()
    if bits.flag():  # dependsOnCoreCoder
        bits.read(14)
    bits.flag()  # extensionFlag
    if configuration == 0:
        channels = _read_program_channels(bits)
    elif configuration in CHANNELS_BY_CONFIGURATION:
        channels = CHANNELS_BY_CONFIGURATION[configuration]
    else:
        raise BitstreamError(f"channel configuration {configuration} is reserved")
    return AudioSpecificConfig(
        object_type=object_type,
        core_object_type=core,
        sample_rate_hz=rate,
        channels_count=channels,
        samples_per_frame=960 if is_short else SAMPLES_PER_FRAME,
    )


def build_asc(*, sample_rate_hz: int, channels_count: int, object_type: int = AOT_LC) -> bytes:
    """Build the config of plain AAC (no SBR, no PS).

    Raises:
        BitstreamError: A channel count without a configuration, or a rate out of range.
    """
    if channels_count not in _CONFIGURATIONS:
        raise BitstreamError(f"{channels_count} channels have no AAC configuration")
    if not _MIN_RATE_HZ <= sample_rate_hz <= _MAX_RATE_HZ:
        raise BitstreamError(f"{sample_rate_hz} Hz is outside {_MIN_RATE_HZ}-{_MAX_RATE_HZ}")
    bits = BitWriter()
    bits.write(object_type, 5)
    if sample_rate_hz in SAMPLE_RATES_HZ:
        bits.write(SAMPLE_RATES_HZ.index(sample_rate_hz), 4)
    else:
        bits.write(_ESCAPE_INDEX, 4)
        bits.write(sample_rate_hz, 24)
    bits.write(_CONFIGURATIONS[channels_count], 4)
    bits.write(0, 3)  # 1024 samples, no core coder, no extension.
    return bits.to_bytes()


def read_object_type(bits: BitReader) -> int:
    """Read a GetAudioObjectType() (§1.6.2.1)."""
    value = bits.read(5)
    return 32 + bits.read(6) if value == _ESCAPE_TYPE else value


def read_rate(bits: BitReader) -> int:
    """Read a samplingFrequencyIndex or the frequency behind the escape, Hz.

    Raises:
        BitstreamError: Reserved, or outside 7350-96000 Hz.
    """
    index = bits.read(4)
    if index == _ESCAPE_INDEX:
        rate = bits.read(24)
    elif index < len(SAMPLE_RATES_HZ):
        rate = SAMPLE_RATES_HZ[index]
    else:
        raise BitstreamError(f"sampling frequency index {index} is reserved")
    if not _MIN_RATE_HZ <= rate <= _MAX_RATE_HZ:
        raise BitstreamError(f"{rate} Hz is outside {_MIN_RATE_HZ}-{_MAX_RATE_HZ}")
    return rate


def _read_program_channels(bits: BitReader) -> int:
    """Count the channels of a program_config_element (§4.4.1.1)."""
    bits.read(4 + 2 + 4)  # element_instance_tag, object_type, sampling_frequency_index
    counts = [bits.read(width) for width in (4, 4, 4, 2, 3, 4)]
    for width in (4, 4, 3):  # mono, stereo and matrix mix-down
        if bits.flag():
            bits.read(width)
    channels = counts[3]  # LFE elements carry one channel each.
    for _ in range(sum(counts[:3])):
        channels += 2 if bits.flag() else 1
        bits.read(4)
    if not 1 <= channels <= 8:  # noqa: PLR2004 - what AudioConfig and players allow.
        raise BitstreamError(f"a program of {channels} channels, limit 8")
    return channels
