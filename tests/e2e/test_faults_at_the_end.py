"""Things die in the moment a class ends: in the end there is one complete replay and one ladder."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import m3u8
import pytest

from kernel.ids import new_id
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300)]
LADDER_S = 200


async def _teach(hall: Hall, admin: Api) -> str:
    made = await admin.make_class(f"收尾{new_id()}")

    async def is_enough() -> bool:
        found = await admin.get(f"/live-classes/{made['id']}")
        return bool(found["recording"]) and found["recording"]["recorded_s"] >= 5

    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await eventually(is_enough, timeout_s=40)
    return str(made["id"])


async def _check_one_replay_and_ladder(hall: Hall, class_id: str) -> None:
    admin = await hall.admin()

    async def with_replay() -> Any:
        found = await admin.get(f"/live-classes/{class_id}")
        is_there = found["replay"] and found["replay"]["playback"]
        return found if found["state"] == "ended" and is_there else None

    ended = await eventually(with_replay, timeout_s=60, message="no replay")

    async def is_ready() -> Any:
        found = await admin.get(f"/lectures/{ended['replay']['lecture_id']}")
        assert found["state"] != "failed", found
        return found if found["state"] == "ready" else None

    ready = await eventually(is_ready, timeout_s=LADDER_S, message="no ladder")
    listed = (await admin.get(f"/lectures?q={ended['title']}"))["items"]
    assert [item["id"] for item in listed] == [ready["id"]], "exactly one replay"
    jobs = (await admin.get(f"/lectures/{ready['id']}/jobs"))["items"]
    assert len(jobs) == 1, jobs
    assert {unit["state"] for unit in jobs[0]["units"]} == {"done"}
    url = ready["playback"]["hls_url"]
    status, body = await admin.fetch(url)
    assert status == 200
    for variant in m3u8.loads(body.decode(), uri=url).playlists:
        status, body = await admin.fetch(variant.absolute_uri)
        media = m3u8.loads(body.decode(), uri=variant.absolute_uri)
        assert media.is_endlist
        length_s = sum(segment.duration for segment in media.segments)
        assert length_s == pytest.approx(ready["duration_s"], abs=0.1)


async def _ask_for_the_end(api: Api, class_id: str) -> None:
    """Click, whatever comes back."""
    with contextlib.suppress(OSError, TimeoutError, AssertionError):
        await api.request("POST", f"/live-classes/{class_id}/end")


async def test_everything_is_killed_right_after_the_end(hall: Hall) -> None:
    admin = await hall.admin()
    class_id = await _teach(hall, admin)
    await admin.post(f"/live-classes/{class_id}/end")
    await hall.kill()
    await hall.start()
    await _check_one_replay_and_ladder(hall, class_id)


async def test_vod_is_killed_while_the_class_ends(hall: Hall) -> None:
    admin = await hall.admin()
    class_id = await _teach(hall, admin)
    killed = hall.child("vod")
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask_for_the_end(admin, class_id))
        killed.kill()
    await eventually(lambda: hall.is_back("vod", killed), timeout_s=20)
    await eventually(hall.is_ready, timeout_s=40)
    await (await hall.admin()).post(f"/live-classes/{class_id}/end")
    await _check_one_replay_and_ladder(hall, class_id)


async def test_the_broker_is_away_while_the_class_ends(hall: Hall) -> None:
    admin = await hall.admin()
    class_id = await _teach(hall, admin)
    broker = hall.child("valkey")
    broker.suspend()  # It hangs, which is worse than being gone; its messages are lost, too.
    try:
        await admin.post(f"/live-classes/{class_id}/end")

        async def with_replay() -> Any:
            found = await admin.get(f"/live-classes/{class_id}")
            return found["replay"] and found["replay"]["playback"]

        await eventually(with_replay, timeout_s=20, message="the replay waits for the broker")
    finally:
        broker.kill()
    await eventually(lambda: hall.is_back("valkey", broker), timeout_s=30)
    await _check_one_replay_and_ladder(hall, class_id)


async def test_the_store_takes_nothing_while_the_class_ends(own_hall: Hall) -> None:
    hall = own_hall
    admin = await hall.admin()
    live = hall.data / "blobs" / "live"
    live.parent.mkdir(exist_ok=True)
    live.write_bytes(b"in the way")  # Root may write everywhere; nobody writes below a file.
    class_id = await _teach(hall, admin)
    await admin.post(f"/live-classes/{class_id}/end")

    async def with_replay() -> Any:
        found = await admin.get(f"/live-classes/{class_id}")
        return found["replay"] and found["replay"]["playback"]

    found = await eventually(with_replay, timeout_s=20, message="the replay waits for the store")
    assert (await admin.fetch(found["hls_url"]))[0] == 200
    live.unlink()
    await _check_one_replay_and_ladder(hall, class_id)
