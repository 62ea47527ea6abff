"""Rows 12 and 25: the pool of teachers and the places for teaching on site, in a browser."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.test_pages import SHOTS, _judge, _settle
from tests.e2e.test_rows_of_the_catalogue import add_account, add_paper, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Hall
from vod.library.calendar import CENTRE

pytestmark = [pytest.mark.timeout(180), pytest.mark.browser]


async def test_row_25_a_teacher_of_the_pool_and_the_end_of_an_appointment(
    hall: Hall, browser: Browser
) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    await add_account(admin, f"b{mark}", "editor")
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"b{mark}", then="/desk/instructors")
    await _shoot(page, "desk-instructors-1280", is_elder=False)
    await page.get_by_role("link", name="添加教师").click()
    name = f"苏日娜{mark}"
    await page.get_by_label("姓名", exact=True).fill(name)
    await page.get_by_label("单位", exact=True).fill("乌审旗委宣传部")
    await page.get_by_label("讲授主题").fill("乡村振兴、双语宣讲")
    today = datetime.now(CENTRE).date()
    await page.get_by_label("聘期结束").fill((today + timedelta(days=30)).isoformat())
    await page.get_by_role("button", name="保存").click()
    await page.wait_for_url("**/desk/instructors/0*")
    teacher_id = page.url.rpartition("/")[2]
    picture = io.BytesIO()
    Image.new("RGB", (640, 640), "#a3161b").save(picture, "JPEG")
    await page.locator("input[type=file]").set_input_files(
        {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    )
    await expect(page.get_by_alt_text("现在的照片")).to_be_visible()
    await _shoot(page, "desk-instructor-1280", is_elder=False)

    title = f"乡村振兴课{mark}"
    await add_paper(admin, title, instructor_ids=[teacher_id], hours="1.5")
    await page.get_by_role("link", name="看学员看到的页面").click()
    await expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    await expect(page.get_by_text("1 门课，1.5 学时")).to_be_visible()
    await expect(page.get_by_role("link", name=title)).to_be_visible()
    await page.get_by_role("link", name="点单：请这位老师讲课").click()
    await expect(page.get_by_text(f"已选：{name}")).to_be_visible()

    await page.goto(f"{hall.origin}/desk/instructors/{teacher_id}")
    await page.get_by_label("聘期结束").fill((today - timedelta(days=1)).isoformat())
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("已保存", exact=True)).to_be_visible()
    await page.goto(f"{hall.origin}/instructors/{teacher_id}")
    await expect(page.get_by_text("聘期已满，暂不接受点单")).to_be_visible()
    await expect(page.get_by_role("link", name="点单：请这位老师讲课")).to_have_count(0)
    offered = (await admin.get(f"/instructors?orderable=true&q={name}"))["items"]
    assert offered == []
    errors.check()
    await context.close()


async def test_row_12_a_place_for_teaching_on_site(hall: Hall, browser: Browser) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    await add_account(admin, f"b{mark}", "editor")
    context = await browser.new_context(viewport={"width": 360, "height": 780})
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"b{mark}", then="/desk/venues")
    await page.get_by_role("link", name="新建教学点").click()
    name = f"治沙示范林{mark}"
    await page.get_by_label("名称", exact=True).fill(name)
    await page.get_by_label("类型").select_option(label="实景")
    await page.get_by_label("地点").fill("杭锦旗库布其")
    await page.get_by_label("容纳人数").fill("120")
    await page.get_by_label("联系电话").fill("0477-1234567")
    await page.get_by_role("button", name="保存").click()
    await page.wait_for_url("**/desk/venues/0*")
    await page.get_by_role("link", name="看学员看到的页面").click()
    await expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    await expect(page.get_by_role("link", name="0477-1234567")).to_be_visible()
    await _shoot(page, "venue-360", is_elder=False)
    address = page.url
    await page.goto(f"{hall.origin}/venues?kind=scene&q={name}&elder=1")
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    await _shoot(page, "venues-360-elder", is_elder=True)
    await page.goto(f"{hall.origin}/films?elder=1")
    await _shoot(page, "films-360-elder", is_elder=True)
    errors.check()
    stranger = await browser.new_page()
    await stranger.goto(address)
    await expect(stranger.get_by_role("link", name="登录后查看")).to_be_visible()
    await expect(stranger.get_by_text("0477-1234567")).to_have_count(0)
    await stranger.context.close()
    await context.close()


async def _shoot(page: Page, name: str, *, is_elder: bool) -> None:
    await _settle(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    problems = await _judge(page, is_elder=is_elder)
    assert problems == [], f"{name}: {problems}"
