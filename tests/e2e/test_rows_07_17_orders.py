"""Rows 7 and 17: a course is ordered, assigned, taught, sent back, taught again, rated."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.test_pages import SHOTS, _judge, _settle
from tests.e2e.test_rows_of_the_catalogue import add_account, add_paper, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Hall

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]
PHONE, DESKTOP = {"width": 360, "height": 780}, {"width": 1280, "height": 860}


async def test_rows_07_and_17_an_order_goes_round_until_its_orderer_is_content(
    hall: Hall, browser: Browser
) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    unit = await admin.post("/org-units", {"name": f"支部{mark}", "kind": "branch"}, expect=201)
    member_id = await add_account(admin, f"m{mark}", "member")
    await admin.request("PATCH", f"/members/{member_id}", {"unit_id": unit["id"]}, expect=200)
    await add_account(admin, f"b{mark}", "editor")
    teacher_id = await add_account(admin, f"t{mark}", "instructor")
    teacher_name = f"其其格{mark}"
    await admin.post("/instructors", {"name": teacher_name, "account_id": teacher_id}, expect=201)
    title, lesson = f"防沙治沙{mark}", f"库布其的路{mark}"
    await add_paper(admin, lesson)
    member, errors = await _open(browser, hall, f"m{mark}", PHONE, then="/orders")
    await member.get_by_role("link", name="我要点单").click()
    await member.get_by_label("想学什么").fill(title)
    await member.get_by_label(f"为支部{mark}").check()
    await member.get_by_label("大约多少人听").fill("30")
    await member.get_by_label("到现场讲").check()
    await _shoot(member, "order-new-360", is_elder=False)
    await member.get_by_role("button", name="提交点单").click()
    await expect(member.get_by_role("heading", level=1, name=title)).to_be_visible()
    await _see_step(member, "点单")
    address = member.url

    desk, desk_errors = await _open(browser, hall, f"b{mark}", DESKTOP, then="/desk/orders")
    await _shoot(desk, "desk-orders-1280", is_elder=False)
    await desk.get_by_role("link", name=title).click()
    await desk.get_by_role("button", name="派单").click()
    await desk.get_by_label("授课老师").select_option(label=f"{teacher_name} ")
    await _shoot(desk, "order-assign-1280", is_elder=False)
    await desk.locator("form").get_by_role("button", name="派单").click()
    await _see_step(desk, "派单")

    teacher, teacher_errors = await _open(
        browser, hall, f"t{mark}", DESKTOP, then="/orders?scope=assigned"
    )
    await _teach(teacher, title, lesson)
    await member.goto(address)
    await member.get_by_label("不满意", exact=True).check()
    await member.get_by_label("说说您的感受").fill("想请老师到现场")
    await member.locator("form").get_by_role("button", name="评价").click()
    await _see_step(member, "点单")
    await expect(member.get_by_text("第 1 次重新办理")).to_be_visible()

    await desk.goto(address)
    await desk.get_by_role("button", name="派单").click()
    await desk.get_by_label("派给谁").select_option(value=teacher_id)
    await desk.locator("form").get_by_role("button", name="派单").click()
    await _see_step(desk, "派单")
    await teacher.goto(f"{hall.origin}/orders?scope=assigned")
    await _teach(teacher, title, None)
    await member.goto(address)
    await member.get_by_label("非常满意").check()
    await member.locator("form").get_by_role("button", name="评价").click()
    await _see_step(member, "评价")
    await _shoot(member, "order-360", is_elder=False)
    await member.goto(f"{address}?elder=1")
    await _shoot(member, "order-360-elder", is_elder=True)
    await member.goto(f"{hall.origin}/orders?elder=1")
    await _shoot(member, "orders-360-elder", is_elder=True)

    await desk.goto(f"{hall.origin}/desk/orders?tab=demand")
    await expect(desk.get_by_role("listitem").filter(has_text=title)).to_contain_text("预计听课 30")
    await _shoot(desk, "demand-1280", is_elder=False)
    for one in (errors, desk_errors, teacher_errors):
        one.check()
    for page in (member, desk, teacher):
        await page.context.close()


async def _open(
    browser: Browser, hall: Hall, login: str, viewport: dict[str, int], *, then: str
) -> tuple[Page, PageErrors]:
    context = await browser.new_context(viewport=viewport)  # type: ignore[arg-type]
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, login, then=then)
    return page, errors


async def _teach(teacher: Page, title: str, lesson: str | None) -> None:
    """Accept and complete: with a recorded lesson, or without one."""
    await teacher.get_by_role("link", name=title).click()
    await teacher.get_by_role("button", name="接单").click()
    await teacher.locator("form").get_by_role("button", name="接单").click()
    await _see_step(teacher, "接单")
    await teacher.get_by_role("button", name="完成并答复").click()
    if lesson is not None:
        await teacher.get_by_label("怎样完成的").select_option(label="回看课")
        await teacher.get_by_label("按名称查找").fill(lesson)
        await teacher.get_by_role("button", name="搜索", exact=True).last.click()
        await teacher.get_by_label("选择回看课").select_option(label=lesson)
    await teacher.get_by_label("答复点单人").fill("已经讲完")
    await teacher.locator("form").get_by_role("button", name="完成并答复").click()
    await _see_step(teacher, "完成")


async def _see_step(page: Page, step: str) -> None:
    current = page.get_by_role("list", name="办理进度").locator("[aria-current=step]")
    await expect(current).to_contain_text(step)


async def _shoot(page: Page, name: str, *, is_elder: bool) -> None:
    await _settle(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    assert await _judge(page, is_elder=is_elder) == [], name
