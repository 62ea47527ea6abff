"""A lecture in two codecs: published in H.264, AV1 added; browsers take what they can decode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Request, expect

from tests.e2e.player_pages import MEDIA_ELEMENT, PLAYER_READY, QUALITY_MENU
from tests.support.browser import PATIENCE_MS
from tests.support.cli import run_cli
from tests.support.hall import Api, Hall
from tests.support.synthetic_recording import run_ffmpeg
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
NO_AV1 = """
    const knows = MediaSource.isTypeSupported.bind(MediaSource);
    MediaSource.isTypeSupported = (type) => !type.includes("av01") && knows(type);
"""


async def test_browsers_choose_av1_where_they_can(browser: Browser, tmp_path: Path) -> None:
    clip = tmp_path / "第一讲.mp4"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine"),
        *("-t", "6", "-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac", clip),
    )
    async with Hall(tmp_path / "hall", env={"HALL_AV1": "1"}) as hall:
        admin = await hall.admin()
        here = {"HALL_DATA": str(hall.data), "HALL_HTTP_PORT": str(hall.http_port)}
        done = await run_cli("import", str(clip), env=here)
        assert done.code == 0, done.out + done.err
        (lecture,) = (await admin.get("/lectures"))["items"]
        await eventually(lambda: _is_over(admin, lecture["id"]), timeout_s=120)
        page_url = f"{hall.origin}/lectures/{lecture['id']}"
        for script, wanted in (("", "av1.m3u8"), (NO_AV1, "0p.m3u8")):
            read = await _watch(browser, page_url, script)
            assert any(path.endswith(wanted) for path in read), read
            if script:
                assert not any("av1" in path for path in read), read


async def _is_over(admin: Api, lecture_id: str) -> Any:
    found = await admin.get(f"/lectures/{lecture_id}")
    states = {item["name"]: item["state"] for item in found["renditions"]}
    assert "failed" not in states.values()
    return found if set(states.values()) == {"done"} and "180pav1" in states else None


async def _watch(browser: Browser, url: str, script: str) -> list[str]:
    """Play the lecture for a second in a browser of its own; return the playlists it read."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        read: list[str] = []

        def note(request: Request) -> None:
            if request.url.split("?")[0].endswith(".m3u8"):
                read.append(request.url.split("?")[0])

        page.on("request", note)
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        await expect(page.locator(PLAYER_READY)).to_be_visible()
        await page.evaluate(f"document.querySelector('{MEDIA_ELEMENT}').muted = true")
        await page.evaluate(f"document.querySelector('{MEDIA_ELEMENT}').play()")
        await page.wait_for_function(
            f"document.querySelector('{MEDIA_ELEMENT}').currentTime > 1", timeout=PATIENCE_MS
        )
        # Automatic, 180p, the station rung, sound alone: each once, whatever the codec.
        await page.get_by_role("button", name=QUALITY_MENU).click()
        await expect(page.get_by_role("menuitemradio")).to_have_count(4)
        return read
    finally:
        await context.close()
