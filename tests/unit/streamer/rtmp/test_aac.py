import pytest

from kernel.errors import BitstreamError
from streamer.rtmp.aac import parse_audio_specific_config
from streamer.rtmp.codecs import UnsupportedCodecError


def _bits(*fields: tuple[int, int]) -> bytes:
    text = "".join(f"{value:0{size}b}" for value, size in fields)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize(
    ("asc", "rate_hz", "channels"),
    [
        (b"\x12\x10", 44_100, 2),
        (b"\x11\x88", 48_000, 1),
        (b"\x12\x08\x56\xe5\x00", 44_100, 1),  # FFmpeg's, with a sync extension.
        (_bits((5, 5), (7, 4), (2, 4), (4, 4), (2, 5), (0, 3)), 22_050, 2),  # HE-AAC.
        (_bits((2, 5), (15, 4), (44_100, 24), (7, 4), (0, 3)), 44_100, 8),
    ],
)
def test_sampling_rate_and_channels_are_the_core_coders(asc, rate_hz, channels):
    config = parse_audio_specific_config(asc)
    assert (config.sample_rate_hz, config.channels_count) == (rate_hz, channels)
    assert config.asc == asc


@pytest.mark.parametrize(
    ("asc", "sentence"),
    [
        (_bits((1, 5), (4, 4), (2, 4), (0, 3)), "object type 1"),
        (_bits((31, 5), (10, 6), (4, 4), (2, 4), (0, 3)), "object type 42"),
        (_bits((2, 5), (4, 4), (2, 4), (1, 1), (0, 2)), "960 samples"),
        (_bits((2, 5), (4, 4), (0, 4), (0, 3)), "channel configuration 0"),
    ],
)
def test_other_kinds_of_aac_are_refused_by_name(asc, sentence):
    with pytest.raises(UnsupportedCodecError, match=sentence):
        parse_audio_specific_config(asc)


@pytest.mark.parametrize(
    "asc",
    [b"", b"\x12", bytes(65), _bits((2, 5), (13, 4), (2, 4), (0, 3)), b"\x17\x80",
     _bits((2, 5), (15, 4), (100, 24), (2, 4), (0, 3))],
)  # fmt: skip
def test_broken_configurations_are_refused(asc):
    with pytest.raises((BitstreamError, UnsupportedCodecError)):
        parse_audio_specific_config(asc)
