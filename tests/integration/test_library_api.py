"""The course library over HTTP: forms, teachers, papers, series in order, review, the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import event

from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.library.review.clock import follow_clock

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

EDITOR = Role.EDITOR


async def make(vod: Vod, path: str, body: dict[str, Any], role: Role = EDITOR) -> dict[str, Any]:
    answer = await vod.call("POST", path, role=role, json=body)
    assert answer.status == 201, answer.body
    return dict(answer.body)


async def make_link(vod: Vod, **values: Any) -> dict[str, Any]:
    body = {
        "title": "学习强国专题",
        "kind": "link",
        "external_url": "https://example.cn/x",
        **values,
    }
    return await make(vod, "/lectures", body)


async def act(vod: Vod, lecture_id: str, move: str, role: Role = EDITOR, **more: Any) -> Any:
    path = f"/lectures/{lecture_id}/publication"
    return await vod.call("POST", path, role=role, json={"move": move, **more})


async def test_a_lecture_is_described_found_and_shown_only_once_published(vod: Vod) -> None:
    teacher = await make(vod, "/instructors", {"name": "曾晓红", "unit_name": "市委党校"})
    series = await make(vod, "/series", {"title": "党史学习教育"})
    made = await make_link(
        vod,
        form="staged",
        tags=["党史", "延安"],
        hours=0.25,
        instructor_ids=[teacher["id"]],
        series_ids=[series["id"]],
        source_label="共产党员网",
        licence="转载授权",
        external_id="gcdy-1",
        introduction="<p>好<script>alert(1)</script><a href='javascript:x'>链接</a></p>",
        film={"category": "微视频", "awards": [{"title": "一等奖", "year": 2025}]},
    )
    assert (made["publication"], made["hours"], made["form"]["name"]) == ("draft", 0.25, "情景党课")
    assert made["introduction"] == '<p>好<a rel="noopener noreferrer nofollow">链接</a></p>'
    assert made["film"]["awards"][0]["title"] == "一等奖"
    assert [one["name"] for one in made["instructors"]] == ["曾晓红"]
    path = f"/lectures/{made['id']}"
    assert (await vod.call("GET", path, role=Role.MEMBER)).status == 404
    assert (await act(vod, made["id"], "publish")).body["publication"] == "published"
    for query in ("form=staged", "tag=延安", f"instructor_id={teacher['id']}", "kind=link"):
        found = await vod.call("GET", f"/lectures?{query}", role=Role.MEMBER)
        assert [item["id"] for item in found.body["items"]] == [made["id"]], query
    for query in ("form=micro", "tag=无", "kind=document"):
        assert (await vod.call("GET", f"/lectures?{query}", role=Role.MEMBER)).body["total"] == 0
    again = {"title": "x", "kind": "link", "external_url": "https://a.cn", "external_id": "gcdy-1"}
    assert (await vod.call("POST", "/lectures", role=EDITOR, json=again)).status == 409
    stale = await vod.call("PATCH", path, role=EDITOR, json={"title": "新", "version": 0})
    assert stale.status == 409
    wrong = {"title": "x", "kind": "link", "external_url": "javascript:alert(1)"}
    assert (await vod.call("POST", "/lectures", role=EDITOR, json=wrong)).status == 422
    shown = (await vod.call("GET", f"/series/{series['id']}", role=Role.MEMBER)).body
    assert (shown["lectures_count"], shown["hours"], shown["required_count"]) == (1, 0.25, 1)


async def test_26_one_lesson_sits_in_two_series_in_the_order_of_the_editor(vod: Vod) -> None:
    first, second = [await make(vod, "/series", {"title": title}) for title in ("甲", "乙")]
    lectures = [await make_link(vod, title=f"第{number}讲") for number in "一二三"]
    ids = [one["id"] for one in lectures]
    for series, wanted in ((first, ids), (second, [ids[2], ids[0]])):
        place = f"/series/{series['id']}/lectures"
        entries = [{"lecture_id": key, "is_required": key != ids[0]} for key in wanted]
        body = {"version": 1, "lectures": entries}
        assert (await vod.call("PUT", place, role=EDITOR, json=body)).status == 200
        listed = await vod.call("GET", f"/lectures?series_id={series['id']}", role=EDITOR)
        assert [item["id"] for item in listed.body["items"]] == wanted
        late = await vod.call("PUT", place, role=EDITOR, json={"version": 1, "lectures": []})
        assert late.status == 409
        assert [one["lecture_id"] for one in late.body["current"]["lectures"]] == wanted
    both = (await vod.call("GET", f"/lectures/{ids[0]}", role=EDITOR)).body["series"]
    assert [(one["title"], one["position"], one["is_required"]) for one in both] == [
        ("甲", 0, False), ("乙", 1, False),
    ]  # fmt: skip
    twice = {"version": 2, "lectures": [{"lecture_id": ids[0]}] * 2}
    path = f"/series/{first['id']}/lectures"
    assert (await vod.call("PUT", path, role=EDITOR, json=twice)).status == 422


async def test_review_takes_its_steps_by_different_people(vod: Vod) -> None:
    await vod.token_of(Role.ADMIN)
    await vod.token_of(EDITOR)
    steps = [{"name": "初审"}, {"name": "终审", "reviewers": [vod.account_ids[Role.ADMIN]]}]
    policy = {"version": 1, "steps": steps}
    assert (await vod.call("PUT", "/review/policy", role=EDITOR, json=policy)).status == 403
    assert (await vod.call("PUT", "/review/policy", role=Role.ADMIN, json=policy)).status == 200
    await vod.add_account("second", EDITOR)
    other = str((await vod.sign_in("second")).body["token"])
    lecture_id = (await make_link(vod))["id"]
    path = f"/lectures/{lecture_id}/publication"
    assert (await act(vod, lecture_id, "publish")).status == 403
    waiting = await act(vod, lecture_id, "submit")
    assert (waiting.body["publication"], waiting.body["step_name"]) == ("in_review", "初审")
    assert waiting.body["moves"] == ["retract"]
    assert (await act(vod, lecture_id, "approve")).status == 403
    queue = (await vod.call("GET", "/review/queue", token=other)).body["items"]
    assert [(one["lecture_id"], one["moves"][:2]) for one in queue] == [
        (lecture_id, ["approve", "reject"])
    ]
    bare = await vod.call("POST", path, token=other, json={"move": "reject"})
    assert (bare.status, bare.body["field"]) == (422, "reason")
    back = await vod.call("POST", path, token=other, json={"move": "reject", "reason": "缺字幕"})
    assert (back.body["publication"], back.body["history"][-1]["reason"]) == ("draft", "缺字幕")
    await act(vod, lecture_id, "submit")
    passed = await vod.call("POST", path, token=other, json={"move": "approve"})
    assert (passed.body["step_name"], passed.body["moves"]) == ("终审", ["retract"])
    assert (await vod.call("GET", f"/lectures/{lecture_id}", role=Role.MEMBER)).status == 404
    done = await act(vod, lecture_id, "approve", role=Role.ADMIN)
    assert done.body["publication"] == "published"
    assert [one["deed"] for one in done.body["history"]] == [
        "submitted", "rejected", "submitted", "approved", "approved",
    ]  # fmt: skip
    assert (await vod.call("GET", f"/lectures/{lecture_id}", role=Role.MEMBER)).status == 200


async def test_the_clock_publishes_and_withdraws_once(vod: Vod) -> None:
    lecture_id = (await make_link(vod))["id"]
    database, now = vod.services.database, vod.clock.now()
    times = {
        "publish_at": (now + timedelta(minutes=1)).isoformat(),
        "withdraw_at": (now + timedelta(minutes=5)).isoformat(),
    }
    assert (await act(vod, lecture_id, "publish", **times)).body["publication"] == "scheduled"
    assert await follow_clock(database, now=now + timedelta(seconds=59)) == 0
    assert await follow_clock(database, now=now + timedelta(minutes=1)) == 1
    assert await follow_clock(database, now=now + timedelta(minutes=1)) == 0
    assert (await vod.call("GET", f"/lectures/{lecture_id}", role=Role.MEMBER)).status == 200
    assert await follow_clock(database, now=now + timedelta(minutes=5)) == 1
    assert (await vod.call("GET", f"/lectures/{lecture_id}", role=Role.MEMBER)).status == 404
    audit = (await vod.call("GET", "/audit?page_size=3", role=Role.ADMIN)).body["items"]
    of_lecture = [row for row in audit if row["object_id"] == lecture_id]
    assert [(row["action"], row["actor"]) for row in of_lecture] == [
        ("lecture.withdrawn", None), ("lecture.published", None),
    ]  # fmt: skip


async def test_25_a_teacher_is_found_by_initials_and_orderable_while_appointed(vod: Vod) -> None:
    today = vod.clock.now().date()
    teacher = await make(
        vod, "/instructors",
        {"name": "曾晓红", "topics": ["党史"], "appointed_until": today.isoformat()},
    )  # fmt: skip
    past = (today - timedelta(days=1)).isoformat()
    await make(vod, "/instructors", {"name": "李明", "appointed_until": past})
    for words in ("zxh", "zengxiao", "曾晓"):
        found = (await vod.call("GET", f"/instructors?q={words}")).body["items"]
        assert [one["id"] for one in found] == [teacher["id"]], words
    orderable = (await vod.call("GET", "/instructors?orderable=true")).body["items"]
    assert [one["name"] for one in orderable] == ["曾晓红"]
    assert (await vod.call("GET", "/instructors?topic=党史")).body["total"] == 1
    lecture_id = (await make_link(vod, instructor_ids=[teacher["id"]], hours=1.5))["id"]
    path = f"/instructors/{teacher['id']}"
    assert (await vod.call("GET", path)).body["lectures_count"] == 0
    await act(vod, lecture_id, "publish")
    shown = (await vod.call("GET", path, role=Role.MEMBER)).body
    assert (shown["lectures_count"], shown["hours"]) == (1, 1.5)
    assert (await vod.call("DELETE", path, role=EDITOR)).status == 409


async def test_papers_go_out_as_downloads_and_only_to_whom_the_lecture_is_for(vod: Vod) -> None:
    lecture_id = (await make_link(vod, kind="document"))["id"]
    place = f"/lectures/{lecture_id}/documents"
    raw = {"Content-Type": "application/octet-stream"}
    wrong = await vod.call(
        "POST", f"{place}?filename=a.pdf", role=EDITOR, data=b"<html>", headers=raw
    )
    assert wrong.status == 415
    page = await vod.call(
        "POST", f"{place}?filename=a.html", role=EDITOR, data=b"<html>", headers=raw
    )
    assert page.status == 415
    sent = await vod.call(
        "POST", f"{place}?filename=讲义.pdf", role=EDITOR, data=b"%PDF-1.7 x", headers=raw
    )
    assert (sent.status, sent.body["filename"]) == (201, "讲义.pdf")
    url = f"{place}/{sent.body['id']}"
    assert (await vod.call("GET", url, role=Role.MEMBER)).status == 404
    await act(vod, lecture_id, "publish")
    got = await vod.call("GET", url, role=Role.MEMBER)
    assert (got.status, got.body) == (200, b"%PDF-1.7 x")
    assert got.headers["Content-Disposition"].startswith("attachment;")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert (await vod.call("DELETE", url, role=EDITOR)).status == 204
    assert (await vod.call("GET", url, role=EDITOR)).status == 404


async def test_lists_ask_the_same_number_of_questions_for_any_number_of_rows(vod: Vod) -> None:
    teacher = (await make(vod, "/instructors", {"name": "王五"}))["id"]
    series = (await make(vod, "/series", {"title": "甲"}))["id"]
    counts: dict[str, list[int]] = {}
    asked = 0

    def count(*_: Any) -> None:
        nonlocal asked
        asked += 1

    event.listen(vod.services.database.engine.sync_engine, "before_cursor_execute", count)
    for number in (1, 6):
        for one in range(number):
            more = {"form": "micro", "tags": [f"t{one}"], "instructor_ids": [teacher]}
            await make_link(vod, **more, series_ids=[series])
        for path in ("/lectures", "/series", "/instructors", "/venues", "/tags"):
            asked = 0
            assert (await vod.call("GET", path, role=EDITOR)).status == 200
            counts.setdefault(path, []).append(asked)
    assert all(first == second > 0 for first, second in counts.values()), counts


async def test_forms_venues_and_many_at_once(vod: Vod) -> None:
    forms = (await vod.call("GET", "/forms")).body["items"]
    ids = [(await make_link(vod))["id"] for _ in range(3)]
    change = {"lecture_ids": ids, "form": "micro", "add_tags": ["必读"], "hours": 0.5}
    many = await vod.call("POST", "/lectures/bulk", role=EDITOR, json=change)
    assert many.body == {"changed_count": 3}
    missing = {**change, "lecture_ids": [*ids, "0" * 20], "form": "film"}
    assert (await vod.call("POST", "/lectures/bulk", role=EDITOR, json=missing)).status == 404
    shown = (await vod.call("GET", f"/lectures/{ids[0]}", role=EDITOR)).body
    assert (shown["form"]["key"], shown["tags"], shown["hours"]) == ("micro", ["必读"], 0.5)
    left = [form for form in forms if form["key"] != "micro"]
    assert (await vod.call("PUT", "/forms", role=EDITOR, json={"items": left})).status == 409
    swapped = [{**form} for form in forms]
    swapped[0]["name"], swapped[1]["name"] = swapped[1]["name"], swapped[0]["name"]
    assert (await vod.call("PUT", "/forms", role=EDITOR, json={"items": swapped})).status == 200
    await make(vod, "/venues", {"name": "城川", "kind": "scene", "contact_phone": "0477-1"})
    anonymous = (await vod.call("GET", "/venues?kind=scene")).body["items"][0]
    assert (anonymous["name"], anonymous["contact_phone"]) == ("城川", None)
    member = (await vod.call("GET", "/venues", role=Role.MEMBER)).body["items"][0]
    assert member["contact_phone"] == "0477-1"
