"""docker-compose.yml works: the same settings, commands and health checks, as plain processes."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import m3u8
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from tests.support.hall import Api
from tests.support.publisher import Picture, publish
from tests.support.topology import Topology, load_compose, run_topology
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture
async def topology(short_dir: Path) -> AsyncIterator[Topology]:
    async with run_topology(short_dir) as running:
        yield running


def test_missing_secret_stops_the_file() -> None:
    with pytest.raises(KeyError, match="set POSTGRES_PASSWORD"):
        load_compose({})


async def test_class_lives_through_the_loss_of_a_vod(topology: Topology) -> None:
    admin, anyone = await topology.admin(), topology.api()
    await _private_listeners_want_the_secret(topology)
    await _neighbours_want_their_passwords(topology)
    made = await admin.make_class("规模化的一课")
    members = await admin.make_class("内部课", visibility="members")
    url = f"{topology.rtmp}/{made['publish']['stream_key']}"
    async with publish(url, Picture(width_px=640, height_px=360)):
        live = await anyone.wait_for_state(made["id"], "live", timeout_s=30)
        hls_url = live["playback"]["hls_url"]
        await eventually(lambda: _has_segments(anyone, hls_url, 2), timeout_s=30)

        killed = topology.parts["vod-1"]
        killed.process.send_signal(signal.SIGKILL)
        await killed.process.wait()
        before = await _segments_count(anyone, hls_url)
        for _ in range(6):  # Whichever vod it would have been.
            assert (await admin.get(f"/live-classes/{made['id']}"))["state"] == "live"
        await eventually(lambda: _has_segments(anyone, hls_url, before + 2), timeout_s=30)
        # Somebody new, whom no cached decision admits.
        newcomer = await topology.api().sign_in("admin", "correct horse battery")
        assert await _segments_count(newcomer, hls_url) > 0
        await _members_only(topology, members)

    await admin.post(f"/live-classes/{made['id']}/end")
    ended = await eventually(lambda: _with_replay(anyone, made["id"]), timeout_s=20)
    lecture_id = ended["replay"]["lecture_id"]
    playlist = await _media_playlist(anyone, ended["replay"]["playback"]["hls_url"])
    assert playlist.is_endlist
    assert not any(segment.discontinuity for segment in playlist.segments)
    assert (await anyone.fetch(playlist.segments[0].absolute_uri))[0] == 200

    await topology.start("vod-1")
    await topology.wait_healthy("vod-1", "gate")
    ready = await eventually(lambda: _is_ready(anyone, lecture_id), timeout_s=150)
    await _both_workers_worked(admin, lecture_id)
    await _asset_answers_ranges(anyone, ready["playback"]["hls_url"])


async def _private_listeners_want_the_secret(topology: Topology) -> None:
    for port in (8091, 8092, 8093):
        for path in ("/internal/ready", "/metrics"):
            target = f"http://127.0.0.1:{topology.port(port)}{path}"
            async with topology.session.get(target) as response:
                assert response.status == 403, target
            secret = {"X-Hall-Internal": topology.values["HALL_INTERNAL_SECRET"]}
            async with topology.session.get(target, headers=secret) as response:
                assert response.status in (200, 204), target


async def _neighbours_want_their_passwords(topology: Topology) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            host="127.0.0.1", port=topology.port(5432), user="hall", password="wrong",
            database="hall",
        )  # fmt: skip
    valkey = Redis(host="127.0.0.1", port=topology.port(6379))
    with pytest.raises(AuthenticationError):
        await valkey.ping()
    await valkey.aclose()


async def _members_only(topology: Topology, members: dict[str, Any]) -> None:
    admin, stranger = await topology.admin(), topology.api()
    url = f"{topology.rtmp}/{members['publish']['stream_key']}"
    async with publish(url):
        live = await admin.wait_for_state(members["id"], "live", timeout_s=30)
        hls_url = live["playback"]["hls_url"]
        await eventually(lambda: _has_segments(admin, hls_url, 1), timeout_s=30)
        variant = await _variant_url(admin, hls_url)
        segment = (await _media_playlist(admin, hls_url)).segments[0].absolute_uri
        for target in (hls_url, variant, segment):
            assert (await stranger.fetch(target))[0] in (401, 403), target
    assert (await stranger.request("GET", f"/live-classes/{members['id']}"))[0] == 404


async def _both_workers_worked(admin: Api, lecture_id: str) -> None:
    jobs = (await admin.get(f"/lectures/{lecture_id}/jobs"))["items"]
    assert len(jobs) == 1, "two vods make one job of one recording"
    units = jobs[0]["units"]
    assert {unit["state"] for unit in units} == {"done"}
    assert len({unit["worker"] for unit in units}) == 2, units


async def _asset_answers_ranges(api: Api, hls_url: str) -> None:
    playlist = await _media_playlist(api, hls_url)
    target = playlist.segments[0].absolute_uri
    status, whole = await api.fetch(target)
    assert status == 200
    async with api.session.get(target, headers={"Range": "bytes=100-1099"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes 100-1099/{len(whole)}"
        assert await response.read() == whole[100:1100]
    async with api.session.get(target, headers={"Range": f"bytes={len(whole) + 10}-"}) as response:
        assert response.status == 416


async def _variant_url(api: Api, hls_url: str) -> str:
    status, body = await api.fetch(hls_url)
    assert status == 200, body
    return str(m3u8.loads(body.decode(), uri=hls_url).playlists[0].absolute_uri)


async def _media_playlist(api: Api, hls_url: str) -> m3u8.M3U8:
    variant = await _variant_url(api, hls_url)
    status, body = await api.fetch(variant)
    assert status == 200, body
    return m3u8.loads(body.decode(), uri=variant)


async def _segments_count(api: Api, hls_url: str) -> int:
    """Complete ones: m3u8 makes one without an address of the parts at the live edge."""
    return len([item for item in (await _media_playlist(api, hls_url)).segments if item.uri])


async def _has_segments(api: Api, hls_url: str, count: int) -> bool:
    return await _segments_count(api, hls_url) >= count


async def _with_replay(api: Api, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    return found if found["replay"] and found["replay"]["playback"] else None


async def _is_ready(api: Api, lecture_id: str) -> Any:
    found = await api.get(f"/lectures/{lecture_id}")
    assert found["state"] != "failed", found
    return found if found["state"] == "ready" else None
