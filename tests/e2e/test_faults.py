"""Kill things in the middle of a class: nothing recorded is lost, the replay stays one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import m3u8
import pytest

from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(240)]
LOST_AT_MOST_S = 2.0


async def _recorded_s(api: Api, class_id: str) -> float:
    found = await api.get(f"/live-classes/{class_id}")
    return float(found["recording"]["recorded_s"]) if found["recording"] else 0.0


async def _wait_recorded(api: Api, class_id: str, seconds: float) -> None:
    async def enough() -> bool:
        return await _recorded_s(api, class_id) >= seconds

    await eventually(enough, timeout_s=30, message=f"not {seconds} s recorded")


async def _end_and_measure(api: Api, class_id: str) -> tuple[str, float, int]:
    """Lecture id, length of its replay, and discontinuities in it."""
    await api.post(f"/live-classes/{class_id}/end")

    async def replay() -> Any:
        found = await api.get(f"/live-classes/{class_id}")
        return found["replay"] if found["replay"] and found["replay"]["playback"] else None

    found = await eventually(replay, timeout_s=20, message="no replay")
    status, body = await api.fetch(found["playback"]["hls_url"])
    assert status == 200
    variant = m3u8.loads(body.decode(), uri=found["playback"]["hls_url"]).playlists[0]
    _, body = await api.fetch(variant.absolute_uri)
    playlist = m3u8.loads(body.decode(), uri=variant.absolute_uri)
    for segment in playlist.segments:
        status, media = await api.fetch(segment.absolute_uri)
        assert status == 200, segment.uri
        assert media
    length_s = sum(segment.duration for segment in playlist.segments)
    return found["lecture_id"], length_s, sum(s.discontinuity for s in playlist.segments)


@pytest.mark.parametrize("victim", ["vod", "gate", "valkey", "worker"])
async def test_class_goes_on_when_a_neighbour_is_killed(hall: Hall, victim: str) -> None:
    admin = await hall.admin()
    made = await admin.make_class()
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 3)
        killed = hall.child(victim)
        killed.kill()
        await eventually(lambda: hall.is_back(victim, killed), timeout_s=20)
        await eventually(hall.is_ready, timeout_s=30)
        before = await _recorded_s(admin, made["id"])
        await _wait_recorded(admin, made["id"], before + 4)
    _, length_s, discontinuities = await _end_and_measure(admin, made["id"])
    assert length_s >= before + 4
    assert discontinuities == 0, "the publisher never noticed"


async def test_killed_streamer_loses_at_most_two_seconds(hall: Hall) -> None:
    admin = await hall.admin()
    made = await admin.make_class()
    url = f"{hall.rtmp}/{made['publish']['stream_key']}"
    async with publish(url):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 5)
        before = await _recorded_s(admin, made["id"])
        killed = hall.child("streamer")
        killed.kill()
    await eventually(lambda: hall.is_back("streamer", killed), timeout_s=20)
    await admin.wait_for_state(made["id"], "interrupted")
    async with publish(url):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], before + 3)
        after = await _recorded_s(admin, made["id"])
    _, length_s, discontinuities = await _end_and_measure(admin, made["id"])
    assert length_s >= after - LOST_AT_MOST_S
    assert discontinuities == 1


async def test_everything_killed_at_once_comes_back(hall: Hall) -> None:
    admin = await hall.admin()
    made = await admin.make_class()
    url = f"{hall.rtmp}/{made['publish']['stream_key']}"
    async with publish(url):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 5)
        before = await _recorded_s(admin, made["id"])
        await hall.kill()
    await hall.start()
    admin = await hall.admin()
    found = await admin.wait_for_state(made["id"], "interrupted")
    assert found["recording"]["recorded_s"] >= before - LOST_AT_MOST_S
    async with publish(url):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], before + 3)
    lecture_id, length_s, discontinuities = await _end_and_measure(admin, made["id"])
    assert length_s >= before + 3 - LOST_AT_MOST_S
    assert discontinuities == 1

    async def is_ready() -> bool:
        return (await admin.get(f"/lectures/{lecture_id}"))["state"] == "ready"

    await eventually(is_ready, timeout_s=120, message="no ladder")


async def test_killed_worker_still_makes_one_complete_ladder(hall: Hall) -> None:
    admin = await hall.admin()
    made = await admin.make_class()
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 8)
    lecture_id, _, _ = await _end_and_measure(admin, made["id"])

    async def running_unit() -> bool:
        jobs = (await admin.get(f"/lectures/{lecture_id}/jobs"))["items"]
        units = [unit for job in jobs for unit in job["units"]]
        return any(unit["state"] == "running" for unit in units)

    # A worker that was killed a moment ago may still be starting, behind everybody else.
    await eventually(running_unit, timeout_s=100, message="no unit is running")
    hall.child("worker").kill()

    async def is_ready() -> bool:
        return (await admin.get(f"/lectures/{lecture_id}"))["state"] == "ready"

    await eventually(is_ready, timeout_s=180, message="the ladder was not finished")
    jobs = (await admin.get(f"/lectures/{lecture_id}/jobs"))["items"]
    assert len(jobs) == 1
    assert {unit["state"] for unit in jobs[0]["units"]} == {"done"}


async def test_second_start_on_the_same_data_is_refused(hall: Hall) -> None:
    second = Hall(hall.folder)
    second.http_port, second.rtmp_port = hall.http_port, hall.rtmp_port
    second.log_path = hall.folder / "second.log"
    with pytest.raises(AssertionError, match="in use by process"):
        await second.start()


async def test_ctrl_c_stops_everything_and_a_second_start_goes_on(hall: Hall) -> None:
    admin = await hall.admin()
    made = await admin.make_class("留下来的课")
    started = time.monotonic()
    await hall.stop()
    assert time.monotonic() - started < 20
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", hall.http_port)
    await hall.start()
    admin = await hall.admin()
    assert (await admin.get(f"/live-classes/{made['id']}"))["title"] == "留下来的课"
