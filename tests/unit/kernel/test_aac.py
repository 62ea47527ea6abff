"""AudioSpecificConfig."""

from __future__ import annotations

import pytest

from kernel.aac import SAMPLE_RATES_HZ, build_asc, parse_asc
from kernel.errors import BitstreamError


@pytest.mark.parametrize("rate", [*SAMPLE_RATES_HZ, 37_800])
@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_round_trip(rate, channels):
    config = parse_asc(build_asc(sample_rate_hz=rate, channels_count=channels))
    assert (config.sample_rate_hz, config.channels_count) == (rate, channels)
    assert config.codec == "mp4a.40.2"
    assert config.samples_per_frame == 1024


def test_well_known_configs():
    assert build_asc(sample_rate_hz=44_100, channels_count=2) == b"\x12\x10"
    # HE-AAC, explicit: core 24 kHz stereo, output 48 kHz.
    config = parse_asc(bytes.fromhex("2b118800"))
    assert (config.object_type, config.core_object_type) == (5, 2)
    assert (config.sample_rate_hz, config.codec) == (24_000, "mp4a.40.5")


@pytest.mark.parametrize("data", ["", "12", "f8", "6fff", "1240", "ffffffffffff"])
def test_what_is_no_aac_is_refused(data):
    with pytest.raises(BitstreamError):
        parse_asc(bytes.fromhex(data))


def test_impossible_configs_are_not_built():
    with pytest.raises(BitstreamError, match="7 channels"):
        build_asc(sample_rate_hz=48_000, channels_count=7)
