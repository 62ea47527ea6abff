"""Row 29, featured lessons 精品: marked at the desk, with a badge and a list of their own."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from kernel.ids import new_id
from tests.e2e.test_pages import _judge, _settle, _sign_in
from tests.e2e.test_rows_of_the_catalogue import add_paper
from tests.support.browser import PageErrors
from tests.support.hall import Hall

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]


async def test_row_29_an_editor_features_a_lesson_and_the_library_shows_it(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    mark = new_id()[-6:]
    title, other = f"精品党课{mark}", f"平常党课{mark}"
    lecture_id = await add_paper(admin, title)
    await add_paper(admin, other)
    page = await browser.new_page(viewport={"width": 360, "height": 780})
    errors = PageErrors(page)
    await _sign_in(page, hall)
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}")
    box = page.get_by_role("checkbox", name="设为精品课")
    await box.check()
    form = page.locator("form", has=box)
    async with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
        await form.get_by_role("button", name="保存", exact=True).click()
    await page.goto(f"{hall.origin}/lectures?q={mark}")
    await expect(page.get_by_role("link", name=other)).to_be_visible()
    await page.get_by_role("link", name="精品课", exact=True).click()
    await page.wait_for_url("**/lectures?*featured=1")
    await expect(page.get_by_role("link", name=other)).to_have_count(0)
    card = page.locator("a.card", has_text=title)
    await expect(card.locator(".badge")).to_contain_text(["精品"])
    await _settle(page)
    problems = await _judge(page, is_elder=False)
    await card.click()
    await page.wait_for_url(f"**/lectures/{lecture_id}")
    await expect(page.locator(".about .badge", has_text="精品")).to_be_visible()
    assert problems == [], "\n".join(problems)
    errors.check()
