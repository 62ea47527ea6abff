from __future__ import annotations

import asyncio

from streamer.broadcast.fanout import (
    MAX_GOP_UNITS,
    MAX_QUEUED,
    Fanout,
    PublisherChanged,
    Subscription,
)
from streamer.media import AudioConfig, OpusUnit, VideoConfig, VideoUnit

VIDEO = VideoConfig((b"sps",), (b"pps",))
AUDIO = AudioConfig(b"\x11\x90", 48_000, 2)


def video(number: int, *, is_idr: bool = False) -> VideoUnit:
    return VideoUnit(number * 3600, number * 3600, b"%d" % number, is_idr)


async def take(subscription: Subscription, count: int) -> list[object]:
    async with asyncio.timeout(1):
        return [await anext(subscription) for _ in range(count)]


async def test_a_late_joiner_starts_with_the_configurations_and_the_running_gop() -> None:
    fanout = Fanout(lambda: None)
    fanout.set_video_config(VIDEO)
    fanout.set_audio_config(AUDIO)
    fanout.write(video(0, is_idr=True))
    fanout.write(video(1))
    fanout.write(video(2, is_idr=True))
    sound = OpusUnit(5, b"o")
    fanout.write(sound)
    fanout.write(video(3))
    subscription = fanout.subscribe()
    fanout.write(video(4))
    expected = [VIDEO, AUDIO, video(2, is_idr=True), sound, video(3), video(4)]
    assert await take(subscription, 6) == expected


async def test_without_an_idr_video_waits_and_one_is_asked_for() -> None:
    asked = []
    fanout = Fanout(lambda: asked.append(1))
    subscription = fanout.subscribe()
    assert asked == [1]
    fanout.write(video(0))
    fanout.write(OpusUnit(0, b"o"))
    fanout.write(video(1, is_idr=True))
    assert await take(subscription, 2) == [OpusUnit(0, b"o"), video(1, is_idr=True)]
    assert subscription.dropped_count == 1


async def test_a_slow_viewer_loses_media_until_the_next_idr_and_it_is_counted() -> None:
    asked = []
    fanout = Fanout(lambda: asked.append(1))
    fanout.set_video_config(VIDEO)
    fanout.write(video(0, is_idr=True))
    subscription = fanout.subscribe()
    for number in range(1, MAX_QUEUED + 50):
        fanout.write(video(number))
    assert asked == [1]
    other = VideoConfig((b"new",), (b"pps",))
    fanout.set_video_config(other)
    fanout.write(video(5000, is_idr=True))
    assert await take(subscription, 3) == [VIDEO, other, video(5000, is_idr=True)]
    assert subscription.dropped_count == MAX_QUEUED + 50


async def test_one_slow_viewer_does_not_touch_another() -> None:
    fanout = Fanout(lambda: None)
    slow, quick = fanout.subscribe(), fanout.subscribe()
    for number in range(2 * MAX_QUEUED):
        unit = video(number, is_idr=number % 50 == 0)
        fanout.write(unit)
        assert await take(quick, 1) == [unit]
    assert quick.dropped_count == 0
    assert slow.dropped_count > 0


async def test_an_endless_gop_is_not_kept_in_memory() -> None:
    fanout = Fanout(lambda: None)
    fanout.write(video(0, is_idr=True))
    for number in range(MAX_GOP_UNITS + 1):
        fanout.write(video(number))
    assert fanout._gop == []


async def test_the_end_wakes_readers_after_what_they_have() -> None:
    fanout = Fanout(lambda: None)
    subscription = fanout.subscribe()
    fanout.write(video(0, is_idr=True))
    fanout.finish()
    assert [item async for item in subscription] == [video(0, is_idr=True)]
    assert fanout.subscriptions_count == 0


async def test_a_reader_that_waits_is_woken_by_closing() -> None:
    fanout = Fanout(lambda: None)
    subscription = fanout.subscribe()
    reader = asyncio.create_task(anext(subscription, None))
    await asyncio.sleep(0)
    subscription.close()
    assert await asyncio.wait_for(reader, 1) is None
    assert fanout.subscriptions_count == 0


async def test_a_new_publisher_is_announced_and_starts_without_the_old_gop() -> None:
    fanout = Fanout(lambda: None)
    fanout.set_video_config(VIDEO)
    fanout.write(video(0, is_idr=True))
    subscription = fanout.subscribe()
    fanout.reset()
    late = fanout.subscribe()
    fanout.write(video(1))
    fanout.write(video(2, is_idr=True))
    assert await take(subscription, 3) == [VIDEO, video(0, is_idr=True), PublisherChanged()]
    assert await take(late, 1) == [video(2, is_idr=True)]
