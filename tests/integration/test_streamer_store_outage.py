"""A real S3 server killed in the middle of a class: live goes on, nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kernel.blobs import open_blob_store
from kernel.config import load_settings
from kernel.ids import new_id
from kernel.layout import journal_key, segment_key
from streamer.recorder.history import replay_journal
from tests.support.fake_vod import FakeVod
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, run_seaweed
from tests.support.streamer_process import publish, run_streamer
from tests.support.waiting import eventually

KEY = "class1-key"


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_store_dies_and_comes_back_in_the_middle_of_a_class(
    short_dir: Path, tmp_path: Path, ffmpeg_path: str
) -> None:
    broadcast = new_id()
    vod = FakeVod(keys={KEY: ("class1", broadcast)})
    server_context = run_seaweed(tmp_path)
    server = await asyncio.to_thread(server_context.__enter__)
    environment = {
        "HALL_BLOBS_URL": server.blobs_url("hall"),
        "HALL_S3_ACCESS_KEY": ACCESS_KEY,
        "HALL_S3_SECRET_KEY": SECRET_KEY,
    }
    try:
        async with (
            vod.run(f"unix:{short_dir / 'run' / 'vod-internal.sock'}"),
            run_streamer(short_dir, **environment) as streamer,
        ):

            async def recorded(seconds: float) -> bool:
                return (await streamer.status(broadcast)).get("recorded_s", 0) >= seconds

            async with publish(ffmpeg_path, f"rtmp://127.0.0.1:{streamer.rtmp_port}/live/{KEY}"):
                await eventually(lambda: vod.of_type("segments_stored"), timeout_s=20)
                await asyncio.to_thread(server.kill)
                began_s = (await streamer.status(broadcast))["recorded_s"]
                await eventually(lambda: recorded(began_s + 5), timeout_s=20)
                code, playlist = await streamer.get(f"/live/{broadcast}/av.m3u8")
                assert (code, b"#EXT-X-PART:" in playlist) == (200, True)
                end = f"/internal/broadcasts/{broadcast}/end"
                assert await streamer.post(end, {"reason": "over"}) == 202
            await eventually(lambda: vod.of_type("broadcast_ended"), timeout_s=3)
            index = vod.of_type("broadcast_ended")[0].index
            assert not vod.of_type("recording_stored")
            for segment in index.epochs[0].segments:
                path = f"/live/{broadcast}/{index.epochs[0].epoch}/av/{segment.msn}.m4s"
                code, media = await streamer.get(path)
                assert (code, len(media)) == (200, segment.av_bytes)
            await asyncio.to_thread(server.start)
            await eventually(lambda: vod.of_type("recording_stored"), timeout_s=90)

            blobs = open_blob_store(
                load_settings(
                    data=tmp_path / "unused",
                    blobs_url=environment["HALL_BLOBS_URL"],
                    s3_access_key=ACCESS_KEY,
                    s3_secret_key=SECRET_KEY,
                )
            )
            for epoch in index.epochs:
                for segment in epoch.segments:
                    key = segment_key(broadcast, epoch=epoch.epoch, rendition="av", msn=segment.msn)
                    assert (await blobs.head(key)).size_bytes == segment.av_bytes
            stored, _ = replay_journal(await blobs.get_bytes(journal_key(broadcast)))
            assert stored.build_index() == index
            await blobs.close()
    finally:
        await asyncio.to_thread(server_context.__exit__, None, None, None)
