"""The disk of a running hall is full for a while, for real: a small file system, filled up."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import m3u8
import pytest

from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(240)]
SIZE_MB = 320  # Recording keeps 64 MB free and comes back at 128 MB.
CHILDREN = ("vod", "streamer", "worker", "gate", "valkey")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for the data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system is not permitted")
    done = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("mounting a file system is not permitted")
    yield folder
    subprocess.run(["/bin/umount", "-l", str(folder)], check=True)


def _fill_blocking(path: Path) -> None:
    """Take all space that is left."""
    block = bytes(1024 * 1024)
    with path.open("wb", buffering=0) as ballast:
        while True:
            try:
                ballast.write(block)
            except OSError:
                if len(block) == 1:
                    return
                block = block[: max(len(block) // 16, 1)]


async def _managed(api: Api, class_id: str) -> Any:
    return await api.get(f"/live-classes/{class_id}")


async def _wait_recorded(api: Api, class_id: str, seconds: float) -> None:
    async def is_enough() -> bool:
        return bool((await _managed(api, class_id))["recording"]["recorded_s"] >= seconds)

    await eventually(is_enough, timeout_s=40, message=f"not {seconds} s recorded")


async def _playlist(api: Api, hls_url: str) -> m3u8.M3U8:
    _, body = await api.fetch(hls_url)
    uri = m3u8.loads(body.decode(), uri=hls_url).playlists[0].absolute_uri
    status, body = await api.fetch(uri)
    assert status == 200
    return m3u8.loads(body.decode(), uri=uri)


async def test_a_class_goes_on_over_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    async with Hall(tmp_path) as hall:
        admin = await hall.admin()
        made = await admin.make_class("满盘")
        before = {name: hall.child(name).pid for name in CHILDREN}
        ballast = small_disk / "ballast"
        async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
            live = await admin.wait_for_state(made["id"], "live")
            url = live["playback"]["hls_url"]
            await eventually(lambda: _has_recording(admin, made["id"]), timeout_s=10)
            await _wait_recorded(admin, made["id"], 4)
            await asyncio.to_thread(_fill_blocking, ballast)
            await eventually(lambda: _warns(admin, made["id"], "recording_paused"), timeout_s=20)
            at = len((await _playlist(admin, url)).segments)
            await eventually(lambda: _has_segments(admin, url, at + 3), timeout_s=20)
            paused_s = (await _managed(admin, made["id"]))["recording"]["recorded_s"]
            ballast.unlink()
            await _wait_recorded(admin, made["id"], paused_s + 5)
            assert not await _warns(admin, made["id"], "recording_paused")
        await admin.wait_for_state(made["id"], "interrupted")
        await admin.post(f"/live-classes/{made['id']}/end")
        ended = await eventually(lambda: _with_replay(admin, made["id"]), timeout_s=20)
        playlist = await _playlist(admin, ended["replay"]["playback"]["hls_url"])
        gaps = [bool(segment.gap_tag) for segment in playlist.segments]
        assert not gaps[0]
        assert not gaps[-1]
        assert any(gaps), "the gap is marked"
        for segment in playlist.segments:
            if not segment.gap_tag:
                status, body = await admin.fetch(segment.absolute_uri)
                assert status == 200, segment.uri
                assert body
        lecture = ended["replay"]["lecture_id"]
        await eventually(lambda: _is_ready(admin, lecture), timeout_s=90, message="no ladder")
        assert {name: hall.child(name).pid for name in CHILDREN} == before, "nobody crashed"
        assert "Traceback" not in hall.log_path.read_text(encoding="utf-8")


async def _has_recording(api: Api, class_id: str) -> bool:
    return (await _managed(api, class_id))["recording"] is not None


async def _warns(api: Api, class_id: str, word: str) -> bool:
    health = (await _managed(api, class_id))["health"]
    return bool(health) and word in health["warnings"]


async def _has_segments(api: Api, url: str, count: int) -> bool:
    return len((await _playlist(api, url)).segments) >= count


async def _with_replay(api: Api, class_id: str) -> Any:
    found = await _managed(api, class_id)
    return found if found["replay"] and found["replay"]["playback"] else None


async def _is_ready(api: Api, lecture_id: str) -> bool:
    found = await api.get(f"/lectures/{lecture_id}")
    assert found["state"] != "failed", found
    return bool(found["state"] == "ready")
