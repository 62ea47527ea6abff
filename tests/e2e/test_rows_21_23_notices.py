"""Rows 21 and 23: publishing a course drafts one notice; sent, members read it, and it counts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from kernel.ids import new_id
from tests.e2e.test_rows_of_the_catalogue import add_account, add_paper, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Hall

pytestmark = [pytest.mark.timeout(180), pytest.mark.browser]


async def test_row_21_and_23_a_published_course_becomes_a_notice_of_this_week(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    mark = new_id()[-6:]
    await add_account(admin, f"b{mark}", "editor")
    await add_account(admin, f"m{mark}", "member")
    title = f"乡村振兴{mark}"
    await add_paper(admin, title)
    before = (await admin.get("/notices"))["week_count"]
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"b{mark}", then="/desk/notices?standing=draft")
    drafts = page.get_by_role("link", name=title)
    await expect(drafts).to_have_count(1)
    await drafts.click()
    await page.get_by_label("正文").fill("第一段 <b>\n\n第二段")
    await page.get_by_role("button", name="现在发布").click()
    await expect(
        page.get_by_text("已发布,学员现在就能看到".replace(",", chr(0xFF0C)))
    ).to_be_visible()
    errors.check()
    await context.close()
    phone = await browser.new_context(viewport={"width": 360, "height": 780})
    page = await phone.new_page()
    errors = PageErrors(page)
    await sign_in(page, hall, f"m{mark}", then="/notices")
    await expect(page.get_by_text(f"本周发布 {before + 1} 条")).to_be_visible()
    await page.get_by_role("link", name=title).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    await expect(page.get_by_text("第一段 <b>")).to_be_visible()  # As typed, not as markup.
    await page.get_by_role("link", name="去看课程").click()
    await expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    await page.goto(hall.origin)
    await expect(page.get_by_role("heading", name="组工动态")).to_be_visible()
    errors.check()
    await phone.close()
