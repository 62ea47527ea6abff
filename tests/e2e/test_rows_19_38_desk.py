"""Rows 19 and 38: a course list comes in once; the desk says what to do next, to each role."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.test_pages import SHOTS, _judge, _settle
from tests.e2e.test_rows_of_the_catalogue import add_account, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Hall

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 780}


async def test_row_19_a_course_list_comes_in_once(
    hall: Hall, browser: Browser, tmp_path: Path
) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    await add_account(admin, f"b{mark}", "editor")
    listed = tmp_path / "courses.csv"
    listed.write_text(
        "编号,标题,类型,网址,来源,许可\n"
        f"G{mark}1,党章第一讲{mark},链接,https://www.example.org/1,共产党员网,仅供学习\n"
        f"G{mark}2,党章第二讲{mark},链接,,,\n",
        encoding="utf-8",
    )
    context = await browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"b{mark}", then="/desk/course-list")
    await page.get_by_label("选择文件").set_input_files(listed)
    await page.get_by_role("button", name="检查文件").click()
    await expect(page.get_by_text("新增 1", exact=True)).to_be_visible()
    await expect(page.get_by_role("cell", name="链接要有网址")).to_be_visible()
    await _shoot(page, "course-list-1280", is_elder=False)
    await page.get_by_role("button", name="写入").click()
    await page.get_by_role("group").get_by_role("button", name="写入").click()
    await expect(page.get_by_text("已写入", exact=False)).to_be_visible()
    await page.get_by_role("button", name="换一个文件").click()
    await page.get_by_label("选择文件").set_input_files(listed)
    await page.get_by_role("button", name="检查文件").click()
    await expect(page.get_by_text("没有变化 1", exact=True)).to_be_visible()
    await expect(page.get_by_text("新增 0", exact=True)).to_be_visible()
    found = (await admin.get(f"/lectures?q={mark}"))["items"]
    assert [(one["title"], one["source_label"]) for one in found] == [
        (f"党章第一讲{mark}", "共产党员网")
    ]
    async with page.expect_download() as download:
        await page.get_by_role("link", name="导出 csv").click()
    saved = await (await download.value).path()
    assert f"党章第一讲{mark}" in saved.read_text(encoding="utf-8-sig")
    errors.check()
    await context.close()


async def test_row_38_the_desk_says_to_each_role_what_to_do_next(
    hall: Hall, browser: Browser
) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    await add_account(admin, f"b{mark}", "editor")
    teacher_id = await add_account(admin, f"t{mark}", "instructor")
    await add_account(admin, f"m{mark}", "member")
    draft = await admin.post("/lectures", {"title": f"草稿{mark}", "kind": "document"}, expect=201)
    order = await admin.post("/orders", {"kind": "wish", "title": f"宪法{mark}"}, expect=201)

    context = await browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"b{mark}")
    await page.get_by_role("banner").get_by_role("link", name="编辑台").click()
    await expect(page.get_by_role("heading", level=1, name="待办")).to_be_visible()
    await _shoot(page, "desk-tasks-1280", is_elder=False)
    drafts = page.get_by_role("region", name="还没有发布的课程")
    await drafts.get_by_role("link", name=f"草稿{mark}").click()
    await page.wait_for_url(f"**/desk/lectures/{draft['id']}")
    await page.goto(f"{hall.origin}/desk")
    await page.get_by_role("link", name="去办理：等待派单的点单").click()
    await expect(page.get_by_role("link", name=f"宪法{mark}")).to_be_visible()
    errors.check()
    await context.close()

    body = {"version": order["version"], "move": "assign", "assignee_id": teacher_id}
    await admin.post(f"/orders/{order['id']}/moves", body)
    for login, words in ((f"t{mark}", f"宪法{mark}"), (f"m{mark}", "现在没有要办的事")):
        phone = await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
        page = await phone.new_page()
        errors = PageErrors(page)
        await sign_in(page, hall, login, then="/desk")
        await expect(page.get_by_text(words)).to_be_visible()
        await page.goto(f"{hall.origin}/desk?elder=1")
        await _shoot(page, f"desk-tasks-360-{login[0]}", is_elder=True)
        errors.check()
        await phone.close()


async def _shoot(page: Page, name: str, *, is_elder: bool) -> None:
    await _settle(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    problems = await _judge(page, is_elder=is_elder)
    assert problems == [], f"{name}: {problems}"
