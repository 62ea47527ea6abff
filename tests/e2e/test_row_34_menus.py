"""Row 34, menu teaching, in a real browser: edited by keyboard alone, seen by two groups."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from kernel.ids import new_id
from tests.e2e.test_pages import SHOTS, _judge, _settle, _sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
PASSWORD = "correct horse battery"
MAX_TABS = 220


async def test_row_34_a_menu_by_keyboard_for_two_groups(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    name = f"菜单{new_id()[-6:]}"
    retired = await _add_member(hall, admin, "retired")
    herdsman = await _add_member(hall, admin, "herdsmen")
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await _sign_in(page, hall)
    menu_id = await _create(page, hall, name)
    await _write_items(page)
    await _reorder(page, admin, menu_id)
    await _merge(page, admin, menu_id)
    await _publish(page)
    seen = {
        login: await _see(browser, hall, login, name=name, menu_id=menu_id)
        for login in (retired, herdsman)
    }
    assert seen == {retired: ["共同的课", "退休党员的课"], herdsman: ["共同的课"]}
    await _roll_back(page, admin, menu_id)
    problems = await _judge_pages(page, hall, menu_id)
    assert problems == [], "\n".join(problems)
    # The browser itself reports the refused save that led to the merge.
    assert [line for line in errors.messages if "409" not in line] == []


async def _add_member(hall: Hall, admin: Api, category: str) -> str:
    login = f"m{new_id()[-10:]}"
    body = {"login": login, "display_name": "会员", "role": "member", "password": PASSWORD}
    made = await admin.post("/accounts", body, expect=201)
    unit = {"name": f"支部{new_id()[-6:]}", "kind": "branch"}
    place = await admin.post("/org-units", unit, expect=201)
    change = {"unit_id": place["id"], "category": category}
    status, answer = await admin.request("PATCH", f"/members/{made['id']}", change)
    assert status == 200, answer
    return login


async def _tab_to(page: Page, wanted: Locator) -> None:
    """Reach something as people without a mouse do; what cannot be reached fails."""
    for _ in range(MAX_TABS):
        if await wanted.evaluate("(node) => node === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"no Tab leads to {wanted}")


async def _press(page: Page, name: str, *, exact: bool = True) -> None:
    wanted = page.get_by_role("button", name=name, exact=exact).last
    await expect(wanted).to_be_enabled()
    await _tab_to(page, wanted)
    await page.keyboard.press("Enter")


async def _create(page: Page, hall: Hall, name: str) -> str:
    await page.goto(hall.origin + "/desk/menus")
    await _settle(page)
    await _tab_to(page, page.get_by_label("菜单名称"))
    await page.keyboard.type(name)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/desk/menus/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return page.url.rpartition("/")[2]


async def _write_items(page: Page) -> None:
    """Two links in a section, one of them for retired members only."""
    await _press(page, "添加栏目")
    await page.keyboard.type("本月必学")  # The new section's name has the focus, selected.
    for title, group in (("退休党员的课", "退休党员"), ("共同的课", None)):
        kind = page.get_by_label("类型")
        await _tab_to(page, kind)
        while await kind.input_value() != "link":
            await page.keyboard.press("ArrowDown")
        await _press(page, "添加内容")
        await expect(page.get_by_label("链接地址")).to_be_focused()
        await page.keyboard.type("https://www.example.cn/a")
        await page.keyboard.press("Tab")
        await page.keyboard.type(title)
        if group is not None:
            await _tab_to(page, page.get_by_role("checkbox", name=group))
            await page.keyboard.press("Space")
            await expect(page.get_by_text("符合条件的会员")).to_be_visible()
    await expect(page.get_by_text("已自动保存")).to_be_visible()


async def _reorder(page: Page, admin: Api, menu_id: str) -> None:
    """Arrow keys move, the move is said aloud, undo and redo go back and forth."""
    handle = page.get_by_role("button", name="移动“共同的课”", exact=False)
    await _tab_to(page, handle)
    await page.keyboard.press("ArrowUp")
    said = page.get_by_text("“共同的课”现在是“本月必学”的第 1 项，共 2 项")
    await expect(said.first).to_be_attached()
    await expect(handle).to_be_focused()
    await page.keyboard.press("Control+z")
    await expect(page.get_by_role("button", name="上移“退休党员的课”")).to_be_disabled()
    await page.keyboard.press("Control+Shift+z")
    await _press(page, "上移“退休党员的课”")
    # The button that led to the edge can do no more: the focus is where the keys still move it.
    moved = page.get_by_role("button", name="移动“退休党员的课”", exact=False)
    await expect(moved).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_text("已自动保存")).to_be_visible()
    draft = await admin.get(f"/menus/{menu_id}/draft")
    assert _titles(draft["content"]) == ["共同的课", "退休党员的课"]


def _titles(content: dict[str, Any]) -> list[str]:
    return [item["title"] for section in content["sections"] for item in section["items"]]


async def _merge(page: Page, admin: Api, menu_id: str) -> None:
    """Another editor saves meanwhile: what contradicts is asked, the rest goes together."""
    draft = await admin.get(f"/menus/{menu_id}/draft")
    content = draft["content"]
    content["sections"][0]["title"] = "他的名称"
    content["note"] = "他写的说明"
    body = {"version": draft["version"], "content": content}
    status, answer = await admin.request("PUT", f"/menus/{menu_id}/draft", body)
    assert status == 200, answer
    await _press(page, "编辑“本月必学”")
    await _tab_to(page, page.get_by_label("名称", exact=True))
    await page.keyboard.press("End")
    await page.keyboard.type("一")
    await expect(page.get_by_role("heading", name="有人同时修改了这份菜单")).to_be_focused()
    theirs = page.get_by_role("radio", name="用对方的", exact=False)
    await _tab_to(page, page.get_by_role("radio", name="用我的", exact=False))
    await page.keyboard.press("ArrowDown")
    await expect(theirs).to_be_checked()
    await _press(page, "合并并保存")
    await expect(page.get_by_text("已自动保存")).to_be_visible()
    merged = (await admin.get(f"/menus/{menu_id}/draft"))["content"]
    assert (merged["sections"][0]["title"], merged["note"]) == ("他的名称", "他写的说明")


async def _publish(page: Page) -> None:
    await _press(page, "发布…")
    await expect(page.get_by_role("heading", name="发布菜单")).to_be_focused()
    await expect(page.get_by_text("新增").first).to_be_visible()
    await _press(page, "发布")
    await expect(page.get_by_text("第 1 版", exact=True)).to_be_visible()


async def _see(browser: Browser, hall: Hall, login: str, *, name: str, menu_id: str) -> list[str]:
    """What a member reads in the menu, on a phone."""
    context = await browser.new_context(viewport={"width": 360, "height": 780})
    page = await context.new_page()
    await page.goto(hall.origin + "/signin?next=/menus")
    await page.get_by_label("账号").fill(login)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.get_by_role("link", name=name).click()
    await page.wait_for_url(f"**/menus/{menu_id}")
    await page.locator(".menu-items").first.wait_for()
    titles = await page.locator(".menu-items .h3").all_inner_texts()
    problems = await _judge(page, is_elder=False)
    assert problems == [], "\n".join(problems)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / "menu-360.png", full_page=True)
    await context.close()
    return titles


async def _roll_back(page: Page, admin: Api, menu_id: str) -> None:
    draft = await admin.get(f"/menus/{menu_id}/draft")
    draft["content"]["sections"][0]["items"].pop()
    body = {"version": draft["version"], "content": draft["content"]}
    status, saved = await admin.request("PUT", f"/menus/{menu_id}/draft", body)
    assert status == 200
    again = {"version": saved["version"], "note": "少一项"}
    await admin.post(f"/menus/{menu_id}/publish", again, expect=201)
    await page.reload()
    await _settle(page)
    await _press(page, "版本…")
    await _press(page, "恢复这一版")
    await _press(page, "恢复")
    await expect(page.get_by_text("恢复自第 1 版")).to_be_visible()
    now = await admin.get(f"/menus/{menu_id}/draft")
    assert (now["number"], _titles(now["content"])) == (3, ["共同的课", "退休党员的课"])


async def _judge_pages(page: Page, hall: Hall, menu_id: str) -> list[str]:
    """Every page of menus, normal and 长辈版, on a phone and a desktop."""
    problems: list[str] = []
    SHOTS.mkdir(parents=True, exist_ok=True)
    for elder, width in ((0, 1280), (1, 360)):
        await page.set_viewport_size({"width": width, "height": 860})
        for label, path in (
            ("desk-menus", "/desk/menus"), ("menu-editor", f"/desk/menus/{menu_id}"),
            ("slots", "/desk/recommendations"), ("menus", "/menus"),
        ):  # fmt: skip
            await page.goto(f"{hall.origin}{path}?elder={elder}")
            await _settle(page)
            if label == "menu-editor":
                await page.get_by_role("button", name="编辑“共同的课”").click()
                await page.get_by_role("button", name="预览…").click()
                await page.get_by_role("button", name="预览", exact=True).click()
                await page.get_by_role("region", name="以不指定的身份").wait_for()
            await page.screenshot(path=SHOTS / f"{label}-{width}.png", full_page=True)
            found = await _judge(page, is_elder=bool(elder))
            problems += [f"{label}-{width}: {line}" for line in found]
    return problems
