"""Who is told what happened: the administrators' page, with a secret that is shown once."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from kernel.ids import new_id
from tests.e2e.test_pages import _sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Hall

pytestmark = [pytest.mark.timeout(120), pytest.mark.browser]


async def test_a_receiver_is_set_up_switched_off_and_removed(hall: Hall, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 780})
    page = await context.new_page()
    errors = PageErrors(page)
    await _sign_in(page, hall)
    await page.goto(f"{hall.origin}/admin/webhooks")
    url = f"https://hooks.example.org/{new_id()}"
    await page.get_by_label("接收地址（https）").fill(url)
    await page.get_by_label("直播开始").check()
    await page.get_by_role("button", name="添加", exact=True).click()
    secret = page.get_by_role("textbox", name="签名密钥")
    await expect(secret).to_have_value(re.compile(r"whsec_.{20,}"))
    first = await secret.input_value()
    card = page.get_by_role("article").filter(has_text=url)
    await expect(card.get_by_text("启用中")).to_be_visible()
    await card.get_by_role("button", name="更换密钥").click()
    await card.get_by_role("group").get_by_role("button", name="更换密钥").click()
    await expect(secret).not_to_have_value(first)
    await card.get_by_role("button", name="停用").click()
    await expect(card.get_by_text("已停用")).to_be_visible()
    await page.reload()
    await expect(card).to_be_visible()
    await expect(secret).to_have_count(0)
    await card.get_by_role("button", name="删除").click()
    await card.get_by_role("group").get_by_role("button", name="删除").click()
    await expect(card).to_have_count(0)
    errors.check()
    await context.close()
