"""Contests over HTTP: prepared, scored blind, closed, shown; and lectures that are featured."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from tests.integration.test_library_api import act, make, make_link
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

EDITOR, MEMBER, ADMIN = Role.EDITOR, Role.MEMBER, Role.ADMIN
SECRET = "东胜区委组织部"
RULES = {
    "criteria": [{"name": "主题", "weight": 60}, {"name": "制作", "weight": 40}],
    "method": "mean",
}


async def add_film(vod: Vod, title: str) -> str:
    made = await make_link(vod, title=title, film={"category": "微视频", "producer": SECRET})
    assert (await act(vod, made["id"], "publish")).status == 200
    return str(made["id"])


async def add_judge(vod: Vod, login: str, role: Role = MEMBER) -> str:
    await vod.add_account(login, role)
    return str((await vod.sign_in(login)).body["token"])


async def prepare(vod: Vod, films: list[str], logins: list[str], **more: Any) -> dict[str, Any]:
    """An open contest whose films are all entered by the same."""
    start = vod.clock.now() - timedelta(hours=1)
    dates = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(days=7)).isoformat()}
    made = await make(vod, "/contests", {"title": "电视片评比", **dates, **RULES, **more})
    path = f"/contests/{made['id']}"
    entered = [{"lecture_id": one, "category": "微视频", "entrant": SECRET} for one in films]
    for step, body in (("films", {"films": entered}), ("judges", {"logins": logins})):
        answer = await vod.call(
            "PUT", f"{path}/{step}", role=EDITOR, json={"version": made["version"], **body}
        )
        assert answer.status == 200, answer.body
        made = answer.body
    opened = await vod.call("POST", f"{path}/open", role=EDITOR, json={"version": made["version"]})
    assert (opened.status, opened.body["standing"]) == (200, "judging"), opened.body
    return dict(opened.body)


async def score(vod: Vod, contest: dict[str, Any], token: str, film: int, *points: int) -> Any:
    path = f"/judging/{contest['id']}/films/{contest['films'][film]['id']}"
    body = {"points": {f"c{number}": one for number, one in enumerate(points, start=1)}}
    return await vod.call("PUT", path, token=token, json=body)


async def close(vod: Vod, contest: dict[str, Any], **more: Any) -> Any:
    body = {"version": contest["version"], **more}
    return await vod.call("POST", f"/contests/{contest['id']}/close", role=EDITOR, json=body)


async def test_24_judges_score_blind_and_the_result_is_published_by_closing(vod: Vod) -> None:
    films = [await add_film(vod, title) for title in ("草原红旗", "沙海先锋", "黄河人家")]
    first, second = await add_judge(vod, "judge1"), await add_judge(vod, "judge2")
    contest = await prepare(vod, films, ["judge1", "judge2"])
    path = f"/contests/{contest['id']}"
    assert (await score(vod, contest, first, 0, 80, 90)).status == 200
    assert (await score(vod, contest, first, 1, 90, 75)).status == 200
    assert (await score(vod, contest, second, 0, 80, 90)).status == 200

    # Blind: of the second judge's page the first one's points change nothing but nothing.
    mine = await vod.call("GET", f"/judging/{contest['id']}", token=second)
    assert [one["points"] for one in mine.body["films"]] == [{"c1": 80, "c2": 90}, None, None]
    assert (mine.body["scores_count"], mine.body["films_count"]) == (1, 3)
    assert SECRET not in str(mine.body)
    assert "entrant" not in str(mine.body)
    for token in (first, second):
        for where in (path, "/contests", "/judging"):
            seen = await vod.call("GET", where, token=token)
            assert SECRET not in str(seen.body), where
        assert (await vod.call("GET", path, token=token)).body["films"] == []
        assert (await vod.call("GET", f"{path}/sheets", token=token)).status == 403
    # The desk sees how many there are, not which.
    desk = (await vod.call("GET", path, role=EDITOR)).body
    assert [one["scores_count"] for one in desk["films"]] == [2, 1, 0]
    assert [one["score"] for one in desk["films"]] == [None] * 3
    assert {one["login"]: one["scores_count"] for one in desk["judges"]} == {
        "judge1": 2, "judge2": 1,
    }  # fmt: skip
    assert (await vod.call("GET", f"{path}/sheets", role=EDITOR)).status == 409

    refused = await close(vod, contest)
    assert refused.status == 409
    assert "还差 3 份打分" in refused.body["title"]
    closed = await close(vod, contest, accepts_missing=True)
    assert (closed.status, closed.body["standing"]) == (200, "closed")
    # 84 each: the heavier criterion decides; what nobody scored comes last without a place.
    shown = (await vod.call("GET", path, role=MEMBER)).body
    assert [(one["lecture"]["title"], one["place"], one["score"]) for one in shown["films"]] == [
        ("沙海先锋", 1, 84.0), ("草原红旗", 2, 84.0), ("黄河人家", None, None),
    ]  # fmt: skip
    assert {one["entrant"] for one in shown["films"]} == {SECRET}
    assert (await score(vod, contest, first, 2, 50, 50)).status == 409, "it is over"
    sheets = (await vod.call("GET", f"{path}/sheets", role=EDITOR)).body["items"]
    assert sorted(one["mark"] for one in sheets) == [84.0, 84.0, 84.0]
    order = {"version": closed.body["version"], "exhibition_order": "programme"}
    turned = await vod.call("PATCH", path, role=EDITOR, json=order)
    assert [one["number"] for one in turned.body["films"]] == [1, 2, 3]
    late = {"version": turned.body["version"], "method": "trimmed"}
    assert (await vod.call("PATCH", path, role=EDITOR, json=late)).status == 409


async def test_points_count_in_time_only_and_must_be_whole(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    film = await add_film(vod, "草原红旗")
    judge = await add_judge(vod, "judge1")
    other = await add_judge(vod, "somebody")
    contest = await prepare(vod, [film], ["judge1"])
    assert (await score(vod, contest, other, 0, 80, 80)).status == 404, "no judge of it"
    for points in ((80,), (80, 101), (80, -1), (80, 80, 80)):
        assert (await score(vod, contest, judge, 0, *points)).status == 422, points
    assert (await score(vod, contest, judge, 0, 10, 10)).status == 200
    assert (await score(vod, contest, judge, 0, 100, 0)).status == 200, "scored anew"
    vod.clock.advance(8 * 24 * 3600)
    ended = await score(vod, contest, judge, 0, 1, 1)
    assert (ended.status, "评分时间" in ended.body["title"]) == (409, True)
    listed = (await vod.call("GET", "/judging", token=judge)).body["items"]
    assert [(one["standing"], one["scores_count"]) for one in listed] == [("ended", 1)]
    closing = [close(vod, contest) for _ in range(2)]
    answers = await asyncio.gather(*closing)
    assert sorted(one.status for one in answers) == [200, 409]
    done = (await vod.call("GET", f"/contests/{contest['id']}")).body
    assert done["films"] == [], "a stranger sees no film of members"
    assert (done["closed_at"] is not None, done["films_count"]) == (True, 1)


async def test_an_editor_who_judges_sees_the_desk_only_after_the_end(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    film = await add_film(vod, "草原红旗")
    judge = await add_judge(vod, "judging-editor", EDITOR)
    contest = await prepare(vod, [film], ["judging-editor"])
    path = f"/contests/{contest['id']}"
    seen = (await vod.call("GET", path, token=judge)).body
    assert (seen["may_manage"], seen["is_judge"], seen["films"], seen["judges"]) == (
        False, True, [], [],
    )  # fmt: skip
    version = {"version": contest["version"]}
    out = await vod.call("PUT", f"{path}/judges", token=judge, json={**version, "logins": []})
    assert out.status == 403, "nor do they leave to come in by the other door"
    assert (await vod.call("POST", f"{path}/close", token=judge, json=version)).status == 403
    assert (await score(vod, contest, judge, 0, 70, 70)).status == 200
    kept = await vod.call("PUT", f"{path}/judges", role=EDITOR, json={**version, "logins": []})
    assert (kept.status, "打过分" in kept.body["title"]) == (409, True)
    gone = await vod.call("PUT", f"{path}/films", role=EDITOR, json={**version, "films": []})
    assert gone.status == 409, "a film that was scored stays"
    assert (await close(vod, contest)).status == 200
    assert (await vod.call("GET", path, token=judge)).body["may_manage"] is True
    trail = await vod.call("GET", "/audit", role=ADMIN, params={"page_size": 100})
    assert SECRET not in str([e for e in trail.body["items"] if "contest" in e["action"]])


async def test_what_a_contest_refuses(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    film = await add_film(vod, "草原红旗")
    lesson = await make_link(vod, title="不是片子")
    at = vod.clock.now()
    dates = {"starts_at": at.isoformat(), "ends_at": (at + timedelta(days=1)).isoformat()}
    backwards = {"title": "x", "starts_at": dates["ends_at"], "ends_at": dates["starts_at"]}
    assert (await vod.call("POST", "/contests", role=EDITOR, json=backwards)).status == 422
    twice = {"title": "x", **dates, "categories": ["微视频", "微视频"]}
    assert (await vod.call("POST", "/contests", role=EDITOR, json=twice)).status == 422
    made = await make(vod, "/contests", {"title": "评比", **dates})
    assert (len(made["categories"]), made["method"]) == (7, "trimmed")
    path, version = f"/contests/{made['id']}", {"version": 1}
    for films, status in (
        ([{"lecture_id": lesson["id"], "category": "微视频"}], 422),
        ([{"lecture_id": film, "category": "电影"}], 422),
        ([{"lecture_id": film, "category": "微视频"}] * 2, 422),
        ([{"lecture_id": film, "category": "微视频"}], 200),
    ):
        body = {**version, "films": films}
        assert (await vod.call("PUT", f"{path}/films", role=EDITOR, json=body)).status == status
    stale = await vod.call("PATCH", path, role=EDITOR, json={"version": 1, "title": "别人的"})
    assert stale.status == 409
    used = {"version": 2, "categories": ["纪录片"]}
    assert (await vod.call("PATCH", path, role=EDITOR, json=used)).status == 422
    nobody = {"version": 2, "logins": ["nobody-here"]}
    assert (await vod.call("PUT", f"{path}/judges", role=EDITOR, json=nobody)).status == 422
    unready = await vod.call("POST", f"{path}/open", role=EDITOR, json={"version": 2})
    assert (unready.status, "评委" in unready.body["title"]) == (409, True)
    assert (await vod.call("DELETE", path, role=EDITOR, params={"version": "1"})).status == 409
    assert (await vod.call("DELETE", path, role=EDITOR, params={"version": "2"})).status == 204
    assert (await vod.call("GET", path, role=EDITOR)).status == 404
    assert (await vod.call("GET", f"/lectures/{film}", role=MEMBER)).status == 200


async def test_29_a_featured_lecture_and_a_slot_that_ends_by_the_clock(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    lecture_id, other = await add_film(vod, "精品课"), await add_film(vod, "平常课")
    path = f"/lectures/{lecture_id}"
    set_ = await vod.call("PATCH", path, role=EDITOR, json={"is_featured": True})
    assert set_.body["is_featured"] is True

    async def listed(query: str) -> list[str]:
        found = await vod.call("GET", f"/lectures?{query}", role=MEMBER)
        return [one["id"] for one in found.body["items"]]

    assert await listed("featured=true") == [lecture_id]
    assert await listed("featured=false") == [other]
    vod.clock.advance(3600)
    again = await vod.call("PATCH", path, role=EDITOR, json={"title": "精品课（修订）"})
    assert again.body["is_featured"] is True, "left out is left alone"

    item: dict[str, Any] = {
        "id": "k001", "kind": "lecture", "title": "", "url": None, "target_id": lecture_id,
        "is_required": False, "note": "", "audience": {}, "shows_from": None,
        "shows_until": (vod.clock.now() + timedelta(days=1)).isoformat(),
    }  # fmt: skip
    await make(vod, "/recommendations/entries", {"place": "home", "item": item})

    async def recommended() -> list[str]:
        shown = await vod.call("GET", "/recommendations?place=home", role=MEMBER)
        return [one["target_id"] for one in shown.body["items"]]

    vod.clock.advance(24 * 3600 - 1)
    assert await recommended() == [lecture_id]
    vod.clock.advance(1)
    assert await recommended() == []
    entries = (await vod.call("GET", "/recommendations/entries", role=EDITOR)).body["items"]
    assert [one["state"] for one in entries] == ["expired"], "the desk still knows of it"
    off = await vod.call("PATCH", path, role=EDITOR, json={"is_featured": False})
    assert (off.body["is_featured"], await listed("featured=true")) == (False, [])
