"""Notices over HTTP: drafted by publishing, written, scheduled, counted by the week, found."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from tests.integration.test_library_api import act, make, make_link
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.library.review.clock import follow_clock
from vod.notices.policy import find_week_start

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

EDITOR, MEMBER = Role.EDITOR, Role.MEMBER


async def load_drafts(vod: Vod, **params: str) -> list[dict[str, Any]]:
    answer = await vod.call("GET", "/notices/drafts", role=EDITOR, params=params)
    assert answer.status == 200, answer.body
    return list(answer.body["items"])


async def load_list(vod: Vod, role: Role | None = MEMBER, **params: str) -> dict[str, Any]:
    answer = await vod.call("GET", "/notices", role=role, params=params)
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def publish(vod: Vod, notice: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"version": notice["version"], **more}
    answer = await vod.call("POST", f"/notices/{notice['id']}/publish", role=EDITOR, json=body)
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def test_publishing_a_course_drafts_one_notice_however_it_is_published(vod: Vod) -> None:
    by_hand = await make_link(vod, title="党史第一讲", introduction="<p>从<b>嘉兴</b>说起</p>")
    assert (await act(vod, by_hand["id"], "publish")).status == 200
    for move in ("withdraw", "publish"):
        assert (await act(vod, by_hand["id"], move)).status == 200
    by_clock = await make_link(vod, title="党史第二讲")
    due = vod.clock.now() + timedelta(hours=1)
    at = {"publish_at": due.isoformat()}
    assert (await act(vod, by_clock["id"], "publish", **at)).status == 200
    assert len(await load_drafts(vod)) == 1, "what waits for its time is not told of"
    rounds = [follow_clock(vod.services.database, now=due) for _ in range(2)]
    assert sum(await asyncio.gather(*rounds)) == 1
    second, first = sorted(await load_drafts(vod), key=lambda one: one["title"], reverse=True)
    assert (first["title"], second["title"]) == (
        "新课上线：党史第一讲",
        "新课上线：党史第二讲",
    )
    assert first["about"] == {"kind": "lecture", "id": by_hand["id"]}
    assert (first["standing"], first["section"], first["summary"]) == (
        "draft",
        "courses",
        "从嘉兴说起",
    )
    # Asked for by hand it is the same one; a deleted one does not come back by itself.
    wanted = {"kind": "lecture", "id": by_hand["id"]}
    again = await vod.call("POST", "/notices/drafts", role=EDITOR, json=wanted)
    assert (again.status, again.body["id"]) == (200, first["id"])
    path = f"/notices/{first['id']}"
    stale = await vod.call("DELETE", path, role=EDITOR, params={"version": "7"})
    assert stale.status == 409
    gone = await vod.call("DELETE", path, role=EDITOR, params={"version": "1"})
    assert gone.status == 204
    for move in ("withdraw", "publish"):
        assert (await act(vod, by_hand["id"], move)).status == 200
    assert [one["id"] for one in await load_drafts(vod)] == [second["id"]]
    series = await make(vod, "/series", {"title": "党史学习教育"})
    about = {"kind": "series", "id": series["id"]}
    made = await vod.call("POST", "/notices/drafts", role=EDITOR, json=about)
    assert (made.status, made.body["title"]) == (200, "新专题上线：党史学习教育")


async def test_the_way_of_a_notice(vod: Vod) -> None:
    body = "<p>本周<script>alert(1)</script>要点 <a href='javascript:x'>看</a></p>"
    made = await make(vod, "/notices", {"title": "第47期", "source": "市委组织部", "body": body})
    assert (made["section"], made["visibility"], made["standing"]) == ("work", "members", "draft")
    assert "script" not in made["body"]
    path = f"/notices/{made['id']}"
    assert (await vod.call("GET", path, role=MEMBER)).status == 404
    saved = await vod.call("PATCH", path, role=EDITOR, json={"version": 1, "title": "第47期（改）"})
    assert (saved.status, saved.body["version"], saved.body["body"]) == (200, 2, made["body"])
    stale = await vod.call("PATCH", path, role=EDITOR, json={"version": 1, "title": "别人的"})
    assert stale.status == 409
    assert stale.body["current"]["title"] == "第47期（改）", "nothing of the other one is lost"

    due = vod.clock.now() + timedelta(hours=2)
    scheduled = await publish(vod, saved.body, publish_at=due.isoformat())
    assert scheduled["standing"] == "scheduled"
    assert (await load_list(vod))["total"] == 0
    vod.clock.advance(2 * 3600)
    assert (await load_list(vod))["items"][0]["id"] == made["id"]
    assert (await load_list(vod, role=None))["items"] == [], "of the members"
    assert (await vod.call("GET", path)).status == 404

    # Published again, as after a change of its end, it keeps its time.
    vod.clock.advance(3600)
    end = vod.clock.now() + timedelta(hours=1)
    again = await publish(vod, scheduled, withdraw_at=end.isoformat())
    assert datetime.fromisoformat(again["publish_at"]) == due
    early = {"version": again["version"], "withdraw_at": due.isoformat()}
    refused = await vod.call("POST", f"{path}/publish", role=EDITOR, json=early)
    assert refused.status == 422

    open_to_all = {"version": again["version"], "visibility": "public"}
    changed = await vod.call("PATCH", path, role=EDITOR, json=open_to_all)
    assert (await vod.call("GET", path)).status == 200
    version = {"version": changed.body["version"]}
    taken = await vod.call("POST", f"{path}/withdraw", role=EDITOR, json=version)
    assert (taken.status, taken.body["standing"]) == (200, "withdrawn")
    twice = {"version": taken.body["version"]}
    assert (await vod.call("POST", f"{path}/withdraw", role=EDITOR, json=twice)).status == 409
    assert (await load_list(vod))["total"] == 0
    trail = await vod.call("GET", "/audit", role=Role.ADMIN, params={"object_id": made["id"]})
    actions = {one["action"] for one in trail.body["items"] if one["action"].startswith("notice.")}
    assert actions == {
        "notice.created",
        "notice.changed",
        "notice.published",
        "notice.withdrawn",
    }


async def test_the_week_is_counted_and_lists_are_searched(vod: Vod) -> None:
    week = find_week_start(vod.clock.now())
    rows = (
        ("上周的", "work", "members", week - timedelta(seconds=1)),
        ("星期一的", "work", "members", week),
        ("公开的", "branches", "public", vod.clock.now()),
        ("以后的", "branches", "public", vod.clock.now() + timedelta(seconds=1)),
    )
    for title, section, visibility, at in rows:
        text = f"<p>href 与 100%{title}</p>"
        made = await make(
            vod,
            "/notices",
            {"title": title, "section": section, "visibility": visibility, "body": text},
        )
        await publish(vod, made, publish_at=at.isoformat())
    seen = await load_list(vod)
    assert [one["title"] for one in seen["items"]] == ["公开的", "星期一的", "上周的"]
    assert (seen["week_count"], datetime.fromisoformat(seen["week_starts_at"])) == (2, week)
    assert [(one["section"], one["count"]) for one in seen["sections"]] == [
        ("courses", 0),
        ("work", 2),
        ("branches", 1),
        ("announcements", 0),
    ]
    stranger = await load_list(vod, role=None)
    assert (stranger["week_count"], stranger["total"]) == (1, 1)
    narrowed = await load_list(vod, section="work", page_size="1")
    assert (narrowed["total"], len(narrowed["items"]), narrowed["week_count"]) == (2, 1, 2)
    assert (await load_list(vod, q="100%公"))["total"] == 1
    assert (await load_list(vod, q="<p>"))["total"] == 0, "markup is not searched"
    scheduled = await load_drafts(vod, standing="scheduled")
    assert [one["title"] for one in scheduled] == ["以后的"]
