"""Edges of the running streamer: a frozen encoder, two encoders, a viewer's URL days later."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kernel.ids import new_id
from tests.support.fake_vod import FakeVod
from tests.support.streamer_process import StreamerProcess, publish, run_streamer
from tests.support.waiting import eventually

KEY = "class1-key"


@pytest.fixture
async def vod(short_dir: Path) -> AsyncIterator[FakeVod]:
    fake = FakeVod(keys={KEY: ("class1", new_id())})
    async with fake.run(f"unix:{short_dir / 'run' / 'vod-internal.sock'}"):
        yield fake


@pytest.fixture
async def streamer(short_dir: Path, vod: FakeVod) -> AsyncIterator[StreamerProcess]:
    async with run_streamer(short_dir) as process:
        yield process


async def test_a_frozen_encoder_is_noticed_within_five_seconds_and_may_return(
    vod: FakeVod, streamer: StreamerProcess, ffmpeg_path: str
) -> None:
    broadcast, url = vod.keys[KEY][1], f"rtmp://127.0.0.1:{streamer.rtmp_port}/live/{KEY}"

    async def is_in(state: str) -> bool:
        return (await streamer.status(broadcast))["state"] == state

    async with publish(ffmpeg_path, url) as frozen:
        await eventually(lambda: is_in("live"), timeout_s=15)
        frozen.send_signal(signal.SIGSTOP)
        began_s = time.monotonic()
        await eventually(lambda: is_in("interrupted"), timeout_s=8)
        # The last packets are still on their way for a moment after the stop.
        assert time.monotonic() - began_s < 5.5
        async with publish(ffmpeg_path, url):
            await eventually(lambda: is_in("live"), timeout_s=15)
    await eventually(lambda: len(vod.of_type("epoch_ended")) == 2, timeout_s=10)
    reasons = [event.reason for event in vod.of_type("epoch_ended")]
    assert reasons[0] == "no media for 5 s"


async def test_a_second_encoder_takes_over_without_a_second_recording(
    vod: FakeVod, streamer: StreamerProcess, ffmpeg_path: str
) -> None:
    broadcast, url = vod.keys[KEY][1], f"rtmp://127.0.0.1:{streamer.rtmp_port}/live/{KEY}"
    async with publish(ffmpeg_path, url) as old:
        await eventually(lambda: vod.of_type("epoch_started"), timeout_s=15)
        async with publish(ffmpeg_path, url, size="160x120", sample_rate=44_100):
            await eventually(lambda: len(vod.of_type("epoch_started")) == 2, timeout_s=15)
            assert await asyncio.to_thread(old.wait, 10) is not None
            end = f"/internal/broadcasts/{broadcast}/end"
            assert await streamer.post(end, {"reason": "over"}) == 202
    await eventually(lambda: vod.of_type("recording_stored"), timeout_s=15)
    index = vod.of_type("broadcast_ended")[0].index
    shapes = [(epoch.width_px, epoch.sample_rate_hz) for epoch in index.epochs]
    assert shapes == [(320, 48_000), (160, 44_100)]
    assert "takeover" in streamer.log

    # Days later another process on another machine has only the blob store.
    await streamer.stop()
    spool = streamer.settings.data / "spool" / broadcast
    await asyncio.to_thread(spool.rename, streamer.settings.data / "elsewhere")
    await streamer.start()
    epoch = index.epochs[0]
    segment = epoch.segments[0]
    base = f"/live/{broadcast}/{epoch.epoch}/av"
    code, media = await streamer.get(f"{base}/{segment.msn}.m4s")
    assert (code, len(media)) == (200, segment.av_bytes)
    code, piece = await streamer.get(f"{base}/{segment.msn}.m4s", headers={"Range": "bytes=10-19"})
    assert (code, piece) == (206, media[10:20])
    code, _ = await streamer.get(f"{base}/{epoch.av_init}")
    assert code == 200
    code, text = await streamer.get(f"/live/{broadcast}/av.m3u8")
    assert code == 200
    assert text.count(b"#EXTINF") == index.segments_count
    assert b"#EXT-X-ENDLIST" in text
    assert (await streamer.status(broadcast))["state"] == "ended"
    assert (await streamer.get(f"{base}/99.m4s"))[0] == 404
    assert (await streamer.get(f"/live/{new_id()}/av.m3u8"))[0] == 404
    status = await streamer.get(f"/live/..%2f..%2f{broadcast}/av.m3u8")
    assert status[0] in {400, 404}
