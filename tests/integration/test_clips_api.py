"""Clips over the API: ordered, made by a worker, downloaded, dropped, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kernel.errors import InputError
from kernel.ids import new_id
from kernel.layout import clip_prefix
from kernel.messages import ClaimedUnit, UnitCompleted, UnitFailed, UnitHeartbeat
from kernel.timing import TICKS_PER_S
from tests.integration.test_editing_api import make_base
from tests.integration.test_jobs_api import claim, hold_class
from tests.support.vod import Vod
from tests.support.vod import database_url as database_url  # noqa: PLC0414 - a fixture
from tests.support.vod import databases as databases  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_url as sqlite_url  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_vod as sqlite_vod  # noqa: PLC0414 - a fixture
from tests.support.vod import vod as vod  # noqa: PLC0414 - a fixture
from transcode.clips.spec import MakeClipSpec
from vod.accounts.roles import Role
from vod.clips.models import Clip
from vod.clips.policy import KEPT_FOR, MAX_OPEN_CLIPS
from vod.clips.sweep import ClipSweep
from vod.jobs.models import Unit

SRT = "1\n00:00:02,000 --> 00:00:03,500\n星星之火\n\n2\n00:00:05,000 --> 00:00:05,500\n之后\n"
RANGE = {"start_s": 1.0, "end_s": 4.0}


async def order(vod: Vod, lecture_id: str, *, status: int = 201, **wanted: Any) -> dict[str, Any]:
    path, body = f"/lectures/{lecture_id}/clips", {**RANGE, **wanted}
    answer = await vod.call("POST", path, role=Role.EDITOR, json=body)
    assert answer.status == status, answer.body
    made: dict[str, Any] = answer.body
    return made


async def list_clips(vod: Vod, lecture_id: str) -> list[dict[str, Any]]:
    answer = await vod.call("GET", f"/lectures/{lecture_id}/clips", role=Role.EDITOR)
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.body["items"]
    return items


async def find_unit_id(vod: Vod, job_id: str) -> str:
    async with vod.services.database.read() as session:
        return str(await session.scalar(select(Unit.id).where(Unit.job_id == job_id)))


async def add_captions(vod: Vod, lecture_id: str) -> str:
    answer = await vod.call(
        "POST", f"/lectures/{lecture_id}/captions", role=Role.EDITOR, data=SRT.encode(),
        headers={"Content-Type": "application/octet-stream"},
    )  # fmt: skip
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def build_report(claimed: ClaimedUnit, size_bytes: int = 5) -> dict[str, Any]:
    """What a worker says of its attempt."""
    return {
        "key": f"{claimed.spec['target']}{claimed.fence}.mp4", "size_bytes": size_bytes,
        "duration_s": 3.0, "width_px": 720, "height_px": 1280,
    }  # fmt: skip


async def make(vod: Vod, clip: dict[str, Any]) -> str:
    """Be the worker; return the key of the file."""
    unit_id = await find_unit_id(vod, clip["job_id"])
    claimed = await claim(vod, unit_id)
    report = build_report(claimed)
    await vod.services.blobs.put_bytes(report["key"], b"12345", content_type="video/mp4")
    done = UnitCompleted(fence=claimed.fence, result=report)
    await vod.internal.call("POST", f"/internal/units/{unit_id}/complete", body=done)
    return str(report["key"])


async def test_a_clip_from_the_order_to_the_download(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    await order(vod, lecture_id, status=409)
    base = await make_base(vod, lecture_id)
    captions_id = await add_captions(vod, lecture_id)
    clip = await order(vod, lecture_id, crop_percent=80, captions_id=captions_id, limit_mb=20)
    assert (clip["state"], clip["language"], clip["file_url"]) == ("queued", "zh-CN", None)
    unit_id = await find_unit_id(vod, clip["job_id"])
    claimed = await claim(vod, unit_id)
    # The worker understands what it is told.
    spec = MakeClipSpec.model_validate(claimed.spec)
    assert (spec.prefix, spec.source.name) == (base.prefix, "360p")
    assert (spec.start_ticks, spec.end_ticks) == (1 * TICKS_PER_S, 4 * TICKS_PER_S)
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in spec.cues] == [(1000, 2500, "星星之火")]
    assert (spec.crop_x, spec.limit_bytes) == (0.8, 20_000_000)
    assert spec.target == clip_prefix(lecture_id, clip["id"])
    beat = UnitHeartbeat(fence=claimed.fence, progress=0.5)
    await vod.internal.call("POST", f"/internal/units/{unit_id}/heartbeat", body=beat)
    (shown,) = await list_clips(vod, lecture_id)
    assert (shown["state"], shown["progress"]) == ("running", 0.5)
    path = f"/lectures/{lecture_id}/clips/{clip['id']}"
    assert (await vod.call("GET", f"{path}/file", role=Role.EDITOR)).status == 404
    report = build_report(claimed)
    for wrong in ({"key": report["key"].replace(".mp4", "0.mp4")}, {"size_bytes": 20_000_001}):
        refused = UnitCompleted(fence=claimed.fence, result={**report, **wrong})
        with pytest.raises(InputError):
            await vod.internal.call("POST", f"/internal/units/{unit_id}/complete", body=refused)
    await vod.services.blobs.put_bytes(report["key"], b"12345", content_type="video/mp4")
    done = UnitCompleted(fence=claimed.fence, result=report)
    await vod.internal.call("POST", f"/internal/units/{unit_id}/complete", body=done)
    (shown,) = await list_clips(vod, lecture_id)
    assert (shown["state"], shown["size_bytes"], shown["width_px"]) == ("done", 5, 720)
    token = await vod.token_of(Role.EDITOR)
    for role, status in ((Role.MEMBER, 403), (None, 401)):
        assert (await vod.call("GET", f"{path}/file", role=role)).status == status
    headers = {"Authorization": f"Bearer {token}"}
    async with vod.http.get(shown["file_url"], headers=headers) as response:
        assert (response.status, await response.read()) == (200, b"12345")
        assert response.headers["Content-Type"] == "video/mp4"
        named = response.headers["Content-Disposition"]
        assert named.startswith("attachment;")
        assert "00.00.01-00.00.04.mp4" in named
        assert "private" in response.headers["Cache-Control"]
    # Members see the lecture as before; its job is not among those that make it.
    lecture = (await vod.call("GET", f"/lectures/{lecture_id}")).body
    assert lecture["state"] == "ready"
    assert {job["kind"] for job in lecture["jobs"]} == {"transcode_recording"}
    listed = await vod.call("GET", "/jobs", role=Role.EDITOR, params={"kind": "make_clip"})
    assert [job["state"] for job in listed.body["items"]] == ["done"]
    # A newer set of the same source leaves clips alone.
    again = await order(vod, lecture_id)
    assert (await vod.call("POST", f"/lectures/{lecture_id}/transcode", role=Role.EDITOR)).status
    assert [item["state"] for item in await list_clips(vod, lecture_id)] == ["queued", "done"]
    await make(vod, again)


async def test_dropping_and_growing_old(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    await make_base(vod, lecture_id)
    clips = [await order(vod, lecture_id) for _ in range(3)]
    keys = [await make(vod, clip) for clip in clips[:2]]
    unit_id = await find_unit_id(vod, clips[2]["job_id"])
    for clip in (clips[0], clips[2]):
        path = f"/lectures/{lecture_id}/clips/{clip['id']}"
        assert (await vod.call("DELETE", path, role=Role.EDITOR)).status == 204
        assert (await vod.call("DELETE", path, role=Role.EDITOR)).status == 404
        assert (await vod.call("GET", f"{path}/file", role=Role.EDITOR)).status == 404
    unit = (await vod.call("GET", f"/units/{unit_id}", role=Role.EDITOR)).body
    assert (unit["state"], unit["reason"]) == ("cancelled", "短片已删除")
    services = vod.services
    sweep = ClipSweep(
        services.database, services.blobs, vod.internal, vod.clock, keep=timedelta(days=7)
    )
    assert await sweep.sweep_once() == 0, "a worker may still write"
    vod.clock.advance(timedelta(minutes=11).total_seconds())
    assert await sweep.sweep_once() == 1
    assert [info.key async for info in services.blobs.list_keys("clips/")] == [keys[1]]
    vod.clock.advance(KEPT_FOR.total_seconds())
    assert await sweep.sweep_once() == 0
    async with services.database.read() as session:
        assert [clip.deleted_at is None for clip in await session.scalars(select(Clip))] == [False]
    vod.clock.advance(timedelta(minutes=11).total_seconds())
    assert await sweep.sweep_once() == 1
    assert [info.key async for info in services.blobs.list_keys("clips/")] == []
    async with services.database.read() as session:
        assert (await session.scalars(select(Clip))).all() == []


async def test_a_failure_is_a_sentence(sqlite_vod: Vod) -> None:
    lecture_id, _ = await hold_class(sqlite_vod)
    await make_base(sqlite_vod, lecture_id)
    clip = await order(sqlite_vod, lecture_id)
    unit_id = await find_unit_id(sqlite_vod, clip["job_id"])
    claimed = await claim(sqlite_vod, unit_id)
    failure = UnitFailed(
        fence=claimed.fence, reason="转码节点没有安装中文字体", is_permanent=True, log_tail="x"
    )
    await sqlite_vod.internal.call("POST", f"/internal/units/{unit_id}/fail", body=failure)
    (shown,) = await list_clips(sqlite_vod, lecture_id)
    assert (shown["state"], shown["reason"]) == ("failed", "转码节点没有安装中文字体")
    assert (await sqlite_vod.call("GET", f"/lectures/{lecture_id}")).body["state"] == "ready"


@pytest.mark.parametrize(
    "wrong",
    [
        {"end_s": 1.5}, {"end_s": 0.5}, {"end_s": 9.0}, {"start_s": -1.0}, {"crop_percent": 101},
        {"limit_mb": 0}, {"limit_mb": 501}, {"shape": "round"}, {"start_s": 1e999},
    ],
)  # fmt: skip
async def test_what_cannot_be_a_clip_is_refused(sqlite_vod: Vod, wrong: dict[str, Any]) -> None:
    lecture_id, _ = await hold_class(sqlite_vod)
    await make_base(sqlite_vod, lecture_id)
    await order(sqlite_vod, lecture_id, status=422, **wrong)
    assert await list_clips(sqlite_vod, lecture_id) == []


async def test_captions_and_numbers_are_checked(sqlite_vod: Vod) -> None:
    lecture_id, _ = await hold_class(sqlite_vod)
    await make_base(sqlite_vod, lecture_id)
    captions_id = await add_captions(sqlite_vod, lecture_id)
    await order(sqlite_vod, lecture_id, status=404, captions_id=new_id())
    silent = {"start_s": 0.0, "end_s": 1.5, "captions_id": captions_id}
    refused = await order(sqlite_vod, lecture_id, status=422, **silent)
    assert "没有字幕" in refused["title"]
    for _ in range(MAX_OPEN_CLIPS):
        await order(sqlite_vod, lecture_id)
    await order(sqlite_vod, lecture_id, status=409)
