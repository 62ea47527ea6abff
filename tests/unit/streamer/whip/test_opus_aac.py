from __future__ import annotations

import itertools

import av
import pytest

from streamer.media import AudioConfig, AudioUnit, OpusUnit
from streamer.whep.aac_opus import AacToOpus
from streamer.whip.opus_aac import OpusToAac
from tests.support.rtc import encode_opus

START = 900_000


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    return encode_opus(100)


def transcode(units: list[OpusUnit]) -> tuple[OpusToAac, list[AudioUnit]]:
    transcoder = OpusToAac()
    return transcoder, [frame for unit in units for frame in transcoder.transcode(unit)]


def peaks(config: AudioConfig, units: list[AudioUnit]) -> list[float]:
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = config.asc
    found = []
    for unit in units:
        for frame in decoder.decode(av.Packet(unit.data)):
            samples = memoryview(bytes(frame.planes[0])).cast("f")
            found.append(max(*samples, -min(samples)))
    return found


def test_frames_follow_each_other_without_holes(packets: list[bytes]) -> None:
    _, frames = transcode([OpusUnit(START + n * 1800, data) for n, data in enumerate(packets)])
    assert frames[0].pts == START
    assert {b.pts - a.pts for a, b in itertools.pairwise(frames)} == {1920}
    assert 90 <= len(frames) <= 94  # 2 s less what the encoder holds.


def test_a_hole_becomes_silence_of_its_length(packets: list[bytes]) -> None:
    units = [OpusUnit(START + n * 1800, data) for n, data in enumerate(packets)]
    transcoder, frames = transcode(units[:40] + units[75:])
    assert {b.pts - a.pts for a, b in itertools.pairwise(frames)} == {1920}
    assert abs(transcoder.end_ticks - (START + 100 * 1800)) < 1400
    levels = peaks(transcoder.config, frames)
    assert max(levels[10:30]) > 0.2
    assert max(levels[42:66]) < 0.01
    assert max(levels[75:85]) > 0.2


def test_an_overlap_is_cut_and_time_never_steps_back(packets: list[bytes]) -> None:
    units = [OpusUnit(START + n * 1800, data) for n, data in enumerate(packets[:50])]
    again = [OpusUnit(START + (n - 10) * 1800, packets[n]) for n in range(50, 80)]
    transcoder, frames = transcode(units + again)
    assert {b.pts - a.pts for a, b in itertools.pairwise(frames)} == {1920}
    assert abs(transcoder.end_ticks - (START + 70 * 1800)) < 1400


def test_a_very_long_hole_moves_the_anchor(packets: list[bytes]) -> None:
    far = 100 * 90_000
    units = [OpusUnit(START + n * 1800, data) for n, data in enumerate(packets[:20])]
    units += [OpusUnit(START + far + n * 1800, data) for n, data in enumerate(packets[20:40])]
    _, frames = transcode(units)
    pts = [frame.pts for frame in frames]
    assert pts == sorted(set(pts))
    assert pts[-1] > START + far
    assert len(frames) < 60


def test_silence_can_be_ordered_before_any_sound() -> None:
    transcoder = OpusToAac()
    assert transcoder.fill_until(START) == []
    frames = transcoder.fill_until(START + 90_000)
    assert frames[0].pts == START
    assert 44 <= len(frames) <= 47
    assert max(peaks(transcoder.config, frames)) < 0.01


def test_broken_packets_are_counted(packets: list[bytes]) -> None:
    transcoder, _ = transcode([OpusUnit(START, packets[0]), OpusUnit(START + 1800, b"\xff" * 3)])
    assert transcoder.broken_count in {0, 1}
    assert transcoder.transcode(OpusUnit(START + 3600, packets[1])) is not None


def test_aac_becomes_opus_of_twenty_milliseconds(packets: list[bytes]) -> None:
    source, frames = transcode([OpusUnit(START + n * 1800, data) for n, data in enumerate(packets)])
    encoder = AacToOpus()
    units = [unit for frame in frames for unit in encoder.transcode((source.config, frame))]
    assert units[0].pts == frames[0].pts
    assert {b.pts - a.pts for a, b in itertools.pairwise(units)} == {1800}
    assert len(units) > 90
    moved = AudioUnit(frames[-1].pts + 900_000, frames[-1].data)
    later = encoder.transcode((source.config, moved)) + encoder.transcode(
        (source.config, AudioUnit(moved.pts + 1920, moved.data))
    )
    assert later[0].pts >= moved.pts
