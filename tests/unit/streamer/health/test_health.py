from __future__ import annotations

import math
from collections.abc import AsyncIterator

import pytest

from kernel.blobs.executor import BoundedExecutor
from kernel.clock import FakeClock
from streamer.health import SILENCE_DBFS, HealthMeter
from streamer.media import AudioConfig, AudioUnit, VideoUnit
from tests.support.aac import SAMPLE_RATE_HZ as RATE
from tests.support.aac import encode_sine
from tests.support.waiting import eventually


@pytest.fixture
async def decoder() -> AsyncIterator[BoundedExecutor]:
    executor = BoundedExecutor("level-test", workers=1, max_pending=8)
    yield executor
    await executor.close()


def feed_video(meter: HealthMeter, clock: FakeClock, *, gop: int, frames_count: int) -> None:
    for number in range(frames_count):
        dts = number * 3600
        meter.add_video(VideoUnit(dts, dts, b"x" * 5000, number % gop == 0))
        clock.advance(0.04)


async def test_rates_are_those_of_the_last_five_seconds(decoder: BoundedExecutor) -> None:
    clock = FakeClock()
    meter = HealthMeter("rtmp", "1.2.3.4:5", clock=clock, decoder=decoder)
    feed_video(meter, clock, gop=50, frames_count=500)
    health = meter.report()
    assert health.fps == pytest.approx(25, abs=0.5)
    assert health.video_bps == pytest.approx(25 * 5000 * 8, rel=0.02)
    assert health.gop_s == pytest.approx(2.0)
    assert health.warnings == ("no_audio",)
    clock.advance(6)
    assert meter.report().fps == 0


async def test_a_gop_that_does_not_end_is_reported_while_it_runs(decoder: BoundedExecutor) -> None:
    clock = FakeClock()
    meter = HealthMeter("whip", "p", clock=clock, decoder=decoder)
    feed_video(meter, clock, gop=10_000, frames_count=150)
    health = meter.report(extra_warnings=("disk_low",))
    assert health.gop_s == pytest.approx(5.96)
    assert "gop_too_long" in health.warnings
    assert health.warnings[-1] == "disk_low"


async def test_b_frames_drops_and_thin_video_are_warned_of(decoder: BoundedExecutor) -> None:
    clock = FakeClock()
    meter = HealthMeter("rtmp", "p", clock=clock, decoder=decoder)
    for number in range(150):
        meter.add_video(VideoUnit(number * 3600 + 3600, number * 3600, b"x" * 10, number == 0))
        clock.advance(0.04)
    meter.add_dropped(7)
    health = meter.report()
    assert meter.has_b_frames
    assert health.dropped_count == 7
    assert {"b_frames", "low_bitrate", "unstable_network"} <= set(health.warnings)


@pytest.mark.parametrize("amplitude", [0.5, 0.05])
async def test_the_sound_level_is_that_of_the_signal(
    decoder: BoundedExecutor, amplitude: float
) -> None:
    clock = FakeClock()
    meter = HealthMeter("rtmp", "p", clock=clock, decoder=decoder)
    config, frames = encode_sine(amplitude, 20)
    meter.set_audio_config(config)
    for number, frame in enumerate(frames[5:]):
        meter.add_audio(AudioUnit(number * 1920, frame))
    await eventually(lambda: meter.report().audio_level_dbfs is not None)
    expected = 20 * math.log10(amplitude / math.sqrt(2))
    assert meter.report().audio_level_dbfs == pytest.approx(expected, abs=1.0)
    meter.close()


async def test_long_silence_is_no_audio_although_frames_arrive(decoder: BoundedExecutor) -> None:
    clock = FakeClock()
    meter = HealthMeter("rtmp", "p", clock=clock, decoder=decoder)
    config, frames = encode_sine(0.0, 12)
    meter.set_audio_config(config)
    for number in range(600):
        meter.add_audio(AudioUnit(number * 1920, frames[number % len(frames)]))
        clock.advance(1024 / RATE)
        if number < 20:
            await eventually(lambda: meter._level_task is None)
    health = meter.report()
    assert health.audio_level_dbfs == SILENCE_DBFS
    assert health.audio_bps > 0
    assert "no_audio" in health.warnings
    meter.close()


async def test_broken_audio_costs_only_the_level(decoder: BoundedExecutor) -> None:
    clock = FakeClock()
    meter = HealthMeter("rtmp", "p", clock=clock, decoder=decoder)
    meter.set_audio_config(AudioConfig(b"\x11\x90", RATE, 2))
    for number in range(3):
        meter.add_audio(AudioUnit(number, b"\xff" * 7))
    await eventually(lambda: meter._level_task is None)
    assert meter.report().audio_level_dbfs is None
