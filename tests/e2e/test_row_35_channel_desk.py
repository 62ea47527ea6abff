"""Row 35: an editor fills the grid of a channel for one group; it shows to that group."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.test_pages import SHOTS, _judge, _settle
from tests.e2e.test_rows_of_the_catalogue import add_account, build_world, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.waiting import eventually
from vod.library.calendar import CENTRE

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]


async def test_row_35_a_channel_for_one_group_with_a_day_left_out(
    hall: Hall, browser: Browser
) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    world = await build_world(hall, admin)
    await _encode(admin, world.lecture_id)
    await add_account(admin, f"b{mark}", "editor")
    name = f"红色展播{mark}"
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"b{mark}", then="/desk/channels")
    await page.get_by_text("新建频道").click()
    made = page.locator("details", has=page.get_by_text("新建频道"))
    await made.get_by_label("频道名称").fill(name)
    await made.get_by_label("谁可以看").select_option(label="指定的学员")
    await made.get_by_label("退休党员").check()
    await made.get_by_role("button", name="创建").click()
    await expect(page.get_by_label("频道", exact=True)).to_contain_text(name)

    soon = datetime.now(CENTRE).replace(hour=20, minute=0) + timedelta(days=1)
    form = page.locator("form", has=page.get_by_role("heading", name="添加节目"))
    await form.get_by_label("查找课程").fill(world.title)
    await form.get_by_label("查找课程").press("Enter")
    await form.get_by_role("button", name=world.title).click()
    await form.get_by_label("播出时间").fill(soon.strftime("%Y-%m-%dT%H:%M"))
    for weekday in ("周一", "周二", "周三", "周四", "周五", "周六", "周日"):
        await form.get_by_label(weekday, exact=True).check()
    await form.get_by_role("button", name="添加节目").click()
    grid = page.get_by_role("region", name="节目安排")
    await expect(grid.get_by_text(world.title)).to_be_visible()
    week = page.get_by_role("region", name="未来七天")
    before = await _count(week.get_by_role("listitem"))
    skipped = (soon + timedelta(days=2)).date().isoformat()
    await grid.get_by_label("哪一天不播").fill(skipped)
    await grid.get_by_role("button", name="加一天停播").click()
    await expect(week.get_by_role("listitem")).to_have_count(before - 1)
    await grid.get_by_role("button", name=f"推后 15 分钟：{world.title}").click()
    await expect(grid.get_by_text("20:15")).to_be_visible()
    await _shoot(page, "desk-grid-1280", is_elder=False)
    errors.check()

    channel_id = await _find(admin, name)
    assert await _seen_by(admin, hall, channel_id, mark, category=None) == 404
    assert await _seen_by(admin, hall, channel_id, mark, category="退休党员") == 200
    await page.set_viewport_size({"width": 360, "height": 780})
    await page.goto(f"{hall.origin}/desk/channels?elder=1")
    await _shoot(page, "desk-grid-360-elder", is_elder=True)
    await page.goto(f"{hall.origin}/channels/{channel_id}?elder=1")
    await _shoot(page, "channel-360-elder", is_elder=True)
    await context.close()


async def _encode(admin: Api, lecture_id: str) -> None:
    path = f"/lectures/{lecture_id}"
    if (await admin.get(path))["state"] != "ready":
        await admin.request("POST", f"{path}/transcode")

    async def is_ready() -> Any:
        return bool((await admin.get(path))["state"] == "ready")

    await eventually(is_ready, timeout_s=90, message="no renditions to air")


async def _count(found: Any) -> int:
    await expect(found.first).to_be_visible()
    return int(await found.count())


async def _find(admin: Api, name: str) -> str:
    found = (await admin.get("/channels"))["items"]
    return next(str(one["id"]) for one in found if one["title"] == name)


async def _seen_by(
    admin: Api, hall: Hall, channel_id: str, mark: str, *, category: str | None
) -> int:
    """How a member of that category is answered."""
    login = f"{'r' if category else 'n'}{mark}"
    account_id = await add_account(admin, login, "member")
    if category is not None:
        lists = await admin.get("/member-lists")
        key = next(one["key"] for one in lists["categories"] if one["name"] == category)
        await admin.request("PATCH", f"/members/{account_id}", {"category": key}, expect=200)
    member = await hall.api().sign_in(login, "correct horse battery")
    since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    status, _ = await member.request("GET", f"/channels/{channel_id}/epg?since={since}")
    return status


async def _shoot(page: Page, name: str, *, is_elder: bool) -> None:
    await _settle(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    problems = await _judge(page, is_elder=is_elder)
    assert problems == [], f"{name}: {problems}"
