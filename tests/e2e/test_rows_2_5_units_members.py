"""Rows 2 and 5, units and members, in a real browser: tree, roster, scoped admin, categories."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from kernel.ids import new_id
from tests.e2e.test_pages import SHOTS, SIZES, _judge, _settle, _sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Hall
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
NEW_PASSWORD = "a long password"


async def test_rows_2_and_5_a_tree_a_roster_and_an_admin_of_a_sub_tree(
    hall: Hall, browser: Browser, tmp_path: Path
) -> None:
    mark = new_id()[-6:]
    city, east, west = f"市{mark}", f"东旗{mark}", f"西旗{mark}"
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await _sign_in(page, hall)
    await _grow_tree(page, hall, city, [west, east])
    await page.get_by_role("button", name="上移").click()
    # Other tests of this hall have trees of their own.
    own_tree = page.locator(".unit-list > li").filter(has_text=city)
    names = own_tree.locator(".unit-list .grow")
    await expect(names.first).to_contain_text(east)
    roster = tmp_path / "名册.csv"
    lines = [
        "姓名,工号,所在党组织,人员类别",
        f"张三丰,A{mark},{city}/{east},农牧民",
        f"单雄信,B{mark},{city}/{east},退休党员",
        f"李四,C{mark},{city}/{west},农牧民",
        f"坏行,D{mark},{city}/无此旗,农牧民",
    ]
    roster.write_bytes("\n".join(lines).encode("gb18030"))
    await _import(page, hall, roster)
    await _grant(page, hall, f"A{mark}", east)
    code = await _issue_code(page)
    own = await browser.new_page(viewport={"width": 360, "height": 780})
    await _enter_with_code(own, hall, f"a{mark}", code)
    # A banner's admin sees the banner only; the city is the sum.
    await own.goto(hall.origin + "/admin/members")
    await expect(own.get_by_text("共 2 人")).to_be_visible()
    await expect(own.locator(".records")).not_to_contain_text("李四")
    await own.get_by_role("searchbox", name="姓名、拼音、首字母、工号或手机号").fill("sxx")
    await own.get_by_role("button", name="搜索").first.click()
    await expect(own.locator(".records li")).to_have_count(1)
    await page.goto(hall.origin + "/admin/units")
    await _settle(page)
    await expect(page.get_by_role("button", name=f"{city} 3 人")).to_be_visible()
    problems = await _judge_pages(page, own, hall)
    assert problems == [], "\n".join(problems)
    assert errors.messages == []


async def _grow_tree(page: Page, hall: Hall, city: str, banners: list[str]) -> None:
    await page.goto(hall.origin + "/admin/units")
    await _settle(page)
    await page.locator("#top-name").fill(city)
    await page.locator("form:has(#top-name)").get_by_role("button", name="添加").click()
    await expect(page.locator("#unit-title")).to_have_text(city)
    for name in banners:
        await page.locator("#below-name").fill(name)
        await page.locator("#below-kind").select_option("banner")
        await page.locator("form:has(#below-name)").get_by_role("button", name="添加").click()
        await expect(page.locator("#below-name")).to_have_value("")
    wanted = page.get_by_role("button", name=f"{banners[-1]} 0 人")
    expand = page.get_by_role("button", name=f"展开 {city}")

    async def is_open() -> bool:
        """A node with new children may open by itself, in its own time."""
        if await wanted.is_visible():
            return True
        if await expand.is_visible():
            with contextlib.suppress(PlaywrightTimeoutError):  # It opened meanwhile.
                await expand.click(timeout=2_000)
        return False

    await eventually(is_open, timeout_s=20, message="the tree does not open")
    await wanted.click()
    await expect(page.locator("#unit-title")).to_have_text(banners[-1])


async def _import(page: Page, hall: Hall, roster: Path) -> None:
    await page.goto(hall.origin + "/admin/roster")
    await _settle(page)
    await page.locator("#roster-file").set_input_files(roster)
    await page.get_by_role("button", name="上传并试算").click()
    await expect(page.get_by_text("新增 3 人").first).to_be_visible(timeout=60_000)
    await expect(page.get_by_role("cell", name="没有这个党组织")).to_be_visible()
    await page.get_by_role("button", name="确认写入").click()
    await page.get_by_role("button", name="确认写入").click()
    await expect(page.locator("#roster-current + p .badge")).to_have_text("已完成", timeout=60_000)


async def _grant(page: Page, hall: Hall, staff_no: str, unit: str) -> None:
    await page.goto(hall.origin + f"/admin/members?q={staff_no}")
    await page.get_by_role("link", name="张三丰").click()
    roles = page.locator("section[aria-labelledby=member-roles]")
    await roles.get_by_role("searchbox").fill(unit)
    await roles.get_by_role("button", name="搜索").click()
    await roles.get_by_role("button", name=unit).click()
    await expect(roles.locator(".records")).to_contain_text("单位管理员")


async def _issue_code(page: Page) -> str:
    await page.get_by_role("button", name="发放登录码").click()
    await page.get_by_role("button", name="发放登录码").click()
    return await page.get_by_label("登录码", exact=True).input_value()


async def _enter_with_code(page: Page, hall: Hall, login: str, code: str) -> None:
    await page.goto(hall.origin + "/signin")
    await page.get_by_label("账号").fill(login)
    await page.get_by_label("密码", exact=True).fill(code)
    await page.locator("main").get_by_role("button", name="登录").click()
    await expect(page.get_by_text("请先设置您的密码")).to_be_visible()
    await page.locator("#new-password").fill(NEW_PASSWORD)
    await page.locator("#repeat-password").fill(NEW_PASSWORD)
    await page.get_by_role("button", name="修改密码").click()
    await expect(page.get_by_text("请先设置您的密码")).to_have_count(0)


async def _judge_pages(page: Page, own: Page, hall: Hall) -> list[str]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for path in ("units", "members", "roster", "member-lists"):
        for (width, height), is_elder in zip(SIZES, (True, False), strict=True):
            await page.set_viewport_size({"width": width, "height": height})
            await page.goto(f"{hall.origin}/admin/{path}?elder={int(is_elder)}")
            await _settle(page)
            if path == "units":
                await page.locator(".unit-list .grow").first.click()
            name = f"{path}-{width}{'-elder' if is_elder else ''}"
            await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
            found += [f"{name}: {line}" for line in await _judge(page, is_elder=is_elder)]
    await own.get_by_role("link", name="单雄信").click()
    await _settle(own)
    await own.screenshot(path=SHOTS / "member-360.png", full_page=True)
    return found + [f"member: {line}" for line in await _judge(own, is_elder=False)]
