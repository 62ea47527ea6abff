import pytest

from kernel.errors import BitstreamError
from streamer.media import VideoConfig
from streamer.rtmp.avc import AvcTrack
from tests.support.rtmp_client import AVCC, PPS, SPS, lengths

AUD, SEI, IDR, SLICE = b"\x09\xf0", b"\x06\x05\x01\x00\x80", b"\x65idr", b"\x41slice"
OTHER_SPS = SPS[:3] + b"\x1f" + SPS[4:]
PPS_1 = b"\x68\x48\x83\xcb\x20"  # The same kind of set under id 1 (ue 010).


def _configured(avcc: bytes = AVCC) -> AvcTrack:
    track = AvcTrack()
    track.set_decoder_configuration(memoryview(avcc))
    return track


def test_avcc_gives_the_parameter_sets():
    assert _configured().config == VideoConfig(sps=(SPS,), pps=(PPS,))


def test_the_same_avcc_again_is_no_change():
    track = _configured()
    assert not track.set_decoder_configuration(memoryview(AVCC))
    assert track.set_decoder_configuration(memoryview(AVCC.replace(SPS, OTHER_SPS)))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_lengths_of_any_size_become_four_bytes(size):
    track = _configured(AVCC[:4] + bytes([0xFC | size - 1]) + AVCC[5:])
    unit = track.normalise(memoryview(lengths(SEI, IDR, size=size)))
    assert unit == (lengths(SEI, IDR), True, False)


def test_delimiters_filler_and_parameter_sets_are_left_out():
    data = lengths(AUD, SPS, PPS, SEI, IDR, b"\x0c\xff\xff", b"\x0a")
    assert _configured().normalise(memoryview(data)) == (lengths(SEI, IDR), True, False)


def test_only_an_idr_slice_is_an_idr():
    track = _configured()
    assert track.normalise(memoryview(lengths(SLICE))) == (lengths(SLICE), False, False)
    assert track.normalise(memoryview(lengths(SLICE, IDR)))[1]


def test_new_parameter_sets_in_the_stream_are_a_new_configuration():
    track = _configured()
    assert track.normalise(memoryview(lengths(OTHER_SPS, PPS, IDR)))[2]
    assert track.config == VideoConfig(sps=(OTHER_SPS,), pps=(PPS,))
    assert not track.normalise(memoryview(lengths(OTHER_SPS, PPS, IDR)))[2]


def test_a_set_under_another_id_joins_the_known_ones():
    track = _configured()
    track.normalise(memoryview(lengths(PPS_1, IDR)))
    assert track.config == VideoConfig(sps=(SPS,), pps=(PPS, PPS_1))
    # Repeating one of two is no change.
    assert not track.normalise(memoryview(lengths(SPS, PPS, IDR)))[2]


def test_parameter_sets_only_in_the_stream_are_enough():
    track = AvcTrack()
    assert track.normalise(memoryview(lengths(SPS, PPS, IDR))) == (lengths(IDR), True, True)


def test_units_without_a_slice_are_no_picture():
    assert _configured().normalise(memoryview(lengths(AUD, SEI))) == (b"", False, False)


def test_empty_nal_units_are_left_out():
    assert _configured().normalise(memoryview(lengths(b"", IDR, b"")))[0] == lengths(IDR)


@pytest.mark.parametrize(
    "data",
    [
        lengths(IDR)[:-1],
        b"\xff\xff\xff\xff\x65",
        lengths(IDR) + b"\x00\x00",
        b"\x00\x00\x00\x01\x65x",
    ],
)
def test_lying_lengths_are_refused(data):
    with pytest.raises(BitstreamError, match="runs past the end"):
        _configured().normalise(memoryview(data))


@pytest.mark.parametrize(
    "avcc",
    [
        b"",
        b"\x00" + AVCC[1:],
        AVCC[:-1],
        AVCC[:5] + b"\xe0\x00",
        AVCC.replace(SPS, PPS.ljust(len(SPS))),
        AVCC[:5] + b"\xe1\xff\xff" + SPS,
    ],
)
def test_a_broken_avcc_leaves_the_old_configuration(avcc):
    track = _configured()
    before = track.config
    with pytest.raises(BitstreamError):
        track.set_decoder_configuration(memoryview(avcc))
    assert track.config == before


@pytest.mark.parametrize(
    "nal", [b"\x67\x42\x00\x0c", b"\x68", b"\x68\x00\x00", b"\x67" + bytes(5000)]
)
def test_truncated_or_giant_parameter_sets_are_refused(nal):
    with pytest.raises(BitstreamError, match="parameter set"):
        _configured().normalise(memoryview(lengths(nal, IDR)))
