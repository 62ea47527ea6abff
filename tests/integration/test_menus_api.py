"""Row 34, menu teaching: who sees which menu, versions, two editors at one menu, slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from kernel.ids import new_id
from tests.support.vod import (
    StatementCount,
    Vod,
    database_url,
    databases,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.models import Account, RoleScope
from vod.accounts.roles import Role, Visibility
from vod.channels.models import Channel, ChannelVisibility
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import Publication
from vod.series.models import Series, SeriesLecture
from vod.units.models import OrgUnit, UnitKind

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

OPEN: dict[str, Any] = {"audience": {}, "shows_from": None, "shows_until": None}
CITY, BANNER, OTHER = (f"0000000000000000000{digit}" for digit in "123")


def item(name: str, kind: str = "heading", **values: Any) -> dict[str, Any]:
    return {
        "id": name, "kind": kind, "title": "", "note": "", "target_id": None, "url": None,
        "is_required": False, **OPEN, **values,
    }  # fmt: skip


def section(name: str, *items: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "note": "", "items": list(items), **OPEN, **values}


def content(*sections: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"title": "党员学习菜单", "note": "", "sections": list(sections), **OPEN, **values}


@dataclass
class World:
    """A city with two banners, members of different groups, and the tokens of all."""

    vod: Vod
    retired: str
    farmer: str
    outsider: str

    async def get(self, path: str, token: str) -> Any:
        answer = await self.vod.call("GET", path, token=token)
        assert answer.status == 200, answer.body
        return answer.body

    async def edit(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = await self.vod.call(method, path, role=Role.EDITOR, **options)
        assert answer.status == status, answer.body
        return answer.body

    async def make_menu(self, *sections: dict[str, Any], **values: Any) -> dict[str, Any]:
        draft: dict[str, Any] = await self.edit("POST", "/menus", 201, json={"title": "菜单"})
        return await self.save(draft, content(*sections, **values))

    async def save(self, draft: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        body = {"version": draft["version"], "content": wanted}
        saved: dict[str, Any] = await self.edit("PUT", f"/menus/{draft['id']}/draft", json=body)
        return saved

    async def publish(self, draft: dict[str, Any], **values: Any) -> dict[str, Any]:
        body = {"version": draft["version"], **values}
        path = f"/menus/{draft['id']}/publish"
        done: dict[str, Any] = await self.edit("POST", path, 201, json=body)
        return done

    async def see(self, token: str) -> list[list[str]]:
        """Titles of the items of each menu that a member sees, in order."""
        seen = []
        for row in (await self.get("/menus", token))["items"]:
            shown = await self.get(f"/menus/{row['id']}", token)
            seen.append([i["title"] for part in shown["sections"] for i in part["items"]])
        return seen

    async def add(self, *rows: Any) -> None:
        async with self.vod.services.database.write() as session:
            for row in rows:
                session.add(row)
                await session.flush()


async def build_world(vod: Vod) -> World:
    now = vod.clock.now()
    world = World(vod, "", "", "")
    paths = {CITY: f"/{CITY}/", BANNER: f"/{CITY}/{BANNER}/", OTHER: f"/{CITY}/{OTHER}/"}
    await world.add(*(
        OrgUnit(
            id=name, parent_id=None if name == CITY else CITY, name=f"组织{name[-1]}",
            kind=UnitKind.OTHER, position=int(name[-1]), path=path, created_at=now,
        )
        for name, path in paths.items()
    ))  # fmt: skip
    for login, unit, category in (
        ("retired", BANNER, "retired"),
        ("farmer", BANNER, "herdsmen"),
        ("outsider", OTHER, "retired"),
    ):  # fmt: skip
        account_id = await vod.add_account(login, Role.MEMBER)
        async with vod.services.database.write() as session:
            await session.execute(
                update(Account)
                .where(Account.id == account_id)
                .values(unit_id=unit, category=category, level="member")
            )
        setattr(world, login, (await vod.sign_in(login)).body["token"])
    return world


def lecture(vod: Vod, title: str, **values: Any) -> Lecture:
    return Lecture(
        id=new_id(), created_at=vod.clock.now(), recorded_at=vod.clock.now(),
        **{
            "title": title, "visibility": Visibility.MEMBERS, "state": LectureState.PLAYABLE,
            "recording_version": 1, "duration_ticks": 5_400_000, **values,
        },
    )  # fmt: skip


async def test_row_34_members_of_different_groups_see_different_menus(vod: Vod) -> None:
    world = await build_world(vod)
    shown, draft_only = lecture(vod, "已发布"), lecture(vod, "未发布")
    draft_only.publication = Publication.DRAFT
    for_retired = lecture(vod, "退休党员专题", audience={"categories": ["retired"]})
    gone = lecture(vod, "已删除", deleted_at=vod.clock.now())
    series = Series(id=new_id(), title="党史专题", created_at=vod.clock.now())
    entry = SeriesLecture(series_id=series.id, lecture_id=shown.id, position=0)
    await world.add(shown, draft_only, for_retired, gone, series, entry)
    class_id = (await vod.add_class(title="直播课", visibility="members"))["id"]
    refs = [("lecture", row.id) for row in (shown, draft_only, for_retired, gone)]
    channel = Channel(
        id=new_id(), title="展播台", visibility=ChannelVisibility.MEMBERS,
        created_at=vod.clock.now(),
    )  # fmt: skip
    await world.add(channel)
    refs += [("series", series.id), ("live_class", class_id), ("lecture", "0" * 20)]
    refs += [("channel", channel.id)]
    draft = await world.make_menu(
        section("aaaa", *(
            item(f"x{n:03d}", kind, target_id=name) for n, (kind, name) in enumerate(refs)
        )),
        section(
            "bbbb",
            item("h001", title="外部资源", audience={"categories": ["herdsmen"]}),
            item("k001", "link", title="学习强国", url="https://www.xuexi.cn/"),
            item("h002", title="后面没有内容"),
            audience={"units": [BANNER]},
        ),
    )  # fmt: skip
    assert draft["broken_count"] == 3
    flagged = {t["title"]: t["state"] for t in draft["targets"] if t["reason"]}
    assert flagged == {"未发布": "unpublished", "已删除": "deleted", "": "missing"}
    assert await world.see(world.retired) == []  # Nothing is published yet.
    preview = await world.edit("GET", f"/menus/preview?menu_id={draft['id']}&category=retired")
    assert [i["title"] for i in preview["menus"][0]["sections"][0]["items"]] == [
        "已发布", "退休党员专题", "党史专题", "直播课", "展播台",
    ]  # fmt: skip
    done = await world.publish(draft, note="第一版")
    assert (done["state"], done["number"], done["has_changes"]) == ("published", 1, False)
    assert await world.see(world.retired) == [
        ["已发布", "退休党员专题", "党史专题", "直播课", "展播台", "学习强国"]
    ]
    assert await world.see(world.farmer) == [
        ["已发布", "党史专题", "直播课", "展播台", "外部资源", "学习强国"]
    ]
    assert await world.see(world.outsider) == [
        ["已发布", "退休党员专题", "党史专题", "直播课", "展播台"]
    ]
    assert (await vod.call("GET", "/menus")).status == 401
    report = await world.edit("GET", "/menus/broken-links")
    assert [(row["item_id"], row["state"], row["is_published"]) for row in report["items"]] == [
        ("x001", "unpublished", True), ("x003", "deleted", True), ("x006", "missing", True),
    ]  # fmt: skip
    asked = {"rule": {"units": [BANNER], "categories": ["retired"]}}
    counted = await world.edit("POST", "/audience/preview", json=asked)
    assert counted["members_count"] == 1
    [example] = counted["examples"]
    assert (example["name"], example["category"]) == ("R**", "retired")
    as_one = await world.edit("GET", f"/menus/preview?account_id={example['id']}")
    assert [len(part["items"]) for part in as_one["menus"][0]["sections"]] == [5, 1]
    unknown = await vod.call(
        "POST", "/audience/preview", role=Role.EDITOR, json={"rule": {"levels": ["nobody"]}}
    )
    assert (unknown.status, unknown.body["field"]) == (422, "rule.levels")


async def test_versions_begin_at_their_time_and_come_back(vod: Vod) -> None:
    world = await build_world(vod)
    link = item("k001", "link", title="一", url="https://a.cn/")
    draft = await world.make_menu(section("aaaa", link, item("k002", "link", title="半成品")))
    gap = await vod.call(
        "POST", f"/menus/{draft['id']}/publish", role=Role.EDITOR,
        json={"version": draft["version"]},
    )  # fmt: skip
    assert (gap.status, gap.body["field"]) == (422, "sections.0.items.1.url")
    draft = await world.save(draft, content(section("aaaa", link)))
    draft = await world.publish(draft)
    second = {**link, "title": "二"}
    added = item("k003", "link", title="新", url="http://b.cn")
    draft = await world.save(draft, content(section("aaaa", second, added)))
    diff = await world.edit("GET", f"/menus/{draft['id']}/diff")
    told = [(change["kind"], change["node"], change["title"]) for change in diff["changes"]]
    assert (diff["before"], diff["after"]) == (1, None)
    assert told == [("changed", "item", "二"), ("added", "item", "新")]
    later = vod.clock.now() + timedelta(days=7)
    draft = await world.publish(draft, begins_at=later.isoformat())
    assert draft["number"] == 1
    assert await world.see(world.retired) == [["一"]]
    at = later.isoformat().replace("+00:00", "Z")
    ahead = await world.edit("GET", f"/menus/preview?at={at}")
    assert ahead["menus"][0]["number"] == 2
    vod.clock.advance(7 * 86_400)
    assert await world.see(world.retired) == [["二", "新"]]
    back = await world.edit("POST", f"/menus/{draft['id']}/rollback", 201, json={"number": 1})
    assert (back["number"], back["has_changes"]) == (3, False)
    assert back["content"]["sections"][0]["items"][0]["title"] == "一"  # The draft followed.
    assert await world.see(world.retired) == [["一"]]
    draft = await world.save(back, content(section("aaaa", {**link, "title": "没发布的"})))
    kept = await world.edit("POST", f"/menus/{draft['id']}/rollback", 201, json={"number": 2})
    assert kept["content"]["sections"][0]["items"][0]["title"] == "没发布的"
    assert kept["has_changes"]
    rows = (await world.edit("GET", f"/menus/{draft['id']}/versions"))["items"]
    assert [(row["number"], row["state"], row["restored_from"]) for row in rows] == [
        (4, "current", 2), (3, "past", 1), (2, "past", None), (1, "past", None),
    ]  # fmt: skip
    await world.edit("PATCH", f"/menus/{draft['id']}", json={"is_withdrawn": True})
    assert await world.see(world.retired) == []
    await world.edit("DELETE", f"/menus/{draft['id']}", 204)
    await world.edit("GET", f"/menus/{draft['id']}/draft", 404)


async def test_two_editors_at_one_menu_lose_nothing(vod: Vod) -> None:
    world = await build_world(vod)
    base = await world.make_menu(
        section("aaaa", item("h001", title="一"), item("h002", title="二"))
    )
    mine = content(section("aaaa", item("h001", title="我的"), item("h002", title="二")))
    theirs = content(
        section(
            "aaaa", item("h001", title="他的"), item("h002", title="二"), item("h003", title="三")
        )
    )
    path = f"/menus/{base['id']}"
    saved = await vod.call(
        "PUT", f"{path}/draft", role=Role.ADMIN,
        json={"version": base["version"], "content": theirs},
    )  # fmt: skip
    assert saved.status == 200
    body = {"version": base["version"], "content": mine}
    refused = await world.edit("PUT", f"{path}/draft", 409, json=body)
    assert refused["current"]["version"] == saved.body["version"]
    assert refused["current"]["saved_by"] == "Admin"
    stale = await vod.call(
        "POST", f"{path}/publish", role=Role.EDITOR, json={"version": base["version"]}
    )
    assert stale.status == 409
    merged = await world.edit("POST", f"{path}/merge", json={"base": base["content"], "mine": mine})
    titles = [row["title"] for row in merged["content"]["sections"][0]["items"]]
    assert titles == ["我的", "二", "三"]
    [conflict] = merged["conflicts"]
    assert (conflict["id"], conflict["mine"], conflict["theirs"]) == ("h001", "我的", "他的")
    done = await world.save(merged | {"id": base["id"]}, merged["content"])
    assert done["saved_by"] == "Editor"


async def test_what_is_no_menu_is_refused(sqlite_vod: Vod) -> None:
    world = await build_world(sqlite_vod)
    draft = await world.make_menu()
    path = f"/menus/{draft['id']}/draft"
    wrong = [
        content(section("aaaa", item("k001", "link", url="javascript:alert(1)"))),
        content(section("aaaa", item("k001", "link", url="https://"))),
        content(section("aaaa", item("k001", "lecture", target_id="../x"))),
        content(section("aaaa", item("k001", "lecture", url="https://a.cn/"))),
        content(section("aaaa", item("k001"), item("k001"))),
        content(section("aaaa", *(item(f"i{n:04d}") for n in range(1001)))),
        content(section("aaaa", item("k001", audience={"units": ["0" * 20]}))),
        content(audience={"colour": ["red"]}),
        content(shows_from="2026-07-02T00:00:00Z", shows_until="2026-07-01T00:00:00Z"),
        content(title="a\nb"),
    ]
    for body in wrong:
        sent = {"version": draft["version"], "content": body}
        await world.edit("PUT", path, 422, json=sent)
    assert (await world.edit("GET", path))["version"] == draft["version"]


async def test_an_editor_of_a_banner_curates_for_it_only(sqlite_vod: Vod) -> None:
    world = await build_world(sqlite_vod)
    city = await world.make_menu(
        section("aaaa", item("k001", "link", title="市", url="http://a.cn"))
    )
    await world.publish(city)
    account_id = await sqlite_vod.add_account("banner-editor", Role.EDITOR)
    await world.add(RoleScope(account_id=account_id, role=Role.EDITOR, unit_id=BANNER))
    token = (await sqlite_vod.sign_in("banner-editor")).body["token"]

    async def ask(method: str, path: str, **options: Any) -> Any:
        return await sqlite_vod.call(method, path, token=token, **options)

    for unit in (None, OTHER, CITY):
        assert (await ask("POST", "/menus", json={"title": "x", "unit_id": unit})).status == 403
    for method, tail in (("GET", "/draft"), ("GET", "/versions"), ("DELETE", ""), ("GET", "/diff")):
        assert (await ask(method, f"/menus/{city['id']}{tail}")).status == 403
    made = (await ask("POST", "/menus", json={"title": "旗里的", "unit_id": BANNER})).body
    link = item("k001", "link", title="旗", url="http://b.cn")
    saved = await ask(
        "PUT", f"/menus/{made['id']}/draft",
        json={"version": made["version"], "content": content(section("aaaa", link))},
    )  # fmt: skip
    body = {"version": saved.body["version"]}
    assert (await ask("POST", f"/menus/{made['id']}/publish", json=body)).status == 201
    listed = (await ask("GET", "/menus/drafts")).body
    assert [row["id"] for row in listed["items"]] == [made["id"]]
    assert await world.see(world.farmer) == [["市"], ["旗"]]
    assert await world.see(world.outsider) == [["市"]]
    counted = (await ask("POST", "/audience/preview", json={"rule": {}})).body
    assert counted["members_count"] == 2  # Of the own banner.
    someone = await sqlite_vod.call("GET", "/session", token=world.outsider)
    stranger = someone.body["account"]["id"]
    assert (await ask("GET", f"/menus/preview?account_id={stranger}")).status == 404


async def test_a_recommendation_shows_between_its_dates_and_expires_by_itself(vod: Vod) -> None:
    world = await build_world(vod)
    row = lecture(vod, "精品课")
    await world.add(row)
    begin, end = vod.clock.now() + timedelta(hours=1), vod.clock.now() + timedelta(hours=2)
    wanted = item(
        "r001", "lecture", target_id=row.id, audience={"categories": ["retired"]},
        shows_from=begin.isoformat(), shows_until=end.isoformat(),
    )  # fmt: skip
    body = {"place": "home", "item": wanted}
    made = await world.edit("POST", "/recommendations/entries", 201, json=body)
    assert (made["state"], made["title"]) == ("waiting", "精品课")

    async def see(token: str) -> list[str]:
        found = await world.get("/recommendations?place=home", token)
        return [entry["title"] for entry in found["items"]]

    seen = [await see(world.retired)]
    vod.clock.advance(3600)
    seen += [await see(world.retired), await see(world.farmer)]
    path = f"/recommendations/entries/{made['id']}"
    change = {"version": 1, "item": {**wanted, "title": "特色党课"}, "position": 3}
    changed = await world.edit("PUT", path, json=change)
    assert (changed["version"], changed["state"]) == (2, "active")
    stale = await world.edit("PUT", path, 409, json=change)
    assert stale["current"]["title"] == "特色党课"
    seen.append(await see(world.retired))
    vod.clock.advance(3600)
    seen.append(await see(world.retired))
    assert seen == [[], ["精品课"], [], ["特色党课"], []]
    listed = await world.edit("GET", "/recommendations/entries?place=home")
    assert [entry["state"] for entry in listed["items"]] == ["expired"]
    await world.edit("DELETE", path, 204)


async def test_the_number_of_queries_does_not_grow(sqlite_vod: Vod) -> None:
    world = await build_world(sqlite_vod)
    counts = []
    for number in (1, 5):
        rows = [lecture(sqlite_vod, f"课{n}") for n in range(number * 4)]
        series = [
            Series(id=new_id(), title="专题", created_at=sqlite_vod.clock.now())
            for _ in range(number)
        ]
        await world.add(*rows, *series)
        entries = [item(f"l{n:03d}", "lecture", target_id=row.id) for n, row in enumerate(rows)]
        entries += [item(f"s{n:03d}", "series", target_id=row.id) for n, row in enumerate(series)]
        for _ in range(number):
            draft = await world.make_menu(section("aaaa", *entries))
            await world.publish(draft)
        asked = {}
        for name, path, token in (
            ("list", "/menus", world.retired),
            ("one", f"/menus/{draft['id']}", world.retired),
            ("desk", "/menus/drafts", await sqlite_vod.token_of(Role.EDITOR)),
            ("draft", f"/menus/{draft['id']}/draft", await sqlite_vod.token_of(Role.EDITOR)),
            ("report", "/menus/broken-links", await sqlite_vod.token_of(Role.EDITOR)),
        ):
            with StatementCount(sqlite_vod.services) as statements:
                await world.get(path, token)
            asked[name] = statements.count
        counts.append(asked)
    assert counts[0] == counts[1]
    assert max(counts[1].values()) <= 10, counts
