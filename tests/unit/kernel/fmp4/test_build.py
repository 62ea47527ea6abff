"""Init segments and fragments as other programs read them."""

from __future__ import annotations

import io

import av
import pytest

from kernel.aac import build_asc
from kernel.errors import BoxError
from kernel.fmp4 import AudioTrack, Sample, TrackRun, VideoTrack, build_fragment, build_init
from tests.unit.streamer.packager.world import read_runs

SPS = bytes.fromhex("6742c00cda05067e7840000003004000000c83c50aa8")
PPS = bytes.fromhex("68ce0fc8")
VIDEO = VideoTrack(1, 90_000, (SPS,), (PPS,), 320, 180)
AUDIO = AudioTrack(2, 44_100, build_asc(sample_rate_hz=44_100, channels_count=2), 44_100, 2)


def packets_of(data: bytes) -> list[tuple[str, int, int, bool, int]]:
    with av.open(io.BytesIO(data)) as container:
        return [
            (packet.stream.type, packet.dts, packet.pts, packet.is_keyframe, packet.size)
            for packet in container.demux()
            if packet.dts is not None
        ]


def test_an_init_names_both_tracks():
    with av.open(io.BytesIO(build_init([VIDEO, AUDIO]))) as container:
        video, audio = container.streams
        assert (video.width, video.height, video.time_base.denominator) == (320, 180, 90_000)
        assert video.codec_context.name == "h264"
        assert (audio.rate, audio.channels, audio.codec_context.name) == (44_100, 2, "aac")
        assert audio.codec_context.extradata == AUDIO.asc


def test_times_flags_and_sizes_are_what_was_written():
    video = TrackRun(
        1, 2**33,
        [Sample(b"\0\0\0\1\x65", 3000, 6000, is_sync=True),
         Sample(bytes(7), 3000, 9000, is_sync=False), Sample(bytes(9), 1500, 3000, is_sync=False)],
    )  # fmt: skip
    audio = TrackRun(2, 777, [Sample(b"ab", 1024), Sample(b"cde", 1024)])
    read = packets_of(build_init([VIDEO, AUDIO]) + build_fragment(1, [video, audio]))
    base = 2**33
    assert [packet[1:] for packet in read if packet[0] == "video"] == [
        (base, base + 6000, True, 5),
        (base + 3000, base + 12_000, False, 7),
        (base + 6000, base + 9000, False, 9),
    ]
    assert [packet[1:] for packet in read if packet[0] == "audio"] == [
        (777, 777, True, 2),
        (777 + 1024, 777 + 1024, True, 3),
    ]


def test_fragments_concatenate():
    samples = [Sample(bytes(3), 3000) for _ in range(5)]
    data = build_init([VIDEO])
    for number in range(3):
        data += build_fragment(number + 1, [TrackRun(1, number * 15_000, samples)])
    assert [packet[1] for packet in packets_of(data)] == [3000 * index for index in range(15)]


@pytest.mark.parametrize(
    "flags",
    [[True], [False], [True, False, False], [True, True], [False, True, True], [True, False, True]],
)
def test_sync_samples_keep_their_flags(flags):
    # FFmpeg's own H.264 parser overrides the flags, so the boxes are read directly.
    samples = [Sample(bytes(3), 3000, -9, is_sync=flag) for flag in flags]
    (run,) = read_runs(build_fragment(1, [TrackRun(1, 0, samples)]))
    assert run.syncs == flags
    assert run.offsets == [-9] * len(flags)


def test_impossible_fragments_and_inits_are_refused():
    with pytest.raises(BoxError, match="at least one sample"):
        build_fragment(1, [TrackRun(1, 0, [])])
    with pytest.raises(BoxError, match="not positive"):
        build_fragment(1, [TrackRun(1, 0, [Sample(b"a", 0)])])
    with pytest.raises(BoxError, match="negative time"):
        build_fragment(1, [TrackRun(1, -1, [Sample(b"a", 1)])])
    with pytest.raises(BoxError, match="distinct"):
        build_init([VIDEO, VIDEO])
