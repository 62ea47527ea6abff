"""The whole streamer as a process: published with ffmpeg, killed, restarted, ended, read back."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import m3u8
import pytest

from kernel.ids import new_id
from kernel.layout import journal_key
from kernel.messages import BroadcastEnded
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


def url_of(streamer: StreamerProcess, key: str = KEY) -> str:
    return f"rtmp://127.0.0.1:{streamer.rtmp_port}/live/{key}"


async def wait_for_state(streamer: StreamerProcess, broadcast: str, state: str) -> dict:
    async def found() -> dict | None:
        status = await streamer.status(broadcast)
        return status if status["state"] == state else None

    return await eventually(found, timeout_s=15, message=f"the broadcast is {state}")


async def wait_for_recorded(streamer: StreamerProcess, broadcast: str, seconds: float) -> float:
    async def found() -> float:
        recorded = (await streamer.status(broadcast)).get("recorded_s", 0.0)
        return recorded if recorded >= seconds else 0.0

    return await eventually(found, timeout_s=20, message=f"{seconds} s are recorded")


def probe_blocking(ffprobe: str, path: Path) -> list[dict]:
    out = subprocess.run(
        [ffprobe, "-v", "error", "-show_packets", "-of", "json", str(path)],
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    assert out.stderr == b""
    return json.loads(out.stdout)["packets"]


async def test_a_class_is_published_killed_resumed_ended_and_read_back_whole(
    vod: FakeVod, streamer: StreamerProcess, ffmpeg_path: str, ffprobe_path: str, tmp_path: Path
) -> None:
    broadcast = vod.keys[KEY][1]
    async with publish(ffmpeg_path, url_of(streamer)):
        status = await wait_for_state(streamer, broadcast, "live")
        await eventually(lambda: vod.of_type("epoch_started"))
        before_s = await wait_for_recorded(streamer, broadcast, 5.0)
        code, text = await streamer.get(f"/live/{broadcast}/av.m3u8")
        assert code == 200
        assert b"#EXT-X-PART:" in text
        assert b"ENDLIST" not in text
        status = await streamer.status(broadcast)
        assert status["health"]["fps"] == pytest.approx(25, abs=6)
        assert (status["health"]["width_px"], status["has_video"]) == (320, True)
        await streamer.kill()
    await streamer.start()
    status = await streamer.status(broadcast)
    assert status["state"] == "interrupted"
    assert status["recorded_s"] >= before_s - 2.0
    await eventually(lambda: vod.of_type("epoch_ended"))
    asked_count = len(vod.asked)
    kept_s = status["recorded_s"]

    async with publish(ffmpeg_path, url_of(streamer)):
        await wait_for_state(streamer, broadcast, "live")
        await wait_for_recorded(streamer, broadcast, kept_s + 3.0)
        path = f"/internal/broadcasts/{broadcast}/end"
        assert await streamer.post(path, {"reason": "test"}) == 202
    began = asyncio.get_running_loop().time()
    await eventually(lambda: vod.of_type("broadcast_ended"), timeout_s=3)
    assert asyncio.get_running_loop().time() - began < 3
    assert await streamer.post(path, {"reason": "again"}) == 202
    ended = vod.of_type("broadcast_ended")[0]
    assert isinstance(ended, BroadcastEnded)
    assert len(ended.index.epochs) == 2
    assert ended.index.duration_ticks / 90_000 >= kept_s + 3.0
    code, text = await streamer.get(f"/live/{broadcast}/av.m3u8")
    playlist = m3u8.loads(text.decode())
    assert playlist.is_endlist
    assert len(playlist.segments) == ended.index.segments_count
    assert [item.discontinuity for item in playlist.segments].count(True) == 1
    for rendition in ("av", "audio"):
        await read_back(streamer, ended, rendition, ffprobe_path, tmp_path)

    await eventually(lambda: vod.of_type("recording_stored"), timeout_s=15)
    stored = vod.of_type("segments_stored")
    assert stored
    assert len({event.event_id for event in vod.events}) == len(vod.events)
    blob = streamer.settings.data / "blobs" / journal_key(broadcast)
    assert await asyncio.to_thread(blob.is_file)
    assert len(vod.asked) >= asked_count
    assert "Traceback" not in streamer.log


async def read_back(
    streamer: StreamerProcess, ended: BroadcastEnded, rendition: str, ffprobe: str, folder: Path
) -> None:
    """Each epoch's segments make one file whose packets run on with the recorded duration."""
    for epoch in ended.index.epochs:
        base = f"/live/{ended.broadcast_id}/{epoch.epoch}/{rendition}"
        name = epoch.av_init if rendition == "av" else epoch.audio_init
        code, data = await streamer.get(f"{base}/{name}")
        assert code == 200
        for segment in epoch.segments:
            code, media = await streamer.get(f"{base}/{segment.msn}.m4s")
            assert code == 200
            assert len(media) == (segment.av_bytes if rendition == "av" else segment.audio_bytes)
            data += media
        path = folder / f"{epoch.epoch}-{rendition}.mp4"
        path.write_bytes(data)
        packets = await asyncio.to_thread(probe_blocking, ffprobe, path)
        for kind in ("audio", "video") if rendition == "av" else ("audio",):
            times = [float(item["dts_time"]) for item in packets if item["codec_type"] == kind]
            assert times == sorted(times)
            start_s = epoch.segments[0].start_ticks / 90_000
            assert times[0] == pytest.approx(start_s, abs=0.06)
            assert times[-1] - times[0] == pytest.approx(epoch.duration_ticks / 90_000, abs=0.12)


