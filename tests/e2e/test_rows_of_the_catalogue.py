"""Rows of the catalogue that are short, in one hall: 1, 2, 14, 20, 26, 27 and 29, in a browser.

Rows with much to them have files of their own (2, 5, 34); for rows 31 and 32 see ``test_browser``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.player_pages import MEDIA_ELEMENT, PLAYER_READY, WORDS
from tests.e2e.test_pages import _judge, _recorded, _replay, _settle
from tests.e2e.test_row_34_menus import _press, _tab_to
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
PASSWORD = "correct horse battery"
CUES = """1
00:00:00,000 --> 00:00:09,000
不忘初心
"""
# A desktop of 1280 x 860 enlarged to 200 %: half the room, everything twice as large.
ZOOMED: dict[str, Any] = {"viewport": {"width": 640, "height": 430}, "device_scale_factor": 2}


@dataclass
class World:
    """What the tests here share: a replay with captions for members, and one of them."""

    lecture_id: str
    title: str
    login: str


_WORLDS: WeakKeyDictionary[Hall, World] = WeakKeyDictionary()


async def build_world(hall: Hall, admin: Api) -> World:
    if hall in _WORLDS:
        return _WORLDS[hall]
    mark = new_id()[-6:]
    title, login = f"草原党课{mark}", f"m{mark}"
    await add_account(admin, login, "member")
    made = await admin.make_class(title, visibility="members")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _recorded(admin, made["id"], 5), timeout_s=60)
    await admin.post(f"/live-classes/{made['id']}/end")
    lecture_id = str(await eventually(lambda: _replay(admin, made["id"]), timeout_s=60))
    url = f"{hall.origin}/api/v1/lectures/{lecture_id}/captions"
    params = {"language": "zh-CN", "label": "中文", "filename": "a.srt"}
    headers = {**admin.headers, "Content-Type": "application/octet-stream"}
    async with admin.session.post(url, params=params, data=CUES.encode(), headers=headers) as sent:
        assert sent.status == 201, await sent.text()
    _WORLDS[hall] = World(lecture_id, title, login)
    return _WORLDS[hall]


async def add_account(admin: Api, login: str, role: str) -> str:
    body = {"login": login, "display_name": "会员", "role": role, "password": PASSWORD}
    return str((await admin.post("/accounts", body, expect=201))["id"])


async def add_paper(admin: Api, title: str, **fields: Any) -> str:
    """A published entry without media."""
    body = {"title": title, "kind": "document", **fields}
    made = await admin.post("/lectures", body, expect=201)
    await admin.post(f"/lectures/{made['id']}/publication", {"move": "publish"})
    return str(made["id"])


async def sign_in(page: Page, hall: Hall, login: str, *, then: str = "/") -> None:
    await page.goto(f"{hall.origin}/signin?next={then}")
    await page.get_by_label("账号").fill(login)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.wait_for_url(hall.origin + then)


def link(title: str, **fields: Any) -> dict[str, Any]:
    """An item of a menu or a slot."""
    return {
        "id": new_id()[-8:], "kind": "link", "title": title, "url": "https://www.xuexi.cn/",
        "target_id": None, "is_required": False, "note": "", "audience": {}, "shows_from": None,
        "shows_until": None, **fields,
    }  # fmt: skip


async def test_row_01_one_account_by_three_ways_to_one_lecture(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    world = await build_world(hall, admin)
    menu = await admin.post("/menus", {"title": f"菜单{world.login}"}, expect=201)
    target = {"kind": "lecture", "url": None, "target_id": world.lecture_id}
    content = {
        **menu["content"],
        "sections": [{**link("本月"), "items": [link("", **target)]}],
    }
    for key in ("kind", "url", "target_id", "is_required"):
        del content["sections"][0][key]
    status, saved = await admin.request(
        "PUT", f"/menus/{menu['id']}/draft", {"version": 1, "content": content}
    )
    assert status == 200, saved
    await admin.post(f"/menus/{menu['id']}/publish", {"version": saved["version"]}, expect=201)
    context = await browser.new_context(viewport={"width": 360, "height": 780})
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, world.login)  # Once; the three ways below never ask again.
    heading = page.get_by_role("heading", level=1, name=world.title)
    await page.get_by_role("link", name=world.title).first.click()
    await page.wait_for_url(f"**/lectures/{world.lecture_id}")
    await expect(heading).to_be_visible()
    await page.goto(f"{hall.origin}/menus/{menu['id']}")
    await page.get_by_role("link", name=world.title).click()
    await page.wait_for_url(f"**/lectures/{world.lecture_id}")
    await expect(heading).to_be_visible()
    shared = await context.new_page()  # As a link in a message opens.
    await shared.goto(f"{hall.origin}/lectures/{world.lecture_id}")
    await shared.locator(PLAYER_READY).wait_for()
    await expect(shared.get_by_role("heading", level=1, name=world.title)).to_be_visible()
    errors.check()
    await context.close()
    stranger = await browser.new_page()
    await stranger.goto(f"{hall.origin}/lectures/{world.lecture_id}")
    await expect(stranger.get_by_role("heading", name=world.title)).to_have_count(0)


async def test_row_02_an_editor_of_a_banner_curates_for_it(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    mark = new_id()[-6:]
    unit = await admin.post("/org-units", {"name": f"旗{mark}", "kind": "banner"}, expect=201)
    account_id = await add_account(admin, f"e{mark}", "member")
    scopes = {"scopes": [{"role": "editor", "unit_id": unit["id"]}]}
    status, answer = await admin.request("PUT", f"/members/{account_id}/scopes", scopes)
    assert status == 200, answer
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await sign_in(page, hall, f"e{mark}")
    await page.get_by_role("banner").get_by_role("link", name="编辑台").click()
    await expect(page.get_by_role("heading", level=1, name="菜单管理")).to_be_visible()
    await expect(page.get_by_label("所属组织")).to_contain_text(f"旗{mark}")
    # What is of the whole city has no doors here.
    doors = page.get_by_role("navigation", name="编辑台").get_by_role("link")
    await expect(doors).to_have_text(["待办", "菜单管理", "推荐位", "点单办理"])
    problems = await _judge(page, is_elder=False)
    assert problems == [], "\n".join(problems)
    await page.get_by_label("菜单名称").fill(f"旗的菜单{mark}")
    await page.get_by_label("菜单名称").press("Enter")
    await page.wait_for_url("**/desk/menus/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"旗的菜单{mark}")
    draft = await admin.get(f"/menus/{page.url.rpartition('/')[2]}/draft")
    assert draft["unit"]["id"] == unit["id"]
    errors.check()


async def test_row_14_an_external_resource_says_where_it_is_from(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    world = await build_world(hall, admin)
    title = f"外部资源{world.login}"
    await add_paper(
        admin, title, kind="link", external_url="https://www.12371.cn/special/",
        source_label="共产党员网", licence="转载授权",
    )  # fmt: skip
    page = await browser.new_page(viewport={"width": 360, "height": 780})
    errors = PageErrors(page)
    await sign_in(page, hall, world.login, then="/lectures")
    await page.get_by_role("link", name=title).click()
    await expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    await expect(page.get_by_text("来源：共产党员网")).to_be_visible()
    await expect(page.get_by_text("转载授权")).to_be_visible()
    outside = page.get_by_role("link", name="打开网络资源")
    await expect(outside).to_have_attribute("href", "https://www.12371.cn/special/")
    await expect(outside).to_have_attribute("rel", "noopener noreferrer")
    errors.check()


async def test_row_20_all_by_keyboard_at_200_percent(hall: Hall, browser: Browser) -> None:
    """Sign in, find, play, captions and seeking without a mouse, everything twice as large."""
    world = await build_world(hall, await hall.admin())
    context = await browser.new_context(**ZOOMED)
    page = await context.new_page()
    errors = PageErrors(page)
    await page.goto(hall.origin + "/")
    await _settle(page)
    await _tab_to(page, page.get_by_role("link", name="我的", exact=True))
    await page.keyboard.press("Enter")
    await _tab_to(page, page.get_by_label("账号"))
    await page.keyboard.type(world.login)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(hall.origin + "/")
    await _settle(page)
    await _tab_to(page, page.get_by_role("navigation").get_by_role("link", name="课程库").first)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/lectures")
    await _tab_to(page, page.locator("main").get_by_role("searchbox"))
    await page.keyboard.type(world.title)
    await page.keyboard.press("Enter")
    found = page.get_by_role("link", name=world.title)
    await expect(found).to_have_count(1)
    await _tab_to(page, found)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/lectures/{world.lecture_id}")
    await page.locator(PLAYER_READY).wait_for()
    await _play_by_keys(page)
    problems = await _judge(page, is_elder=False)
    assert problems == [], "\n".join(problems)
    errors.check()
    await context.close()


async def _play_by_keys(page: Page) -> None:
    video = page.locator(MEDIA_ELEMENT)

    async def measure_s() -> float:
        return float(await video.evaluate("(it) => it.currentTime"))

    if await video.evaluate("(it) => it.paused"):
        await page.keyboard.press("k")

    async def has_begun() -> bool:
        return await measure_s() > 0.5

    await eventually(has_begun, timeout_s=60, message="the key does not play")
    if not await video.evaluate("(it) => it.paused || it.ended"):
        await page.keyboard.press("k")
    await expect(video).to_have_js_property("paused", value=True)
    await page.keyboard.press("ArrowLeft")

    async def is_at_the_start() -> bool:
        return await measure_s() < 0.5

    await eventually(is_at_the_start, timeout_s=60, message="the key does not seek")
    words = page.locator(WORDS)
    if await words.count() == 0:
        await page.keyboard.press("c")
    await expect(words).to_contain_text("不忘初心")
    await page.keyboard.press("c")
    await expect(words).to_have_count(0)


async def test_row_26_a_series_in_order_by_keyboard_and_a_lecture_in_two(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    world = await build_world(hall, admin)
    series = [
        (await admin.post("/series", {"title": f"{name}{world.login}"}, expect=201))["id"]
        for name in ("党史学习教育", "新党员")
    ]
    titles = [f"第{number}讲{world.login}" for number in "一二三"]
    ids = [await add_paper(admin, titles[0], series_ids=series)]
    ids += [await add_paper(admin, title, series_ids=series[:1]) for title in titles[1:]]
    editor = f"b{world.login}"
    await add_account(admin, editor, "editor")
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await sign_in(page, hall, editor, then=f"/series/{series[0]}")
    await _settle(page)
    await _tab_to(page, page.locator("summary", has_text="修改专题"))
    await page.keyboard.press("Enter")
    await _press(page, f"下移：{titles[0]}")
    await page.keyboard.press("Enter")  # The button keeps the focus: once more, to the end.
    await expect(page.get_by_text(f"{titles[0]} 现在是第 3 讲").first).to_be_attached()
    required = page.get_by_label(f"必修：{titles[1]}")
    await _tab_to(page, required)
    await page.keyboard.press("Space")
    await expect(required).not_to_be_checked()
    await _press(page, "保存")
    await expect(page.get_by_text("顺序已保存").first).to_be_attached()
    order = (await admin.get(f"/series/{series[0]}/lectures"))["lectures"]
    assert [(one["lecture_id"], one["is_required"]) for one in order] == [
        (ids[1], False), (ids[2], True), (ids[0], True),
    ]  # fmt: skip
    for series_id, wanted in ((series[0], [*titles[1:], titles[0]]), (series[1], titles[:1])):
        await page.goto(f"{hall.origin}/series/{series_id}")
        cards = page.locator("section[aria-labelledby=series-lectures] a.card h3")
        await expect(cards).to_have_text(wanted)
    errors.check()


async def test_row_27_and_29_by_form_and_a_slot_that_expires(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    world = await build_world(hall, admin)
    staged, other = f"情景党课{world.login}", f"微课{world.login}"
    staged_id = await add_paper(admin, staged, form="staged")
    await add_paper(admin, other, form="micro")
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await sign_in(page, hall, world.login, then="/lectures")
    forms = page.get_by_role("navigation", name="按形式筛选")
    for form, wanted, unwanted in (("情景党课", staged, other), ("微课", other, staged)):
        await forms.get_by_role("link", name=form).click()
        await expect(page.get_by_role("link", name=wanted)).to_be_visible()
        await expect(page.get_by_role("link", name=unwanted)).to_have_count(0)
    # Row 29: 精品 recommended with dates of its own; its end needs nobody.
    member = await hall.api().sign_in(world.login, PASSWORD)
    entry = link("", kind="lecture", url=None, target_id=staged_id)
    entry["shows_until"] = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"place": "library", "item": entry}
    row = await admin.post("/recommendations/entries", body, expect=201)
    assert await _is_recommended(member, staged_id)
    entry["shows_until"] = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    path = f"/recommendations/entries/{row['id']}"
    status, answer = await admin.request("PUT", path, {"version": 1, "item": entry})
    assert status == 200, answer

    async def is_over() -> bool:
        return not await _is_recommended(member, staged_id)

    await eventually(is_over, timeout_s=60, message="the slot does not expire")
    editor = f"s{world.login}"
    await add_account(admin, editor, "editor")
    desk = await browser.new_page(viewport={"width": 1280, "height": 860})
    await sign_in(desk, hall, editor, then="/desk/recommendations")
    shown = desk.locator(".records li", has_text=staged)
    await expect(shown).to_contain_text("已到期")
    errors.check()


async def _is_recommended(member: Api, lecture_id: str) -> bool:
    found = await member.get("/recommendations?place=library")
    return any(item["target_id"] == lecture_id for item in found["items"])
