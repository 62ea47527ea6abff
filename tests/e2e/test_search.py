"""Search in a real browser: from the header by keys, through captions, to the moment."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.player_pages import MEDIA_ELEMENT, PLAYER_READY
from tests.e2e.test_pages import SHOTS, _judge, _recorded, _replay, _settle
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
TITLE = "马头琴与那达慕"
SAID = """1
00:00:00,500 --> 00:00:02,000
各位同志大家好

2
00:00:02,000 --> 00:00:03,500
先讲嘎查里的

3
00:00:03,500 --> 00:00:05,000
勒勒车，A & B
"""


async def test_what_was_said_is_found_and_played_from_there(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    lecture_id = await _teach(hall, admin)
    await eventually(lambda: _finds(admin, "勒勒车", lecture_id), timeout_s=30)
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await page.goto(hall.origin + "/")
    await _settle(page)
    await _choose_suggestion(page, lecture_id)
    await page.goto(hall.origin + "/live")
    await _settle(page)
    await page.keyboard.press("/")
    await page.keyboard.type("嘎查里的勒勒車")
    await page.keyboard.press("Enter")
    moment = page.get_by_role("link", name="从这里播放")
    await expect(moment).to_contain_text("0:02")
    await expect(moment.locator("mark")).to_have_text("嘎查里的勒勒车")
    await expect(moment).to_contain_text("，A & B")  # What was said is text.
    problems = await _judge_pages(page, hall)
    assert problems == [], "\n".join(problems)
    await page.goto(f"{hall.origin}/search?q=嘎查里的勒勒車&elder=0")
    await moment.click()
    await page.wait_for_url(f"**/lectures/{lecture_id}?t=2")
    await page.locator(PLAYER_READY).wait_for()

    async def is_there() -> bool:
        at_s = await page.locator(MEDIA_ELEMENT).evaluate("(video) => video.currentTime")
        return 1.5 <= at_s <= 6

    await eventually(is_there, timeout_s=20, message="the player does not start at the moment")
    errors.check()


async def _teach(hall: Hall, admin: Api) -> str:
    made = await admin.make_class(TITLE)
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _recorded(admin, made["id"], 6), timeout_s=30)
    await admin.post(f"/live-classes/{made['id']}/end")
    lecture_id = str(await eventually(lambda: _replay(admin, made["id"]), timeout_s=15))
    url = f"{hall.origin}/api/v1/lectures/{lecture_id}/captions"
    params = {"language": "zh-CN", "label": "中文", "filename": "a.srt"}
    headers = {**admin.headers, "Content-Type": "application/octet-stream"}
    async with admin.session.post(
        url, params=params, data=SAID.encode(), headers=headers
    ) as answer:
        assert answer.status == 201, await answer.text()
    return lecture_id


async def _finds(api: Api, words: str, lecture_id: str) -> Any:
    found = await api.get(f"/search?q={words}")
    return any(item["id"] == lecture_id and item["moments"] for item in found["items"])


async def _choose_suggestion(page: Page, lecture_id: str) -> None:
    """`/` goes to the box; an input method composes; arrows and Enter choose."""
    await page.keyboard.press("/")
    box = page.get_by_role("combobox", name="搜索课程").first
    await expect(box).to_be_focused()
    keys = await page.context.new_cdp_session(page)
    composing = {"text": "matou", "selectionStart": 5, "selectionEnd": 5}
    await keys.send("Input.imeSetComposition", composing)
    await expect(box).to_have_attribute("aria-expanded", "false")  # No text yet.
    await keys.send("Input.insertText", {"text": "马头琴"})
    option = page.get_by_role("option", name=TITLE).first
    await expect(option).to_be_visible()
    await expect(box).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("ArrowDown")
    await expect(option).to_have_attribute("aria-selected", "true")
    assert await box.get_attribute("aria-activedescendant") == await option.get_attribute("id")
    await page.keyboard.press("Escape")
    await expect(box).to_have_attribute("aria-expanded", "false")
    await page.keyboard.press("ArrowDown")
    problems = await _judge(page, is_elder=False)
    assert problems == [], "\n".join(problems)
    kinds = await page.get_by_role("option").all_inner_texts()
    wanted = next(at for at, text in enumerate(kinds) if text.endswith("课程"))
    for _ in range(wanted):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/lectures/{lecture_id}")


async def _judge_pages(page: Page, hall: Hall) -> list[str]:
    """Results and none, normal and 长辈版, on a phone and a desktop."""
    problems: list[str] = []
    SHOTS.mkdir(parents=True, exist_ok=True)
    for elder, width in ((0, 1280), (1, 1280), (0, 360), (1, 360)):
        await page.set_viewport_size({"width": width, "height": 860})
        for label, words in (("search", TITLE + " 勒勒车"), ("search-none", "马头琴与那达姆")):
            await page.goto(f"{hall.origin}/search?q={words}&elder={elder}")
            await _settle(page)
            await page.screenshot(path=SHOTS / f"{label}-{width}-{elder}.png", full_page=True)
            found = await _judge(page, is_elder=bool(elder))
            problems += [f"{label}-{width}-{elder}: {line}" for line in found]
    return problems
