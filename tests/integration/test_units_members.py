"""Units and members through the API: the tree, its counts, who may change whom, codes, search."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.centre import Centre, build_centre
from tests.support.vod import StatementCount, Vod, database_url, databases, vod
from vod.accounts.roles import Role

__all__ = ["database_url", "databases", "vod"]  # Fixtures.


@pytest.fixture
async def centre(vod: Vod) -> Centre:
    return await build_centre(vod)


async def test_the_city_is_the_sum_of_its_units_and_a_move_keeps_paths(centre: Centre) -> None:
    vod, units = centre.vod, centre.units
    for index in range(5):
        await centre.add_member(f"员{index}", "east branch" if index < 3 else "west")
    await centre.add_member("市直", "city")

    async def count(unit: str) -> tuple[int, int]:
        body = (await vod.call("GET", f"/org-units/{units[unit]}", role=Role.ADMIN)).body
        return body["members_count"], body["own_members_count"]

    assert [await count(name) for name in ("city", "east", "west", "east branch")] == [
        (6, 1), (3, 0), (2, 2), (3, 3),
    ]  # fmt: skip
    listed = await vod.call("GET", f"/org-units?parent_id={units['city']}", role=Role.ADMIN)
    sums = [item["members_count"] for item in listed.body["items"]]
    assert sum(sums) + 1 == 6
    path = f"/org-units/{units['east branch']}"
    moved = await vod.call("PATCH", path, role=Role.ADMIN, json={"parent_id": units["west"]})
    assert (moved.status, moved.body["full_name"]) == (200, "city / west / east branch")
    assert [await count(name) for name in ("city", "east", "west")] == [(6, 1), (0, 0), (5, 2)]
    for change, status in (
        ({"parent_id": units["east branch"]}, 409),  # Itself.
        ({"name": "west branch"}, 409),  # A namesake.
        ({"name": "a / b"}, 422),
        ({"parent_id": "0" * 20}, 422),
    ):
        assert (await vod.call("PATCH", path, role=Role.ADMIN, json=change)).status == status
    top = f"/org-units/{units['city']}"
    change = {"parent_id": units["west branch"]}
    assert (await vod.call("PATCH", top, role=Role.ADMIN, json=change)).status == 409
    assert (await vod.call("DELETE", path, role=Role.ADMIN)).status == 409
    assert (await vod.call("DELETE", f"/org-units/{units['west']}", role=Role.ADMIN)).status == 409
    assert (await vod.call("DELETE", f"/org-units/{units['east']}", role=Role.ADMIN)).status == 204


async def test_two_moves_at_once_make_no_cycle_and_order_is_by_position(centre: Centre) -> None:
    vod, units = centre.vod, centre.units
    token = await vod.token_of(Role.ADMIN)
    moves = (("east", "west"), ("west", "east"))
    answers = await asyncio.gather(
        *(
            vod.call(
                "PATCH", f"/org-units/{units[name]}", token=token, json={"parent_id": units[goal]}
            )
            for name, goal in moves
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    for name in ("n1", "n2", "n3"):
        await centre.add_unit(name, "city")
    await vod.call("PATCH", f"/org-units/{units['n3']}", role=Role.ADMIN, json={"position": 0})
    listed = await vod.call("GET", f"/org-units?parent_id={units['city']}", role=Role.ADMIN)
    names = [item["name"] for item in listed.body["items"]]
    assert names[0] == "n3"
    assert names[2:] == ["n1", "n2"]
    assert [item["position"] for item in listed.body["items"]] == [0, 1, 2, 3]


async def test_a_tree_is_at_most_twenty_levels_deep(centre: Centre) -> None:
    parent = "east branch"
    for level in range(4, 21):
        await centre.add_unit(f"level {level}", parent)
        parent = f"level {level}"
    body = {"name": "too deep", "kind": "other", "parent_id": centre.units[parent]}
    refused = await centre.vod.call("POST", "/org-units", role=Role.ADMIN, json=body)
    assert (refused.status, refused.body["title"]) == (409, "组织最多 20 级")
    move = {"parent_id": centre.units["west branch"]}
    path = f"/org-units/{centre.units['east']}"
    assert (await centre.vod.call("PATCH", path, role=Role.ADMIN, json=move)).status == 409


async def test_a_unit_admin_has_the_own_sub_tree_and_gains_no_power(centre: Centre) -> None:
    vod, units = centre.vod, centre.units
    east_id, east = await centre.sign_in_admin("east.admin", "east")
    own = (await centre.add_member("张三丰", "east branch", phone="138 1234 5678")).body
    other = (await centre.add_member("李四", "west branch")).body
    listed = (await vod.call("GET", "/members", token=east)).body
    assert [(item["display_name"], item["phone"]) for item in listed["items"]] == [
        ("张三丰", "138****5678")
    ]
    tops = (await vod.call("GET", "/org-units", token=east)).body["items"]
    assert [(item["name"], item["may_change"], item["may_add"]) for item in tops] == [
        ("east", False, True)
    ]
    shown = await vod.call("GET", f"/members/{own['id']}", token=east)
    assert (shown.body["phone"], shown.body["may_grant"]) == ("13812345678", False)
    away = {"unit_id": units["west"]}
    for method, path, body in (
        ("GET", f"/members/{other['id']}", None),
        ("PATCH", f"/members/{other['id']}", {"display_name": "x"}),
        ("POST", f"/members/{other['id']}/reset", None),
        ("PATCH", f"/members/{own['id']}", away),
        ("POST", f"/members/{east_id}/reset", None),
        ("PUT", f"/members/{own['id']}/scopes", {"scopes": []}),
        ("POST", "/members", {"display_name": "x", **away}),
        ("PATCH", f"/org-units/{units['east']}", {"name": "mine"}),
        ("PATCH", f"/org-units/{units['east branch']}", {"parent_id": units["west"]}),
        ("PATCH", f"/org-units/{units['east branch']}", {"parent_id": None}),
        ("DELETE", f"/org-units/{units['west branch']}", None),
    ):
        answer = await vod.call(method, path, token=east, **({"json": body} if body else {}))
        assert answer.status == 403, (method, path, answer.body)
    assert (await vod.call("GET", f"/members?unit_id={units['west']}", token=east)).status == 403
    # Whoever has power of their own is out of reach, though they belong to the sub-tree.
    for login, role in (("boss", Role.ADMIN), ("writer", Role.EDITOR)):
        account_id = await vod.add_account(login, role)
        await vod.call(
            "PATCH", f"/members/{account_id}", role=Role.ADMIN, json={"unit_id": units["east"]}
        )
        for call in (
            vod.call("POST", f"/members/{account_id}/reset", token=east),
            vod.call("PATCH", f"/members/{account_id}", token=east, json={"is_disabled": True}),
        ):
            assert (await call).status == 403
    # A role in a unit keeps that unit, so that nobody's role grows by its going.
    lower_id, _ = await centre.sign_in_admin("lower", "east branch", role=Role.MEMBER)
    await vod.call(
        "PATCH", f"/members/{lower_id}", role=Role.ADMIN, json={"unit_id": units["east"]}
    )
    assert (await vod.call("POST", f"/members/{lower_id}/reset", token=east)).status == 200


async def test_an_editor_of_a_unit_is_no_editor_of_the_city(centre: Centre) -> None:
    _, token = await centre.sign_in_admin("east.editor", "east", role=Role.EDITOR, scope="editor")
    body = {"title": "系列"}
    assert (await centre.vod.call("POST", "/series", token=token, json=body)).status == 403
    info = (await centre.vod.call("GET", "/session", token=token)).body
    assert [(scope["role"], scope["unit_name"]) for scope in info["scopes"]] == [("editor", "east")]


async def test_a_code_signs_in_once_to_choose_a_password(centre: Centre) -> None:
    vod = centre.vod
    made = (await centre.add_member("王五", "east", staff_no="A-007")).body
    code = made["code"]["code"]
    assert (made["login"], made["is_activated"]) == ("a-007", False)
    assert (await vod.sign_in("a-007", "wrong")).status == 401
    token = (await vod.sign_in("a-007", code.upper().replace("-", " "))).body["token"]
    info = (await vod.call("GET", "/session", token=token)).body
    assert info["account"]["must_change_password"] is True
    refused = await vod.call("GET", "/home", token=token)
    assert (refused.status, refused.body["type"].rsplit(":", 1)[-1]) == (
        403, "password-change-required",
    )  # fmt: skip
    change = {"new_password": "long enough"}
    assert (await vod.call("PATCH", "/account", token=token, json=change)).status == 200
    assert (await vod.call("GET", "/home", token=token)).status == 200
    refused = await vod.call("PATCH", "/account", token=token, json=change)
    assert (refused.status, refused.body["field"]) == (422, "current_password")
    assert (await vod.sign_in("a-007", code)).status == 401
    path = f"/members/{made['id']}/reset"
    code = (await vod.call("POST", path, role=Role.ADMIN)).body["code"]
    assert (await vod.call("GET", "/session", token=token)).status == 401
    assert (await vod.sign_in("a-007", "long enough")).status == 401
    assert (await vod.sign_in("a-007", code)).status == 200
    audit = (await vod.call("GET", "/audit?page_size=100", role=Role.ADMIN)).body["items"]
    actions = [item["action"] for item in audit if item["object_id"] == made["id"]]
    assert actions == ["member.reset", "account.password_changed", "member.created"]
    assert code not in str(audit)


async def test_members_are_found_by_pinyin_initials_and_number_in_its_order(
    centre: Centre,
) -> None:
    vod = centre.vod
    for name, facts in {
        "张三丰": {"staff_no": "Z100", "category": "herdsmen"}, "方圆": {}, "范围": {},
        "单雄信": {"phone": "13900001111", "level": "branch_secretary"}, "吕布": {},
    }.items():  # fmt: skip
        await centre.add_member(name, "east branch", **facts)

    async def find(**query: str) -> list[str]:
        path = f"/members?unit_id={centre.units['city']}"
        answer = await vod.call("GET", path, role=Role.ADMIN, params=query)
        assert answer.status == 200, answer.body
        return [item["display_name"] for item in answer.body["items"]]

    assert await find() == ["范围", "方圆", "吕布", "单雄信", "张三丰"]
    for words, names in {
        "zhangsan": ["张三丰"], "ZSF": ["张三丰"], "三": ["张三丰"], "z100": ["张三丰"],
        "sxx": ["单雄信"], "13900001111": ["单雄信"], "1390000": [], "fang": ["方圆"],
        "fan": ["范围", "方圆"], "张 fang": [], "%": [], "lv": ["吕布"], "'--": [],
    }.items():  # fmt: skip
        assert await find(q=words) == names, words
    assert await find(category="herdsmen") == ["张三丰"]
    assert await find(level="branch_secretary", state="waiting") == ["单雄信"]
    assert await find(state="active") == []


async def test_queries_do_not_grow_with_the_list(centre: Centre) -> None:
    vod, token = centre.vod, await centre.vod.token_of(Role.ADMIN)
    counts = []
    for index in range(3):
        await centre.add_member(f"员{index}", "east branch")
        await centre.add_unit(f"u{index}", "east")
        with StatementCount(vod.services) as statements:
            assert (await vod.call("GET", "/members", token=token)).status == 200
            assert (await vod.call("GET", "/org-units", token=token)).status == 200
            path = f"/org-units?parent_id={centre.units['east']}"
            assert (await vod.call("GET", path, token=token)).status == 200
        counts.append(statements.count)
    assert len(set(counts)) == 1, counts


async def test_lists_are_renamed_and_ordered_but_what_is_used_stays(centre: Centre) -> None:
    vod = centre.vod
    await centre.add_member("甲", "east", category="retired")
    before = (await vod.call("GET", "/member-lists", role=Role.ADMIN)).body["categories"]
    assert [item["members_count"] for item in before if item["key"] == "retired"] == [1]
    first, second = before[0], before[1]
    swapped = [
        {"key": second["key"], "name": first["name"]},
        {"key": first["key"], "name": second["name"]},
        {"key": "retired", "name": "离退休党员"},
        {"name": "新类别"},
    ]
    path = "/member-lists/categories"
    changed = await vod.call("PUT", path, role=Role.ADMIN, json={"items": swapped})
    assert changed.status == 200, changed.body
    assert [item["name"] for item in changed.body["categories"]] == [
        first["name"], second["name"], "离退休党员", "新类别",
    ]  # fmt: skip
    for items, status in (
        ([{"name": "只有一个"}], 409),
        ([{"key": "retired", "name": "x"}, {"name": "x"}], 422),
        ([{"key": "none", "name": "x"}], 422),
    ):
        answer = await vod.call("PUT", path, role=Role.ADMIN, json={"items": items})
        assert answer.status == status, answer.body
    assert (await vod.call("PUT", path, role=Role.EDITOR, json={"items": []})).status == 403