async def test_a_wrong_key_is_refused_and_leaves_nothing(
    vod: FakeVod, streamer: StreamerProcess, ffmpeg_path: str
) -> None:
    async with publish(ffmpeg_path, url_of(streamer, "wrong")) as process:
        assert await asyncio.to_thread(process.wait, 10) != 0
    assert vod.asked[0].credential == "wrong"
    spool = streamer.settings.data / "spool"
    assert await asyncio.to_thread(lambda: list(spool.iterdir())) == []
    assert vod.events == []


async def test_a_return_needs_no_vod_and_events_wait_for_it(
    short_dir: Path, ffmpeg_path: str
) -> None:
    broadcast = new_id()
    vod = FakeVod(keys={KEY: ("class1", broadcast)})
    address = f"unix:{short_dir / 'run' / 'vod-internal.sock'}"
    async with run_streamer(short_dir) as streamer:
        async with vod.run(address), publish(ffmpeg_path, url_of(streamer)):
            await wait_for_state(streamer, broadcast, "live")
            await eventually(lambda: vod.of_type("epoch_started"))
        await wait_for_state(streamer, broadcast, "interrupted")
        async with publish(ffmpeg_path, url_of(streamer)):
            await wait_for_state(streamer, broadcast, "live")
        await wait_for_state(streamer, broadcast, "interrupted")
        vod.is_broken = True
        async with vod.run(address):
            await eventually(lambda: vod.deliveries_count >= 3, timeout_s=20)
            vod.is_broken = False
            await eventually(lambda: len(vod.of_type("epoch_ended")) == 2, timeout_s=20)
        kinds = [event.type for event in vod.events if event.type.startswith("epoch")]
        assert kinds == ["epoch_started", "epoch_ended"] * 2


async def test_a_graceful_stop_keeps_the_class_open_and_reopening_appends(
    vod: FakeVod, streamer: StreamerProcess, ffmpeg_path: str
) -> None:
    broadcast = vod.keys[KEY][1]
    async with publish(ffmpeg_path, url_of(streamer)):
        await wait_for_recorded(streamer, broadcast, 2.0)
        await streamer.stop()
    assert streamer.process is not None
    assert streamer.process.returncode == 0, streamer.log[-3000:]
    await streamer.start()
    assert (await streamer.status(broadcast))["state"] == "interrupted"
    path = f"/internal/broadcasts/{broadcast}"
    assert await streamer.post(f"{path}/end", {"reason": "first"}) == 202
    await eventually(lambda: vod.of_type("recording_stored"), timeout_s=15)
    async with publish(ffmpeg_path, url_of(streamer)) as refused:
        await eventually(lambda: refused.poll() is not None, timeout_s=10)
    assert await streamer.post(f"{path}/reopen") == 202
    assert await streamer.post(f"{path}/reopen") == 202
    async with publish(ffmpeg_path, url_of(streamer)):
        await wait_for_state(streamer, broadcast, "live")
        await wait_for_recorded(streamer, broadcast, 4.0)
    assert await streamer.post(f"{path}/end", {"reason": "second"}) == 202
    await eventually(lambda: len(vod.of_type("recording_stored")) == 2, timeout_s=15)
    first, second = vod.of_type("broadcast_ended")
    assert (first.recording_version, second.recording_version) == (1, 2)
    count = len(first.index.epochs)
    assert second.index.epochs[:count] == first.index.epochs
    assert second.index.duration_ticks > first.index.duration_ticks
    assert await streamer.post(f"/internal/broadcasts/{new_id()}/end", {"reason": "x"}) == 404
