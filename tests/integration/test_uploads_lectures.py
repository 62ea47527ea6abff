"""What becomes of an uploaded file: duplicates, replacements, refusals, deletion and restoring."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select

from kernel.layout import upload_key
from kernel.messages import UnitFailed
from tests.support.tus_client import (
    TUS,
    encode_metadata,
    head,
    make_bytes,
    patch,
    start,
    upload_whole,
)
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.jobs.models import Job, OutboxMessage, Unit
from vod.jobs.service import JobService
from vod.lectures.models import Lecture, LectureState
from vod.uploads.digest import PART_BYTES, digest_file, digest_part
from vod.uploads.models import Upload
from vod.uploads.sweep import UploadSweeper

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.
DAY_S = 24 * 3600


async def rows(vod: Vod, model: type[Any], **values: Any) -> list[Any]:
    async with vod.services.database.read() as session:
        return list(await session.scalars(select(model).filter_by(**values)))


async def lecture_of(vod: Vod, lecture_id: str) -> Lecture:
    (found,) = await rows(vod, Lecture, id=lecture_id)
    return found  # type: ignore[no-any-return]


async def give_asset(vod: Vod, lecture_id: str) -> None:
    """As if a job had published: only what the tests here look at."""
    async with vod.services.database.write() as session:
        lecture = await session.get(Lecture, lecture_id)
        assert lecture is not None
        lecture.asset_id, lecture.state = "asset-1", LectureState.READY
        for job in await session.scalars(select(Job).where(Job.lecture_id == lecture_id)):
            job.state, job.finished_at = "done", vod.clock.now()
            for unit in await session.scalars(select(Unit).where(Unit.job_id == job.id)):
                unit.state = "done"


async def refuse(vod: Vod, lecture_id: str, reason: str) -> None:
    """A worker takes the newest planning unit and says that it is no media."""
    service = JobService(vod.services.database, vod.clock)
    jobs = await rows(vod, Job, lecture_id=lecture_id)
    newest = max(jobs, key=lambda job: (job.source_version, job.generation))
    (unit,) = await rows(vod, Unit, job_id=newest.id)
    claimed = await service.claim(unit.id, worker="w")
    failed = UnitFailed(fence=claimed.fence, reason=reason, is_permanent=True, cause="media")
    await service.fail(claimed.unit_id, failed)


async def test_the_job_tells_the_worker_where_the_file_is(vod: Vod) -> None:
    shown = await upload_whole(vod, make_bytes(1234), filename="a b.MOV")
    (job,) = await rows(vod, Job, lecture_id=shown["lecture_id"])
    (unit,) = await rows(vod, Unit, job_id=job.id)
    assert (job.kind, job.source_version, job.generation) == ("transcode_upload", 1, 0)
    assert (unit.kind, unit.queue, unit.state.value) == ("plan_upload", "short", "queued")
    assert unit.spec == {
        "upload": {"key": upload_key(shown["id"]), "size_bytes": 1234, "filename": "a b.MOV"}
    }
    (message,) = await rows(vod, OutboxMessage)
    assert (message.unit_id, message.queue) == (unit.id, "short")


async def test_the_same_file_again_is_a_duplicate_and_takes_no_room(vod: Vod) -> None:
    data = make_bytes(PART_BYTES + 5)
    first = await upload_whole(vod, data, filename="甲.mp4")
    second = await upload_whole(vod, data, filename="乙.mp4")
    assert second["state"] == "duplicate"
    assert second["duplicate_of"] == {"id": first["lecture_id"], "title": "甲"}
    assert second["lecture_id"] is None
    assert "《甲》" in second["reason"]
    assert len(await rows(vod, Lecture)) == 1
    assert (await head(vod, f"/uploads/{second['id']}")).status == 200  # Its client is content.
    await UploadSweeper(vod.services.uploads).sweep_once()
    keys = {info.key async for info in vod.services.blobs.list_keys("uploads/")}
    assert keys == {upload_key(first["id"])}
    limits = await vod.call("GET", "/uploads/limits", role=Role.EDITOR)
    assert limits.body["used_bytes"] == len(data)
    wanted = await upload_whole(vod, data, filename="丙.mp4", allow_duplicate="1")
    assert wanted["state"] == "done"


async def test_the_same_file_twice_at_once_is_one_lecture(vod: Vod) -> None:
    data = make_bytes(100_000)
    await vod.token_of(Role.EDITOR)
    shown = await asyncio.gather(*(upload_whole(vod, data) for _ in range(4)))
    assert sorted(row["state"] for row in shown) == ["done", *["duplicate"] * 3]
    assert len(await rows(vod, Lecture)) == 1


async def test_a_file_is_known_before_it_is_sent(sqlite_vod: Vod) -> None:
    data = make_bytes(PART_BYTES + 1)
    digest = digest_file([digest_part(data[:PART_BYTES]), digest_part(data[PART_BYTES:])])
    path = f"/uploads/known?digest={digest}&size_bytes={len(data)}"
    before = await sqlite_vod.call("GET", path, role=Role.EDITOR)
    assert before.body == {"lecture": None}
    shown = await upload_whole(sqlite_vod, data, filename="甲.mp4")
    after = await sqlite_vod.call("GET", path, role=Role.EDITOR)
    assert after.body == {"lecture": {"id": shown["lecture_id"], "title": "甲"}}
    wrong = await sqlite_vod.call("GET", "/uploads/known?digest=x&size_bytes=1", role=Role.EDITOR)
    assert wrong.status == 422


async def test_the_quota_counts_what_is_kept_and_what_is_on_its_way(sqlite_vod: Vod) -> None:
    sqlite_vod.services.uploads.quota_bytes = 1000
    path = await start(sqlite_vod, 600)
    refused = await sqlite_vod.call(
        "POST", "/uploads", role=Role.EDITOR,
        headers={**TUS, "Upload-Length": "500", "Upload-Metadata": "filename YQ=="},
    )  # fmt: skip
    assert (refused.status, "空间不足" in refused.body["title"]) == (413, True)
    await start(sqlite_vod, 1000, role=Role.INSTRUCTOR)  # Everybody has their own.
    limits = await sqlite_vod.call("GET", "/uploads/limits", role=Role.EDITOR)
    assert limits.body == {
        "max_size_bytes": 16 * 2**30, "quota_bytes": 1000, "used_bytes": 600,
        "expires_after_s": 48 * 3600,
        "extensions": ["creation", "creation-with-upload", "expiration", "checksum", "termination"],
    }  # fmt: skip
    await sqlite_vod.call("DELETE", path, role=Role.EDITOR, headers=TUS)
    await start(sqlite_vod, 1000)


async def test_a_file_replaces_another_and_the_page_stays(vod: Vod) -> None:
    first = await upload_whole(vod, make_bytes(100, 1))
    lecture_id = first["lecture_id"]
    await give_asset(vod, lecture_id)
    second = await upload_whole(vod, make_bytes(100, 2), filename="新.mp4", lecture_id=lecture_id)
    assert (second["state"], second["lecture_id"]) == ("done", lecture_id)
    lecture = await lecture_of(vod, lecture_id)
    assert (lecture.upload_id, lecture.source_version) == (second["id"], 2)
    # The old set plays until the new one is published.
    assert (lecture.asset_id, lecture.state, lecture.title) == (
        "asset-1", LectureState.READY, "第一讲",
    )  # fmt: skip
    versions = sorted(
        (job.source_version, job.state.value) for job in await rows(vod, Job, lecture_id=lecture_id)
    )
    assert versions == [(1, "done"), (2, "queued")]


async def test_a_replacement_stops_what_is_made_of_the_old_file(vod: Vod) -> None:
    first = await upload_whole(vod, make_bytes(100, 1))
    await upload_whole(vod, make_bytes(100, 2), lecture_id=first["lecture_id"])
    states = {
        job.source_version: job.state.value
        for job in await rows(vod, Job, lecture_id=first["lecture_id"])
    }
    assert states == {1: "cancelled", 2: "queued"}


async def test_who_may_replace_a_file(sqlite_vod: Vod) -> None:
    theirs = await upload_whole(sqlite_vod, make_bytes(10, 1))
    own = await upload_whole(sqlite_vod, make_bytes(10, 2), role=Role.INSTRUCTOR)
    shown = await upload_whole(
        sqlite_vod, make_bytes(10, 3), role=Role.INSTRUCTOR, lecture_id=own["lecture_id"]
    )
    assert shown["state"] == "done"
    answer = await sqlite_vod.call(
        "POST", "/uploads", role=Role.INSTRUCTOR,
        headers={
            **TUS, "Upload-Length": "5",
            "Upload-Metadata": encode_metadata(filename="a", lecture_id=theirs["lecture_id"]),
        },
    )  # fmt: skip
    assert answer.status == 403


async def test_a_replacement_of_a_lecture_that_is_gone_by_then_leaves_nothing(vod: Vod) -> None:
    first = await upload_whole(vod, make_bytes(100, 1))
    path = await start(vod, 100, lecture_id=first["lecture_id"])
    await vod.call("DELETE", f"/lectures/{first['lecture_id']}", role=Role.EDITOR)
    assert (await patch(vod, path, 0, make_bytes(100, 2))).status == 204
    shown = (await vod.call("GET", path, role=Role.EDITOR)).body
    assert (shown["state"], shown["reason"]) == ("expired", "要替换文件的课程已被删除")
    await UploadSweeper(vod.services.uploads).sweep_once()
    keys = {info.key async for info in vod.services.blobs.list_keys("uploads/")}
    assert keys == {upload_key(first["id"])}


async def test_a_file_that_is_no_media_fails_the_lecture_with_a_sentence(vod: Vod) -> None:
    shown = await upload_whole(vod, make_bytes(100), filename="账本.xlsx")
    await refuse(vod, shown["lecture_id"], "这不是音视频文件")
    after = (await vod.call("GET", f"/uploads/{shown['id']}", role=Role.EDITOR)).body
    assert (after["state"], after["reason"]) == ("refused", "这不是音视频文件")
    lecture = (await vod.call("GET", f"/lectures/{shown['lecture_id']}", role=Role.EDITOR)).body
    assert (lecture["state"], lecture["jobs"][0]["reason"]) == ("failed", "这不是音视频文件")
    again = await upload_whole(vod, make_bytes(100), filename="账本.xlsx")
    assert (again["state"], again["duplicate_of"]["id"]) == ("duplicate", shown["lecture_id"])
    assert again["reason"].endswith("但它没能转码")
    # A proper file takes its place, on the same page.
    good = await upload_whole(vod, make_bytes(100, 2), lecture_id=shown["lecture_id"])
    assert good["state"] == "done"
    lecture = (await vod.call("GET", f"/lectures/{shown['lecture_id']}", role=Role.EDITOR)).body
    assert lecture["state"] == "processing"


async def test_a_refused_replacement_leaves_the_lecture_as_it_was(vod: Vod) -> None:
    first = await upload_whole(vod, make_bytes(100, 1))
    lecture_id = first["lecture_id"]
    await give_asset(vod, lecture_id)
    second = await upload_whole(vod, make_bytes(100, 2), lecture_id=lecture_id)
    await refuse(vod, lecture_id, "文件里没有画面,也没有声音")
    lecture = await lecture_of(vod, lecture_id)
    assert (lecture.state, lecture.asset_id) == (LectureState.READY, "asset-1")
    assert lecture.upload_id == first["id"]
    (row,) = await rows(vod, Upload, id=second["id"])
    assert row.state.value == "refused"
    again = await vod.call("POST", f"/lectures/{lecture_id}/transcode", role=Role.EDITOR)
    assert again.status == 202
    (job,) = await rows(vod, Job, id=again.body["id"])
    (unit,) = await rows(vod, Unit, job_id=job.id)
    assert unit.spec["upload"]["key"] == upload_key(first["id"])
    assert job.source_version == lecture.source_version  # So that what it makes may be published.


async def test_a_deleted_lecture_comes_back_and_goes_on(vod: Vod) -> None:
    shown = await upload_whole(vod, make_bytes(100))
    lecture_id = shown["lecture_id"]
    path = f"/lectures/{lecture_id}"
    assert (await vod.call("POST", path + "/restore", role=Role.EDITOR)).status == 409
    await vod.call("DELETE", path, role=Role.EDITOR)
    assert (await vod.call("GET", path, role=Role.EDITOR)).status == 404
    assert (await vod.call("GET", "/lectures", role=Role.EDITOR)).body["total"] == 0
    listed = await vod.call("GET", "/lectures?state=deleted", role=Role.EDITOR)
    assert [row["id"] for row in listed.body["items"]] == [lecture_id]
    assert (await vod.call("GET", "/lectures?state=deleted", role=Role.MEMBER)).status == 403
    assert (await vod.call("GET", "/lectures?state=deleted")).status == 401
    assert (await vod.call("POST", path + "/restore", role=Role.MEMBER)).status == 403
    vod.clock.advance(6 * DAY_S)
    back = await vod.call("POST", path + "/restore", role=Role.EDITOR)
    assert (back.status, back.body["state"]) == (200, "processing")
    states = sorted(job.state.value for job in await rows(vod, Job, lecture_id=lecture_id))
    assert states == ["cancelled", "queued"]
    listed = await vod.call("GET", "/lectures?state=deleted", role=Role.EDITOR)
    assert listed.body["total"] == 0


async def test_after_the_grace_a_lecture_is_gone_for_good(sqlite_vod: Vod) -> None:
    shown = await upload_whole(sqlite_vod, make_bytes(100))
    path = f"/lectures/{shown['lecture_id']}"
    await sqlite_vod.call("DELETE", path, role=Role.EDITOR)
    sqlite_vod.clock.advance(7 * DAY_S)
    listed = await sqlite_vod.call("GET", "/lectures?state=deleted", role=Role.EDITOR)
    assert listed.body["total"] == 0
    answer = await sqlite_vod.call("POST", path + "/restore", role=Role.EDITOR)
    assert (answer.status, "7 天" in answer.body["title"]) == (410, True)
    nowhere = await sqlite_vod.call("POST", f"/lectures/{'0' * 20}/restore", role=Role.EDITOR)
    assert nowhere.status == 404


async def test_deleting_in_the_middle_of_planning_ends_the_job(vod: Vod) -> None:
    shown = await upload_whole(vod, make_bytes(100))
    (job,) = await rows(vod, Job)
    (unit,) = await rows(vod, Unit, job_id=job.id)
    await JobService(vod.services.database, vod.clock).claim(unit.id, worker="w")
    await vod.call("DELETE", f"/lectures/{shown['lecture_id']}", role=Role.EDITOR)
    (job,) = await rows(vod, Job)
    assert (job.state.value, job.reason) == ("cancelled", "课程已删除")
