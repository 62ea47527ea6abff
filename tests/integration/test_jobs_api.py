"""A job from the end of a class to the published replay, over both listeners of a real vod."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from kernel.errors import ConflictError, InputError, NotFoundError
from kernel.ids import new_id
from kernel.layout import journal_key
from kernel.messages import ClaimedUnit, ClaimUnit, UnitCompleted, UnitFailed, UnitHeartbeat
from tests.integration.vod_jobs_support import make_asset, make_plan
from tests.support.vod import Vod
from tests.support.vod import database_url as database_url  # noqa: PLC0414 - a fixture
from tests.support.vod import databases as databases  # noqa: PLC0414 - a fixture
from tests.support.vod import vod as vod  # noqa: PLC0414 - a fixture
from vod.accounts.roles import Role
from vod.classes.models import LiveClass
from vod.jobs.models import Unit
from vod.recordings.rebuild import restore_recording


async def hold_class(vod: Vod, *, is_stored: bool = True) -> tuple[str, str]:
    """A class is taught, ends, and is stored: (lecture id, broadcast id)."""
    created = await vod.add_class()
    async with vod.services.database.read() as session:
        broadcast_id = await session.scalar(
            select(LiveClass.broadcast_id).where(LiveClass.id == created["id"])
        )
    assert broadcast_id is not None
    await vod.send_event(
        "epoch_started", broadcast_id, epoch=0, protocol="rtmp", width_px=640, height_px=360
    )
    await vod.send_ended(broadcast_id)
    if is_stored:
        await vod.send_event("recording_stored", broadcast_id, recording_version=1)
    answer = await vod.call("GET", f"/live-classes/{created['id']}")
    return answer.body["replay"]["lecture_id"], broadcast_id


async def find_units(vod: Vod, lecture_id: str) -> dict[str, dict[str, Any]]:
    answer = await vod.call("GET", f"/lectures/{lecture_id}/jobs", role=Role.EDITOR)
    assert answer.status == 200, answer.body
    return {unit["key"]: unit for unit in answer.body["items"][0]["units"]}


async def claim(vod: Vod, unit_id: str, worker: str = "w1") -> ClaimedUnit:
    path = f"/internal/units/{unit_id}/claim"
    return ClaimedUnit.model_validate(
        await vod.internal.call("POST", path, body=ClaimUnit(worker=worker))
    )


async def finish(vod: Vod, unit_id: str, result: dict[str, Any]) -> ClaimedUnit:
    claimed = await claim(vod, unit_id)
    report = UnitCompleted(fence=claimed.fence, result=result, log_tail="fine")
    await vod.internal.call("POST", f"/internal/units/{unit_id}/complete", body=report)
    return claimed


async def test_a_job_from_the_end_of_the_class_to_the_ladder(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    units = await find_units(vod, lecture_id)
    assert list(units) == ["plan"]
    claimed = await finish(vod, units["plan"]["id"], make_plan().model_dump(mode="json"))
    units = await find_units(vod, lecture_id)
    assert list(units) == ["plan", "video-0", "video-1", "audio", "publish"]
    first = await claim(vod, units["video-0"]["id"])
    beat = UnitHeartbeat(fence=first.fence, progress=0.5, speed=2.0)
    await vod.internal.call("POST", f"/internal/units/{first.unit_id}/heartbeat", body=beat)
    lecture = (await vod.call("GET", f"/lectures/{lecture_id}")).body
    assert lecture["state"] == "playable"
    assert lecture["jobs"][0]["progress"] == pytest.approx(1.5 / 8)
    assert lecture["jobs"][0]["state"] == "running"
    assert {r["name"]: r["state"] for r in lecture["renditions"]} == {
        "360p": "running",
        "audio": "queued",
    }
    done = UnitCompleted(fence=first.fence, result={})
    await vod.internal.call("POST", f"/internal/units/{first.unit_id}/complete", body=done)
    for key in ("video-1", "audio"):
        await finish(vod, units[key]["id"], {})
    report = make_asset(claimed.asset_id)
    await finish(vod, units["publish"]["id"], report.model_dump(mode="json"))
    lecture = (await vod.call("GET", f"/lectures/{lecture_id}")).body
    assert lecture["state"] == "ready"
    assert lecture["jobs"][0]["progress"] == 1
    assert [r["state"] for r in lecture["renditions"]] == ["done", "done"]
    assert lecture["poster_url"].endswith(f"/media/{lecture_id}/{report.prefix}poster.jpg")


async def test_a_failure_is_shown_with_its_reason_and_retried_by_an_editor(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    unit_id = (await find_units(vod, lecture_id))["plan"]["id"]
    claimed = await claim(vod, unit_id)
    failure = UnitFailed(
        fence=claimed.fence, reason="no picture", is_permanent=True, log_tail="line 1"
    )
    await vod.internal.call("POST", f"/internal/units/{unit_id}/fail", body=failure)
    answer = await vod.call("GET", f"/lectures/{lecture_id}")
    assert answer.body["state"] == "playable"
    assert (answer.body["jobs"][0]["state"], answer.body["jobs"][0]["reason"]) == (
        "failed",
        "no picture",
    )
    unit = (await find_units(vod, lecture_id))["plan"]
    assert (unit["state"], unit["reason"], unit["log_tail"]) == ("failed", "no picture", "line 1")
    for role, status in (
        (None, 401),
        (Role.MEMBER, 403),
        (Role.INSTRUCTOR, 403),
        (Role.EDITOR, 202),
        (Role.EDITOR, 409),
    ):
        assert (await vod.call("POST", f"/units/{unit_id}/retry", role=role)).status == status
    assert (await find_units(vod, lecture_id))["plan"]["state"] == "queued"
    assert (await claim(vod, unit_id)).attempt == 1


async def test_who_sees_and_starts_jobs(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    path = f"/lectures/{lecture_id}"
    for role, sees, starts in (
        (None, 401, 401),
        (Role.MEMBER, 403, 403),
        (Role.INSTRUCTOR, 200, 403),  # It was that instructor's class.
        (Role.EDITOR, 200, 202),
        (Role.ADMIN, 200, 202),
    ):
        assert (await vod.call("GET", f"{path}/jobs", role=role)).status == sees, role
        assert (await vod.call("POST", f"{path}/transcode", role=role)).status == starts, role
    jobs = (await vod.call("GET", f"{path}/jobs", role=Role.ADMIN)).body["items"]
    assert [job["state"] for job in jobs] == ["queued", "cancelled", "cancelled"]
    for unknown in (new_id(), "...", "x"):
        answer = await vod.call("GET", f"/lectures/{unknown}/jobs", role=Role.ADMIN)
        assert answer.status == 404


async def test_transcoding_waits_for_the_recording(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod, is_stored=False)
    answer = await vod.call("POST", f"/lectures/{lecture_id}/transcode", role=Role.EDITOR)
    assert answer.status == 409
    assert (await vod.call("GET", f"/lectures/{lecture_id}")).body["jobs"] == []


async def test_deleting_a_lecture_stops_its_jobs(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    unit_id = (await find_units(vod, lecture_id))["plan"]["id"]
    claimed = await claim(vod, unit_id)
    assert (await vod.call("DELETE", f"/lectures/{lecture_id}", role=Role.EDITOR)).status == 204
    beat = UnitHeartbeat(fence=claimed.fence, progress=0.5)
    with pytest.raises(ConflictError):
        await vod.internal.call("POST", f"/internal/units/{unit_id}/heartbeat", body=beat)


async def test_wrong_reports_are_answered_with_problems(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    unit_id = (await find_units(vod, lecture_id))["plan"]["id"]
    with pytest.raises(NotFoundError):
        await claim(vod, new_id())
    with pytest.raises(NotFoundError):
        await claim(vod, "not-an-id")
    claimed = await claim(vod, unit_id)
    with pytest.raises(ConflictError):
        await claim(vod, unit_id, worker="w2")
    report = UnitCompleted(fence=claimed.fence, result={"plan_hash": "zz"})
    with pytest.raises(InputError) as refusal:
        await vod.internal.call("POST", f"/internal/units/{unit_id}/complete", body=report)
    assert refusal.value.http_status == 422
    with pytest.raises(InputError):
        await vod.internal.call("POST", f"/internal/units/{unit_id}/heartbeat", body=b"{")
    async with vod.services.database.read() as session:
        assert len((await session.scalars(select(Unit))).all()) == 1


async def test_a_lost_recording_comes_back_from_the_journal(vod: Vod) -> None:
    created = await vod.add_class()
    async with vod.services.database.read() as session:
        row = await session.get(LiveClass, created["id"])
        assert row is not None
    lines = [
        {"t": "broadcast", "version": 1, "broadcast_id": row.broadcast_id, "live_class_id": row.id},
        {
            "t": "epoch", "epoch": 0, "discontinuity": 0, "first_msn": 0, "start": 0,
            "at": "2026-07-01T08:00:00Z", "video_codec": None, "width_px": None,
            "height_px": None, "audio_codec": "mp4a.40.2", "sample_rate_hz": 48000,
            "channels_count": 2, "protocol": "rtmp",
            "inits": {k: {"name": "init-0a.mp4", "base64": ""} for k in ("av", "audio")},
        },
        {"t": "segment", "e": 0, "m": 0, "s": 0, "d": 180000, "n": 4, "av": 10, "audio": 5},
        {"t": "ended", "version": 1, "at": "2026-07-01T08:00:02Z"},
    ]  # fmt: skip
    journal = "".join(f"{json.dumps(line)}\n" for line in lines)
    blobs, database = vod.services.blobs, vod.services.database
    await blobs.put_bytes(
        journal_key(row.broadcast_id), journal.encode(), content_type="application/x-ndjson"
    )
    now = vod.clock.now()
    lecture_id = await restore_recording(database, blobs, row.broadcast_id, now=now)
    assert lecture_id == await restore_recording(database, blobs, row.broadcast_id, now=now)
    answer = await vod.call("GET", f"/lectures/{lecture_id}")
    assert (answer.body["state"], answer.body["duration_s"]) == ("playable", 2.0)
    assert list(await find_units(vod, str(lecture_id))) == ["plan"]
