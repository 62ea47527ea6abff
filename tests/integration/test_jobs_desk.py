"""The transcoding page's API over a real vod: lists, details, buttons, queues, workers."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.messages import UnitFailed, UnitHeartbeat, UnitReleased, WorkersSeen
from tests.integration.test_jobs_api import claim, find_units, finish, hold_class
from tests.integration.vod_jobs_support import make_plan
from tests.support.vod import StatementCount, Vod
from tests.support.vod import database_url as database_url  # noqa: PLC0414 - a fixture
from tests.support.vod import databases as databases  # noqa: PLC0414 - a fixture
from tests.support.vod import vod as vod  # noqa: PLC0414 - a fixture
from vod.accounts.roles import Role


async def start_planned(vod: Vod) -> tuple[str, str, dict[str, dict[str, Any]]]:
    """A lecture whose job is planned: (lecture id, job id, units by key)."""
    lecture_id, _ = await hold_class(vod)
    units = await find_units(vod, lecture_id)
    claimed = await finish(vod, units["plan"]["id"], make_plan().model_dump(mode="json"))
    return lecture_id, claimed.job_id, await find_units(vod, lecture_id)


async def fetch(vod: Vod, path: str, role: Role = Role.EDITOR) -> Any:
    answer = await vod.call("GET", path, role=role)
    assert answer.status == 200, answer.body
    return answer.body


async def test_the_list_filters_searches_and_pages(vod: Vod) -> None:
    lecture_id, job_id, _ = await start_planned(vod)
    await hold_class(vod)
    page = await fetch(vod, "/jobs?page_size=1")
    assert (page["total"], len(page["items"])) == (2, 1)
    assert [job["state"] for job in (await fetch(vod, "/jobs"))["items"]] == ["queued", "running"]
    [job] = (await fetch(vod, "/jobs?state=running"))["items"]
    assert job["id"] == job_id
    assert job["lecture"] == {"id": lecture_id, "title": "党史第一课"}
    assert (job["units_count"], job["done_count"], job["failed_count"]) == (5, 1, 0)
    assert job["priority"] == "normal"
    assert (await fetch(vod, "/jobs?q=党史"))["total"] == 2
    assert (await fetch(vod, "/jobs?q=没有"))["total"] == 0
    assert (await fetch(vod, "/jobs?kind=transcode_recording"))["total"] == 2
    assert (await fetch(vod, "/jobs?kind=transcribe"))["total"] == 0
    for wrong in ("?state=odd", "?kind=Odd!"):
        assert (await vod.call("GET", f"/jobs{wrong}", role=Role.EDITOR)).status == 422


async def test_a_list_costs_the_same_queries_however_long(vod: Vod) -> None:
    await start_planned(vod)
    counts = []
    for _ in range(2):
        await vod.token_of(Role.EDITOR)
        with StatementCount(vod.services) as statements:
            await fetch(vod, "/jobs")
        counts.append(statements.count)
        await start_planned(vod)
    assert counts[0] == counts[1]


async def test_a_job_tells_its_remaining_time_and_renditions(vod: Vod) -> None:
    lecture_id, job_id, units = await start_planned(vod)
    first = await claim(vod, units["video-0"]["id"])
    vod.clock.advance(30)
    beat = UnitHeartbeat(fence=first.fence, progress=0.5, speed=2.0, log_tail="$ ffmpeg -i a\nx")
    await vod.internal.call("POST", f"/internal/units/{first.unit_id}/heartbeat", body=beat)
    job = await fetch(vod, f"/jobs/{job_id}")
    # 1.5 of 8 are done in 30 s by one worker, who goes on alone.
    assert job["eta_s"] == pytest.approx(6.5 * 20)
    assert job["progress"] == pytest.approx(1.5 / 8)
    assert [unit["key"] for unit in job["units"]] == list(units)
    assert [r["reason"] for r in job["renditions"]] == ["as recorded", "always"]
    unit = await fetch(vod, f"/units/{first.unit_id}")
    assert unit["log_tail"] == "$ ffmpeg -i a\nx"
    assert unit["commands"] == ["ffmpeg -i a"]
    assert unit["lecture"]["id"] == lecture_id
    assert [(a["number"], a["worker"], a["outcome"]) for a in unit["attempts"]] == [(1, "w1", None)]


async def test_attempts_are_kept_with_their_causes(vod: Vod) -> None:
    _, job_id, units = await start_planned(vod)
    unit_id = units["video-0"]["id"]
    failed = await claim(vod, unit_id)
    report = UnitFailed(
        fence=failed.fence, reason="磁盘满了", is_permanent=False, cause="disk",
        log_tail="No space left", commands=("ffmpeg -y a b",),
    )  # fmt: skip
    await vod.internal.call("POST", f"/internal/units/{unit_id}/fail", body=report)
    vod.clock.advance(10)
    released = await claim(vod, unit_id, worker="w2")
    assert released.attempt == 2
    body = UnitReleased(fence=released.fence)
    await vod.internal.call("POST", f"/internal/units/{unit_id}/release", body=body)
    with pytest.raises(ConflictError):
        await vod.internal.call("POST", f"/internal/units/{unit_id}/release", body=body)
    again = await claim(vod, unit_id, worker="w3")
    assert (again.attempt, again.fence) == (2, 3), "a release counts no attempt"
    unit = await fetch(vod, f"/units/{unit_id}")
    assert unit["commands"] == ["ffmpeg -y a b"]
    assert [(a["worker"], a["outcome"], a["cause"]) for a in unit["attempts"]] == [
        ("w3", None, None),
        ("w2", "released", None),
        ("w1", "failed", "disk"),
    ]
    assert unit["attempts"][2]["reason"] == "磁盘满了"
    assert (await fetch(vod, f"/jobs/{job_id}"))["state"] == "running"


async def test_cancelling_retrying_and_ranking(vod: Vod) -> None:
    _, job_id, units = await start_planned(vod)
    running = await claim(vod, units["video-0"]["id"])
    answer = await vod.call("PATCH", f"/jobs/{job_id}", role=Role.EDITOR, json={"priority": "high"})
    assert (answer.status, answer.body["priority"]) == (200, "high")
    odd = await vod.call("PATCH", f"/jobs/{job_id}", role=Role.EDITOR, json={"priority": "top"})
    assert odd.status in {400, 422}
    retry = await vod.call("POST", f"/jobs/{job_id}/retry", role=Role.EDITOR)
    assert retry.status == 409, "nothing failed yet"
    report = UnitFailed(fence=running.fence, reason="坏了", is_permanent=True, cause="media")
    await vod.internal.call("POST", f"/internal/units/{running.unit_id}/fail", body=report)
    dead = await fetch(vod, "/units/failed")
    assert [(item["key"], item["reason"]) for item in dead["items"]] == [("video-0", "坏了")]
    assert (await fetch(vod, "/jobs/summary"))["failed_units"] == 1
    retry = await vod.call("POST", f"/jobs/{job_id}/retry", role=Role.EDITOR)
    assert (retry.status, retry.body["state"], retry.body["failed_count"]) == (200, "running", 0)
    again = await claim(vod, running.unit_id)
    cancel = await vod.call("POST", f"/jobs/{job_id}/cancel", role=Role.EDITOR)
    assert (cancel.status, cancel.body["state"]) == (200, "cancelled")
    assert (await vod.call("POST", f"/jobs/{job_id}/cancel", role=Role.EDITOR)).status == 200
    beat = UnitHeartbeat(fence=again.fence, progress=0.1)
    with pytest.raises(ConflictError):
        await vod.internal.call("POST", f"/internal/units/{again.unit_id}/heartbeat", body=beat)
    for path, method in (("retry", "POST"), ("", "PATCH")):
        url = f"/jobs/{job_id}/{path}".rstrip("/")
        body = {"json": {"priority": "low"}} if method == "PATCH" else {}
        assert (await vod.call(method, url, role=Role.EDITOR, **body)).status == 409


async def test_queues_and_workers_are_shown(vod: Vod) -> None:
    lecture_id, _, units = await start_planned(vod)
    seen = WorkersSeen(names=("h/1-0", "h/1-1"), queues=("live", "long"))
    await vod.internal.call("POST", "/internal/workers", body=seen)
    await claim(vod, units["video-0"]["id"], worker="h/1-1")
    await claim(vod, units["video-1"]["id"], worker="old/7")
    vod.clock.advance(42)
    summary = await fetch(vod, "/jobs/summary")
    queues = {queue["name"]: queue for queue in summary["queues"]}
    assert list(queues) == ["live", "short", "long"]
    assert (queues["long"]["queued"], queues["long"]["running"]) == (1, 2)
    assert queues["long"]["oldest_wait_s"] == 42
    assert queues["short"] == {"name": "short", "queued": 0, "running": 0, "oldest_wait_s": None}
    workers = {worker["name"]: worker for worker in summary["workers"]}
    assert list(workers) == ["h/1-0", "h/1-1", "old/7"]
    assert workers["h/1-0"]["unit"] is None
    assert workers["h/1-1"]["unit"] == {
        "id": units["video-0"]["id"], "key": "video-0", "lecture_id": lecture_id,
    }  # fmt: skip
    draining = seen.model_copy(update={"is_draining": True})
    await vod.internal.call("POST", "/internal/workers", body=draining)
    workers = {w["name"]: w for w in (await fetch(vod, "/jobs/summary"))["workers"]}
    assert workers["h/1-0"]["is_draining"]
    gone = seen.model_copy(update={"is_gone": True})
    await vod.internal.call("POST", "/internal/workers", body=gone)
    assert "h/1-0" not in {w["name"] for w in (await fetch(vod, "/jobs/summary"))["workers"]}


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.INSTRUCTOR])
async def test_who_may_look_and_press(vod: Vod, role: Role | None) -> None:
    _, job_id, units = await start_planned(vod)
    refused = 401 if role is None else 403
    may_see = 200 if role is Role.INSTRUCTOR else refused  # It was that instructor's class.
    for method, path, expected in (
        ("GET", "/jobs", refused),
        ("GET", "/jobs/summary", refused),
        ("GET", "/units/failed", refused),
        ("GET", f"/jobs/{job_id}", may_see),
        ("GET", f"/units/{units['plan']['id']}", refused),
        ("POST", f"/jobs/{job_id}/cancel", refused),
        ("POST", f"/jobs/{job_id}/retry", refused),
    ):
        assert (await vod.call(method, path, role=role)).status == expected, path
    for path in (f"/jobs/{new_id()}", "/jobs/x", f"/units/{new_id()}"):
        assert (await vod.call("GET", path, role=Role.ADMIN)).status == 404
