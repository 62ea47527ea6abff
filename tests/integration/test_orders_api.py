"""Orders over HTTP: the whole loop, who sees what, what the clock does, what is wanted most."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.test_library_api import act, make, make_link
from tests.support.centre import Centre, build_centre
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.orders.service import carry_up

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

WISH = {"kind": "wish", "title": "宪法宣讲"}


async def join(centre: Centre, login: str, unit: str) -> str:
    """A member of a unit who is signed in; returns the token."""
    vod = centre.vod
    account_id = await vod.add_account(login, Role.MEMBER)
    change = {"unit_id": centre.units[unit]}
    answer = await vod.call("PATCH", f"/members/{account_id}", role=Role.ADMIN, json=change)
    assert answer.status == 200, answer.body
    return str((await vod.sign_in(login)).body["token"])


async def order(vod: Vod, token: str, **body: Any) -> dict[str, Any]:
    answer = await vod.call("POST", "/orders", token=token, json={**WISH, **body})
    assert answer.status == 201, answer.body
    return dict(answer.body)


async def move(
    vod: Vod, token: str, one: dict[str, Any], name: str, *, expect: int = 200, **more: Any
) -> dict[str, Any]:
    body = {"version": one["version"], "move": name, **more}
    answer = await vod.call("POST", f"/orders/{one['id']}/moves", token=token, json=body)
    assert answer.status == expect, answer.body
    return dict(answer.body)


async def see(vod: Vod, token: str, one: dict[str, Any]) -> dict[str, Any]:
    answer = await vod.call("GET", f"/orders/{one['id']}", token=token)
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def test_an_order_goes_round_until_whoever_ordered_is_content(vod: Vod) -> None:
    centre = await build_centre(vod)
    member = await join(centre, "member", "east branch")
    mate = await join(centre, "mate", "east branch")
    _, desk = await centre.sign_in_admin("desk", "east")
    _, west = await centre.sign_in_admin("west", "west")
    teacher_id = await vod.add_account("teacher", Role.INSTRUCTOR)
    teacher = (await vod.sign_in("teacher")).body["token"]
    profile = await make(vod, "/instructors", {"name": "其其格", "account_id": teacher_id})
    lecture = await make_link(vod, title="宪法第一讲")
    assert (await act(vod, lecture["id"], "publish")).status == 200

    wanted = {"kind": "instructor", "target_id": profile["id"], "title": None}
    made = await order(
        vod, member, **wanted, unit_id=centre.units["east branch"], contact="139",
        attendees_count=30, wished="on_site", wished_on="2030-07-01", note="七一前后",
    )  # fmt: skip
    assert (made["title"], made["state"], made["moves"]) == ("其其格", "ordered", ["withdraw"])
    assert made["desk_unit"]["name"] == "east", "it waits one up"
    assert (await see(vod, mate, made))["contact"] == ""
    for token in (teacher, west):
        assert (await vod.call("GET", f"/orders/{made['id']}", token=token)).status == 404
    await move(vod, mate, made, "withdraw", expect=403)
    await move(vod, west, made, "assign", expect=404)
    listed = await vod.call("GET", "/orders", token=desk, params={"scope": "desk"})
    assert [one["id"] for one in listed.body["items"]] == [made["id"]]
    assert listed.body["items"][0]["orderer"]

    people = await vod.call("GET", f"/orders/{made['id']}/assignees", token=desk)
    names = {one["id"] for one in people.body["items"]}
    assert teacher_id in names
    assert not names & {one["id"] for one in people.body["items"] if one["name"] == "west"}
    assigned = await move(vod, desk, made, "assign", instructor_id=profile["id"])
    assert (assigned["assignee"]["id"], assigned["state"]) == (teacher_id, "assigned")
    await move(vod, desk, made, "decline", expect=409, text="晚了一步")
    mine = await vod.call("GET", "/orders", token=teacher, params={"scope": "assigned"})
    assert mine.body["total"] == 1
    back = await move(vod, teacher, assigned, "return", expect=422)
    assert back["field"] == "text"
    at = (vod.clock.now() + timedelta(days=5)).isoformat()
    accepted = await move(vod, teacher, assigned, "accept", planned_at=at)
    await move(vod, teacher, accepted, "complete", expect=422, text="讲完了")
    gone = {"delivery": "replay", "delivered_id": "0" * 20, "text": "讲完了"}
    await move(vod, teacher, accepted, "complete", expect=422, **gone)
    replay = {"delivery": "replay", "delivered_id": lecture["id"], "text": "回看已上线"}
    done = await move(vod, teacher, accepted, "complete", **replay)
    assert done["delivered"] == {
        "how": "replay", "id": lecture["id"], "title": "宪法第一讲", "held_on": None,
    }  # fmt: skip
    assert done["due_at"] is None

    await move(vod, member, done, "rate", expect=422, score=1)  # Without a word why.
    again = await move(vod, member, done, "rate", score=1, text="想听现场的")
    assert (again["state"], again["reopened_count"], again["score"]) == ("ordered", 1, None)
    second = await move(vod, desk, again, "assign", assignee_id=teacher_id)
    second = await move(vod, teacher, second, "accept")
    second = await move(
        vod, desk, second, "complete", delivery="on_site", held_on="2030-07-01", text="已到支部"
    )
    rated = await move(vod, member, second, "rate", score=5, text="很好")
    assert (rated["state"], rated["moves"], rated["score"]) == ("rated", [], 5)
    assert [one["deed"] for one in rated["events"]] == [
        "order", "assign", "accept", "complete", "reopen", "assign", "accept", "complete", "rate",
    ]  # fmt: skip
    shown = await vod.call("GET", f"/instructors/{profile['id']}", token=member)
    assert (shown.body["rating"], shown.body["ratings_count"]) == (5.0, 1)
    trail = await vod.call("GET", "/audit", role=Role.ADMIN, params={"page_size": "100"})
    assert sum(one["object_id"] == made["id"] for one in trail.body["items"]) == 9


async def test_what_is_late_goes_up_the_tree_once_whoever_looks(vod: Vod) -> None:
    centre = await build_centre(vod)
    member = await join(centre, "member", "east branch")
    _, desk = await centre.sign_in_admin("desk", "east")
    made = await order(vod, member)
    database = vod.services.database
    assert await carry_up(database, now=vod.clock.now()) == 0
    seen = []
    for _ in range(3):
        vod.clock.advance(4 * 86_400)
        rounds = [carry_up(database, now=vod.clock.now()) for _ in range(2)]
        seen.append(sum(await asyncio.gather(*rounds)))
    assert seen == [1, 1, 0], "to the city, then marked, then left alone"
    late = await see(vod, member, made)
    assert (late["desk_unit"]["name"], late["due_at"]) == ("city", None)
    assert [one["deed"] for one in late["events"]] == ["order", "escalate", "escalate"]
    assert late["events"][1]["actor"] is None
    assert late["version"] == made["version"], "nobody's move is refused because of it"
    params = {"scope": "desk", "overdue": "true"}
    overdue = await vod.call("GET", "/orders", token=desk, params=params)
    assert overdue.body["total"] == 1, "the desk below still sees it, and may move it"
    moved = await move(vod, desk, late, "assign")
    assert moved["overdue_since"] is None
    assert (await vod.call("GET", "/orders", token=desk, params=params)).body["total"] == 0


async def test_the_city_has_what_has_no_unit_and_units_may_go(vod: Vod) -> None:
    centre = await build_centre(vod)
    _, desk = await centre.sign_in_admin("desk", "city")
    loose = await order(vod, await vod.token_of(Role.MEMBER))
    assert loose["unit"] is None
    assert (await vod.call("GET", f"/orders/{loose['id']}", token=desk)).status == 404
    editor = await vod.token_of(Role.EDITOR)
    await move(vod, editor, loose, "decline", text="已经有这门课")
    for name in ("east branch", "west branch"):
        body = {**WISH, "unit_id": centre.units[name]}
        refused = await vod.call("POST", "/orders", role=Role.MEMBER, json=body)
        assert refused.status == 403
    noted = await order(vod, editor, unit_id=centre.units["west branch"])
    gone = await vod.call("DELETE", f"/org-units/{centre.units['west branch']}", role=Role.ADMIN)
    assert gone.status == 204, gone.body
    assert (await see(vod, editor, noted))["unit"] is None


async def test_what_is_wanted_most_comes_first_and_is_counted_by_people(vod: Vod) -> None:
    centre = await build_centre(vod)
    people = [await join(centre, f"m{n}", "east branch") for n in range(3)]
    other = await join(centre, "western", "west branch")
    _, desk = await centre.sign_in_admin("desk", "east")
    for token in people:
        await order(vod, token, title="宪法 宣讲", attendees_count=10)
    for _ in range(4):
        await order(vod, people[0], title="防沙治沙")
    taken = await order(vod, people[1], title="防沙治沙")
    await move(vod, people[1], taken, "withdraw")
    await order(vod, other, title="宪法宣讲！")
    ranked = (await vod.call("GET", "/orders/demand", token=desk)).body["items"]
    assert [
        (one["title"], one["people_count"], one["orders_count"], one["attendees_count"])
        for one in ranked
    ] == [("宪法 宣讲", 3, 3, 30), ("防沙治沙", 1, 4, 4)]
    whole = (await vod.call("GET", "/orders/demand", role=Role.EDITOR)).body
    assert (whole["total"], whole["items"][0]["people_count"]) == (2, 4)
    later = {"since": (vod.clock.now() + timedelta(days=1)).isoformat()}
    none = await vod.call("GET", "/orders/demand", role=Role.EDITOR, params=later)
    assert none.body["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "wish"},
        {"kind": "wish", "title": "a", "target_id": "0" * 20},
        {"kind": "lecture", "title": "a"},
        {"kind": "lecture", "target_id": "0" * 20},
        {"kind": "series", "target_id": "0" * 20},
        {"kind": "instructor", "target_id": "0" * 20},
        {**WISH, "attendees_count": 0},
        {**WISH, "unit_id": "0" * 20},
        {**WISH, "contact": "a\nb"},
        {**WISH, "note": "x" * 2001},
    ],
    ids=str,
)
async def test_what_cannot_be_ordered(sqlite_vod: Vod, body: dict[str, Any]) -> None:
    answer = await sqlite_vod.call("POST", "/orders", role=Role.MEMBER, json=body)
    assert answer.status == 422, answer.body


async def test_hidden_things_are_not_ordered_and_two_at_once_have_one_winner(
    sqlite_vod: Vod,
) -> None:
    vod = sqlite_vod
    member = await vod.token_of(Role.MEMBER)
    draft = await make_link(vod, title="还没发布")
    past = await make(vod, "/instructors", {"name": "王", "appointed_until": "2001-01-01"})
    for kind, target in (("lecture", draft["id"]), ("instructor", past["id"])):
        body = {"kind": kind, "target_id": target}
        refused = await vod.call("POST", "/orders", token=member, json=body)
        assert (refused.status, refused.body["field"]) == (422, "target_id")
    made = await order(vod, member)
    editor = await vod.token_of(Role.EDITOR)
    body = {"version": 1, "move": "assign"}
    answers = await asyncio.gather(
        *(
            vod.call("POST", f"/orders/{made['id']}/moves", token=editor, json=body)
            for _ in range(4)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    stranger = {
        "version": 2,
        "move": "assign",
        "assignee_id": await vod.add_account("stranger", Role.MEMBER),
    }
    refused = await vod.call("POST", f"/orders/{made['id']}/moves", token=editor, json=stranger)
    assert (refused.status, refused.body["field"]) == (422, "assignee_id")
    for _ in range(19):
        await order(vod, member)
    full = await vod.call("POST", "/orders", token=member, json=WISH)
    assert full.status == 409
    assert "20" in full.body["title"]
