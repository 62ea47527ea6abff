"""What streamer reports: applied once, in order, in one transaction with what follows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from kernel.errors import InputError
from kernel.ids import new_id
from tests.support.vod import (
    Vod,
    database_url,
    databases,
    make_index,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.roles import Role
from vod.classes.models import LiveClass
from vod.jobs.models import Job
from vod.lectures.models import Lecture

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

EPOCH: dict[str, Any] = {"epoch": 0, "protocol": "rtmp", "width_px": 640, "height_px": 360}


async def add_broadcast(vod: Vod) -> tuple[str, str]:
    """Create a class; returns its id and its broadcast's."""
    created = await vod.add_class()
    async with vod.services.database.read() as session:
        row = await session.get_one(LiveClass, created["id"])
    return row.id, row.broadcast_id


async def load_state(vod: Vod, class_id: str) -> str:
    shown = await vod.call("GET", f"/live-classes/{class_id}")
    return str(shown.body["state"])


async def count(vod: Vod, model: type) -> int:
    async with vod.services.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(model)) or 0)


async def test_the_class_follows_its_media(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    assert await load_state(vod, class_id) == "live"
    changed = {"epoch": 0, "reason": "format changed", "is_interrupted": False}
    await vod.send_event("epoch_ended", broadcast_id, **changed)
    assert await load_state(vod, class_id) == "live"
    await vod.send_event("epoch_ended", broadcast_id, **{**changed, "is_interrupted": True})
    assert await load_state(vod, class_id) == "interrupted"
    await vod.send_event("epoch_started", broadcast_id, **{**EPOCH, "epoch": 1})
    assert await load_state(vod, class_id) == "live"
    await vod.send_event("segments_stored", broadcast_id, through_msn=4, stored_ticks=900_000)
    await vod.send_event("segments_stored", broadcast_id, through_msn=2, stored_ticks=450_000)
    shown = await vod.call("GET", f"/live-classes/{class_id}")
    assert shown.body["recording"] == {"recorded_s": 10.0, "stored_s": 10.0}


async def test_an_event_counts_once_however_often_it_is_sent(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    started = await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    lost = {"epoch": 0, "reason": "lost", "is_interrupted": True}
    await vod.send_event("epoch_ended", broadcast_id, **lost)
    await vod.send_event("epoch_started", broadcast_id, event_id=started, **EPOCH)
    assert await load_state(vod, class_id) == "interrupted", "the repetition changed nothing"


async def test_a_batch_is_applied_in_its_order(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    at = vod.clock.now().isoformat()
    batch = [
        {"type": "epoch_started", **EPOCH},
        {"type": "epoch_ended", "epoch": 0, "reason": "lost", "is_interrupted": True},
    ]
    body = [{**one, "event_id": new_id(), "broadcast_id": broadcast_id, "at": at} for one in batch]
    await vod.internal.call("POST", "/internal/events", body=json.dumps(body).encode())
    assert await load_state(vod, class_id) == "interrupted"


async def test_the_end_makes_one_lecture_and_its_storing_one_job(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    index = make_index(broadcast_id).model_dump(mode="json")
    for _ in range(2):  # The same end under two identifiers: still one lecture (invariant 4).
        await vod.send_event("broadcast_ended", broadcast_id, recording_version=1, index=index)
    for _ in range(2):
        await vod.send_event("recording_stored", broadcast_id, recording_version=1)
    assert await load_state(vod, class_id) == "ended"
    assert (await count(vod, Lecture), await count(vod, Job)) == (1, 1)
    shown = await vod.call("GET", "/lectures")
    assert [job["kind"] for job in shown.body["items"][0]["jobs"]] != []
    stored = await vod.call("GET", f"/live-classes/{class_id}")
    assert stored.body["recording"] == {"recorded_s": 6.0, "stored_s": 6.0}


async def test_a_class_that_recorded_nothing_has_no_replay(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    await vod.send_ended(broadcast_id, segments=0)
    await vod.send_event("recording_stored", broadcast_id, recording_version=1)
    shown = await vod.call("GET", f"/live-classes/{class_id}")
    assert (shown.body["state"], shown.body["replay"]) == ("ended", None)
    assert (await count(vod, Lecture), await count(vod, Job)) == (0, 0)


async def test_a_deleted_replay_stays_deleted(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    await vod.send_ended(broadcast_id)
    lecture_id = (await vod.call("GET", "/lectures")).body["items"][0]["id"]
    deleted = await vod.call("DELETE", f"/lectures/{lecture_id}", role=Role.EDITOR)
    assert deleted.status == 204
    await vod.send_event("recording_stored", broadcast_id, recording_version=1)
    assert (await vod.call("GET", "/lectures")).body["total"] == 0
    shown = await vod.call("GET", f"/live-classes/{class_id}")
    assert shown.body["replay"] is None


async def test_media_of_a_class_that_was_ended_meanwhile_is_ended_too(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    ended = await vod.call("POST", f"/live-classes/{class_id}/end", role=Role.INSTRUCTOR)
    assert ended.body["state"] == "ended"
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    assert await load_state(vod, class_id) == "ended"
    async with vod.services.database.read() as session:
        assert (await session.get_one(LiveClass, class_id)).end_requested_at is not None
    await vod.send_ended(broadcast_id)
    shown = await vod.call("GET", f"/live-classes/{class_id}")
    assert shown.body["replay"] is not None, "what was recorded is not lost"


async def test_an_event_that_does_not_fit_does_not_block_the_rest(vod: Vod) -> None:
    created = await vod.add_class()
    async with vod.services.database.read() as session:
        broadcast_id = (await session.get_one(LiveClass, created["id"])).broadcast_id
    await vod.send_ended(broadcast_id)
    # Nobody told of the end of version 7.
    await vod.send_event("recording_stored", broadcast_id, recording_version=7)
    await vod.send_event("recording_stored", broadcast_id, recording_version=1)
    lecture_id = (await vod.call("GET", f"/live-classes/{created['id']}")).body["replay"][
        "lecture_id"
    ]
    jobs = await vod.call("GET", f"/lectures/{lecture_id}/jobs", role=Role.EDITOR)
    assert jobs.body["total"] == 1


async def test_events_of_unknown_broadcasts_do_not_block_the_rest(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    await vod.send_event("epoch_started", new_id(), **EPOCH)
    foreign = make_index(new_id()).model_dump(mode="json")
    await vod.send_event("broadcast_ended", broadcast_id, recording_version=1, index=foreign)
    assert await count(vod, Lecture) == 0
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    assert await load_state(vod, class_id) == "live"


@pytest.mark.parametrize("body", [b"", b"{", b"[{}]", b'[{"type": "unknown"}]', b"\xff"])
async def test_what_is_no_list_of_events_is_refused(sqlite_vod: Vod, body: bytes) -> None:
    with pytest.raises(InputError):
        await sqlite_vod.internal.call("POST", "/internal/events", body=body)


async def test_one_event_sent_by_several_at_once_is_applied_once(vod: Vod) -> None:
    class_id, broadcast_id = await add_broadcast(vod)
    await vod.send_event("epoch_started", broadcast_id, **EPOCH)
    index = make_index(broadcast_id).model_dump(mode="json")
    event_id = new_id()
    await asyncio.gather(
        *(
            vod.send_event(
                "broadcast_ended",
                broadcast_id,
                event_id=event_id,
                recording_version=1,
                index=index,
            )
            for _ in range(5)
        )
    )
    assert await load_state(vod, class_id) == "ended"
    assert await count(vod, Lecture) == 1
