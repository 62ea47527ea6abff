"""Cutting a lecture over the API: versions, flips, restoring, re-encodes, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.layout import asset_prefix
from kernel.messages import (
    AssetReport,
    KeptRange,
    PlanReport,
    RenditionPlan,
    UnitFailed,
    UnitHeartbeat,
    UnitPlan,
)
from kernel.timing import TICKS_PER_S
from tests.integration.test_jobs_api import claim, finish, hold_class
from tests.integration.vod_jobs_support import make_asset, make_plan
from tests.support.vod import Vod
from tests.support.vod import database_url as database_url  # noqa: PLC0414 - a fixture
from tests.support.vod import databases as databases  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_url as sqlite_url  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_vod as sqlite_vod  # noqa: PLC0414 - a fixture
from tests.support.vod import vod as vod  # noqa: PLC0414 - a fixture
from vod.accounts.roles import Role, Visibility
from vod.assets.cleanup import Cleanup
from vod.jobs.planning import plan_upload
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadState

KEPT = [{"start_s": 1.0, "end_s": 2.5}, {"start_s": 4.0, "end_s": 6.0}]
CUT_HASH = "c" * 32


async def list_units(vod: Vod, lecture_id: str, kind: str) -> dict[str, dict[str, Any]]:
    """Units of the newest job of that kind, by key."""
    answer = await vod.call("GET", f"/lectures/{lecture_id}/jobs", role=Role.EDITOR)
    jobs = [job for job in answer.body["items"] if job["kind"] == kind]
    return {unit["key"]: unit for unit in jobs[0]["units"]}


async def make_base(vod: Vod, lecture_id: str, *, kind: str = "transcode_recording") -> AssetReport:
    """Carry out the newest transcoding job."""
    units = await list_units(vod, lecture_id, kind)
    claimed = await finish(vod, units["plan"]["id"], make_plan().model_dump(mode="json"))
    units = await list_units(vod, lecture_id, kind)
    for key in ("video-0", "video-1", "audio"):
        await finish(vod, units[key]["id"], {})
    report = make_asset(claimed.asset_id)
    await finish(vod, units["publish"]["id"], report.model_dump(mode="json"))
    return report


async def make_cut(vod: Vod, lecture_id: str) -> AssetReport:
    """Carry out the newest cut."""
    units = await list_units(vod, lecture_id, "edit_lecture")
    plan = PlanReport(
        plan_hash=CUT_HASH,
        renditions=(RenditionPlan(name="360p", kind="video", codec="h264", reason="cut"),),
        units=(UnitPlan(key="publish", kind="publish_asset", queue="short", spec={}),),
    )
    claimed = await finish(vod, units["plan"]["id"], plan.model_dump(mode="json"))
    units = await list_units(vod, lecture_id, "edit_lecture")
    report = make_asset(claimed.asset_id).model_copy(
        update={
            "prefix": asset_prefix(claimed.asset_id, plan_hash=CUT_HASH),
            "duration_s": 3.5,
            "kept": tuple(
                KeptRange(
                    start_ticks=round(item["start_s"] * TICKS_PER_S),
                    end_ticks=round(item["end_s"] * TICKS_PER_S),
                )
                for item in KEPT
            ),
        }
    )
    await finish(vod, units["publish"]["id"], report.model_dump(mode="json"))
    return report


async def get_edit(vod: Vod, lecture_id: str) -> dict[str, Any]:
    answer = await vod.call("GET", f"/lectures/{lecture_id}/edit", role=Role.EDITOR)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.body
    return body


async def put_edit(vod: Vod, lecture_id: str, version: int, kept: Any = KEPT) -> Any:
    body = {"version": version, "kept": kept}
    return await vod.call("PUT", f"/lectures/{lecture_id}/edit", json=body, role=Role.EDITOR)


async def find_pointers(vod: Vod, lecture_id: str) -> tuple[str | None, str | None]:
    async with vod.services.database.read() as session:
        lecture = await session.get_one(Lecture, lecture_id)
        return lecture.asset_id, lecture.base_asset_id


def asset_of(report: AssetReport) -> str:
    return report.prefix.split("/")[1]


async def test_a_cut_is_made_flipped_to_and_undone(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    base = await make_base(vod, lecture_id)
    edit = await get_edit(vod, lecture_id)
    assert (edit["version"], edit["state"], edit["duration_s"]) == (0, "none", 6.0)
    assert edit["kept"] == [{"start_s": 0.0, "end_s": 6.0}]
    assert edit["media"]["hls_url"].endswith(f"/media/{lecture_id}/{base.prefix}index.m3u8")

    answer = await put_edit(vod, lecture_id, 0)
    assert answer.status == 200, answer.body
    assert (answer.body["version"], answer.body["state"]) == (1, "queued")
    assert answer.body["kept"] == KEPT
    # What plays stays until the cut is there.
    assert await find_pointers(vod, lecture_id) == (asset_of(base), None)
    units = await list_units(vod, lecture_id, "edit_lecture")
    claimed = await claim(vod, units["plan"]["id"])
    assert claimed.spec["prefix"] == base.prefix
    assert claimed.spec["kept"] == [[90_000, 225_000], [360_000, 540_000]]
    assert (await get_edit(vod, lecture_id))["state"] == "running"
    await vod.internal.call(
        "POST",
        f"/internal/units/{claimed.unit_id}/fail",
        body=UnitFailed(fence=claimed.fence, reason="又一次", is_permanent=True),
    )
    edit = await get_edit(vod, lecture_id)
    assert (edit["state"], edit["reason"]) == ("failed", "又一次")
    assert (await vod.call("GET", f"/lectures/{lecture_id}")).body["state"] == "ready"

    assert (await put_edit(vod, lecture_id, 1)).body["version"] == 2
    cut = await make_cut(vod, lecture_id)
    assert await find_pointers(vod, lecture_id) == (asset_of(cut), asset_of(base))
    edit = await get_edit(vod, lecture_id)
    assert (edit["state"], edit["duration_s"]) == ("done", 6.0)
    lecture = (await vod.call("GET", f"/lectures/{lecture_id}")).body
    assert lecture["duration_s"] == pytest.approx(3.5)

    answer = await vod.call("DELETE", f"/lectures/{lecture_id}/edit", role=Role.EDITOR)
    assert (answer.body["state"], answer.body["version"]) == ("none", 3)
    assert await find_pointers(vod, lecture_id) == (asset_of(base), None)
    lecture = (await vod.call("GET", f"/lectures/{lecture_id}")).body
    assert lecture["duration_s"] == pytest.approx(6.0)
    # Again is fine.
    answer = await vod.call("DELETE", f"/lectures/{lecture_id}/edit", role=Role.EDITOR)
    assert answer.body["version"] == 3


async def test_a_new_cut_replaces_one_that_is_being_made(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    await make_base(vod, lecture_id)
    await put_edit(vod, lecture_id, 0)
    first = await claim(vod, (await list_units(vod, lecture_id, "edit_lecture"))["plan"]["id"])
    assert (await put_edit(vod, lecture_id, 0)).status == 409
    assert (await put_edit(vod, lecture_id, 1)).status == 200
    with pytest.raises(ConflictError):
        await vod.internal.call(
            "POST",
            f"/internal/units/{first.unit_id}/heartbeat",
            body=UnitHeartbeat(fence=first.fence, progress=0.5),
        )
    cut = await make_cut(vod, lecture_id)
    assert (await find_pointers(vod, lecture_id))[0] == asset_of(cut)
    # Keeping all of it undoes the edit.
    answer = await put_edit(vod, lecture_id, 2, [{"start_s": 0, "end_s": 6.0}])
    assert (answer.body["state"], answer.body["version"]) == ("none", 3)


async def test_a_re_encode_makes_the_base_and_the_cut_follows_by_itself(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    await make_base(vod, lecture_id)
    await put_edit(vod, lecture_id, 0)
    cut = await make_cut(vod, lecture_id)
    answer = await vod.call("POST", f"/lectures/{lecture_id}/transcode", role=Role.EDITOR)
    assert answer.status == 202, answer.body
    assert (await get_edit(vod, lecture_id))["state"] == "done"
    base = await make_base(vod, lecture_id)
    # The old cut plays on, and the new base is being cut.
    assert await find_pointers(vod, lecture_id) == (asset_of(cut), asset_of(base))
    edit = await get_edit(vod, lecture_id)
    assert (edit["version"], edit["state"]) == (1, "queued")
    follower = await make_cut(vod, lecture_id)
    assert asset_of(follower) != asset_of(cut)
    assert await find_pointers(vod, lecture_id) == (asset_of(follower), asset_of(base))


async def test_a_cut_in_the_making_survives_a_re_encode_that_begins(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    first = await make_base(vod, lecture_id)
    await put_edit(vod, lecture_id, 0)
    await vod.call("POST", f"/lectures/{lecture_id}/transcode", role=Role.EDITOR)
    cut = await make_cut(vod, lecture_id)
    assert await find_pointers(vod, lecture_id) == (asset_of(cut), asset_of(first))
    second = await make_base(vod, lecture_id)
    assert await find_pointers(vod, lecture_id) == (asset_of(cut), asset_of(second))


async def test_what_was_cut_out_stays_out_when_the_class_is_reopened(vod: Vod) -> None:
    lecture_id, broadcast_id = await hold_class(vod)
    first = await make_base(vod, lecture_id)
    await put_edit(vod, lecture_id, 0, [{"start_s": 1.0, "end_s": 4.0}])
    cut = await make_cut(vod, lecture_id)
    await vod.send_ended(broadcast_id, version=2, segments=6)
    # The old cut plays on, not the longer recording with all that was taken out.
    assert await find_pointers(vod, lecture_id) == (asset_of(cut), asset_of(first))
    assert (await put_edit(vod, lecture_id, 1)).status == 409
    await vod.send_event("recording_stored", broadcast_id, recording_version=2)
    units = await list_units(vod, lecture_id, "transcode_recording")
    claimed = await finish(vod, units["plan"]["id"], make_plan().model_dump(mode="json"))
    units = await list_units(vod, lecture_id, "transcode_recording")
    for key in ("video-0", "video-1", "audio"):
        await finish(vod, units[key]["id"], {})
    longer = make_asset(claimed.asset_id).model_copy(update={"duration_s": 12.0})
    await finish(vod, units["publish"]["id"], longer.model_dump(mode="json"))
    assert await find_pointers(vod, lecture_id) == (asset_of(cut), asset_of(longer))
    edit = await get_edit(vod, lecture_id)
    assert (edit["version"], edit["state"]) == (2, "queued")
    assert edit["kept"] == [{"start_s": 1.0, "end_s": 4.0}, {"start_s": 6.0, "end_s": 12.0}]


async def test_a_replaced_file_drops_the_edit_and_says_so(vod: Vod) -> None:
    lecture_id, _ = await hold_class(vod)
    await make_base(vod, lecture_id)
    await put_edit(vod, lecture_id, 0)
    cut = await make_cut(vod, lecture_id)
    upload_id = new_id()
    async with vod.services.database.write() as session:
        upload = Upload(
            id=upload_id,
            account_id=vod.account_ids[Role.EDITOR],
            filename="new.mp4",
            metadata_text="",
            title="新文件",
            visibility=Visibility.PUBLIC,
            lecture_id=lecture_id,
            is_replacement=True,
            size_bytes=10,
            received_bytes=10,
            part_bytes=10,
            multipart="",
            state=UploadState.DONE,
            created_at=vod.clock.now(),
            expires_at=vod.clock.now(),
        )
        session.add(upload)
        lecture = await session.get_one(Lecture, lecture_id)
        lecture.upload_id = upload_id
        lecture.source_version += 1
        await session.flush()
        await plan_upload(session, lecture, upload, now=vod.clock.now())
    assert (await find_pointers(vod, lecture_id))[0] == asset_of(cut)
    replaced = await make_base(vod, lecture_id, kind="transcode_upload")
    assert await find_pointers(vod, lecture_id) == (asset_of(replaced), None)
    edit = await get_edit(vod, lecture_id)
    assert (edit["version"], edit["state"]) == (2, "none")
    assert edit["reason"] == "课程换了新文件,原来的剪辑已取消"


@pytest.mark.parametrize(
    "kept",
    [
        [],
        [{"start_s": 2, "end_s": 1}],
        [{"start_s": 0, "end_s": 3}, {"start_s": 2, "end_s": 5}],
        [{"start_s": 0, "end_s": 60}],
        [{"start_s": 1, "end_s": 1.05}],
        [{"start_s": -1, "end_s": 3}],
        [{"start_s": 0, "end_s": 1e300}],
        "all",
    ],
)
async def test_ranges_that_do_not_hold_are_refused(sqlite_vod: Vod, kept: Any) -> None:
    lecture_id, _ = await hold_class(sqlite_vod)
    await make_base(sqlite_vod, lecture_id)
    assert (await put_edit(sqlite_vod, lecture_id, 0, kept)).status in {400, 422}
    assert (await get_edit(sqlite_vod, lecture_id))["version"] == 0


async def test_who_may_cut(sqlite_vod: Vod) -> None:
    lecture_id, _ = await hold_class(sqlite_vod)
    path = f"/lectures/{lecture_id}/edit"
    assert (await put_edit(sqlite_vod, lecture_id, 0)).status == 409  # Nothing to cut yet.
    await make_base(sqlite_vod, lecture_id)
    for role, status in ((None, 401), (Role.MEMBER, 403), (Role.INSTRUCTOR, 200)):
        assert (await sqlite_vod.call("GET", path, role=role)).status == status, role
        assert (await sqlite_vod.call("DELETE", path, role=role)).status == status, role
    answer = await sqlite_vod.call("GET", f"/lectures/{new_id()}/edit", role=Role.EDITOR)
    assert answer.status == 404


async def test_the_uncut_set_outlives_the_grace_and_the_replaced_cut_does_not(
    sqlite_vod: Vod,
) -> None:
    vod = sqlite_vod
    lecture_id, _ = await hold_class(vod)
    base = await make_base(vod, lecture_id)
    await put_edit(vod, lecture_id, 0)
    old = await make_cut(vod, lecture_id)
    await put_edit(vod, lecture_id, 1, [{"start_s": 1, "end_s": 5}])
    new = await make_cut(vod, lecture_id)
    for report in (base, old, new):
        await vod.services.blobs.put_bytes(
            f"{report.prefix}360p.mp4", b"x", content_type="video/mp4"
        )
    keep = vod.services.settings.live_retention_days
    cleanup = Cleanup(
        vod.services.database,
        vod.services.blobs,
        vod.services.streamer,
        vod.clock,
        keep=timedelta(days=keep),
    )
    assert old.prefix not in {item.prefix for item in await cleanup.find_leftovers()}
    vod.clock.advance(keep * 86_400 + 1)
    await cleanup.sweep_once()
    left = {info.key async for info in vod.services.blobs.list_keys("assets/")}
    assert left == {f"{base.prefix}360p.mp4", f"{new.prefix}360p.mp4"}
