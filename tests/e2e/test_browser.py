"""The main job in a real browser: teach from the studio, watch, lose the network, end, replay.

It is row 31, live classes as routine: begun from the studio, the replay under the same address,
one recording whatever happened to the encoder (``test_three_encoders_make_one_replay`` beside it).
Row 32, anywhere and at any time: ``test_pages`` on a phone, ``test_row_20`` seeks without a
mouse, low rungs and sound alone are asked for by ``test_main_path`` and ``test_shared_media``.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.support.browser import PageErrors
from tests.support.hall import ADMIN_PASSWORD, Hall
from tests.support.publisher import Picture, publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]

PICTURE = """() => {
  const video = document.querySelector('video');
  if (!video || video.readyState < 2) return null;
  return { time: video.currentTime, width: video.videoWidth, paused: video.paused,
           duration: video.duration, ended: video.ended };
}"""


async def _sign_in(context: BrowserContext, hall: Hall) -> Page:
    page = await context.new_page()
    await page.goto(hall.origin + "/signin")
    await page.get_by_label("账号").fill("admin")
    await page.get_by_label("密码", exact=True).fill(ADMIN_PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.wait_for_url(hall.origin + "/")
    return page


async def _picture(page: Page) -> Any:
    return await page.evaluate(PICTURE)


async def _wait_for_motion(page: Page, *, seconds: float = 2.0, timeout_s: float = 30) -> Any:
    """Wait until the picture has moved on by ``seconds`` of media."""
    first = await eventually(lambda: _picture(page), timeout_s=timeout_s, message="no picture")

    async def moved() -> Any:
        now = await _picture(page)
        return now if now and now["time"] >= first["time"] + seconds else None

    return await eventually(moved, timeout_s=timeout_s, message=f"the picture stands at {first}")


async def test_teach_from_the_studio_watch_and_replay(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    made = await admin.make_class("浏览器里开课")
    teacher = await browser.new_context(permissions=["camera", "microphone"])
    studio = await _sign_in(teacher, hall)
    errors = PageErrors(studio)
    await studio.goto(f"{hall.origin}/studio/{made['id']}")
    await studio.get_by_role("button", name="打开摄像头和麦克风").click()
    await studio.get_by_role("button", name="开始直播").click()
    await admin.wait_for_state(made["id"], "live", timeout_s=30)

    member = await browser.new_page()
    member_errors = PageErrors(member)
    await member.goto(made["watch_url"])
    live = await _wait_for_motion(member)
    assert live["width"] >= 1280, "720p stays 720p on a local link"

    managed = await eventually(lambda: _health(admin, made["id"]), timeout_s=20)
    assert managed["video_bps"] > 300_000
    assert "b_frames" not in managed["warnings"]

    await studio.get_by_role("button", name="结束课程").click()
    await studio.get_by_role("button", name="确定下课").click()
    await admin.wait_for_state(made["id"], "ended")

    async def is_replay() -> bool:
        now = await _picture(member)
        source = await member.locator("video").count()
        return bool(source and now and now["duration"] not in (None, float("inf")))

    await eventually(is_replay, timeout_s=15, message="the page did not become the replay")
    errors.check()
    member_errors.check(ignore=("503", "404"))
    await teacher.close()


async def _health(api: Any, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    health = found["health"]
    return health if health and health["video_bps"] > 300_000 else None


async def test_viewer_stays_through_a_lost_publisher(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    made = await admin.make_class("断线重连")
    url = f"{hall.rtmp}/{made['publish']['stream_key']}"
    page = await browser.new_page()
    async with publish(url, Picture(width_px=640, height_px=360)) as first:
        await admin.wait_for_state(made["id"], "live")
        await page.goto(made["watch_url"])
        await _wait_for_motion(page)
        await first.kill()
    await page.get_by_text("信号中断").first.wait_for()
    marker = await page.evaluate("() => { window.stayed = true; return true; }")
    assert marker
    async with publish(url, Picture(width_px=320, height_px=180)):
        await admin.wait_for_state(made["id"], "live")

        async def is_smaller() -> bool:
            now = await _picture(page)
            return bool(now and now["width"] == 320)

        await eventually(is_smaller, timeout_s=40, message="the picture did not come back")
        await _wait_for_motion(page)
    assert await page.evaluate("() => window.stayed"), "the page was never reloaded"


async def test_dvr_reaches_back_to_the_start_and_forth_to_live(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    made = await admin.make_class("回看")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")

        async def long_enough() -> bool:
            found = await admin.get(f"/live-classes/{made['id']}")
            return bool(found["recording"] and found["recording"]["recorded_s"] >= 16)

        await eventually(long_enough, timeout_s=40)
        page = await browser.new_page()
        await page.goto(made["watch_url"])
        at_live = await _wait_for_motion(page)
        await page.evaluate("() => { document.querySelector('video').currentTime = 1; }")
        back = await _wait_for_motion(page)
        assert back["time"] < at_live["time"] - 5
        await page.get_by_role("button", name="回到直播").click()

        async def is_live() -> bool:
            now = await _picture(page)
            return bool(now and now["time"] > at_live["time"])

        await eventually(is_live, timeout_s=15, message="回到直播 did not go to the edge")


async def test_sub_second_viewing_over_webrtc(hall: Hall, browser: Browser) -> None:
    admin = await hall.admin()
    made = await admin.make_class("超低延迟")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}", Picture(gop_s=1)):
        live = await admin.wait_for_state(made["id"], "live")
        assert live["playback"]["whep_url"]
        page = await browser.new_page(viewport={"width": 390, "height": 800})
        await page.goto(made["watch_url"])
        await _wait_for_motion(page)
        await page.get_by_role("button", name="超低延迟").click()

        async def is_webrtc() -> bool:
            return bool(
                await page.evaluate("() => document.querySelector('video').srcObject !== null")
            )

        await eventually(is_webrtc, timeout_s=15, message="no WebRTC stream")
        await _wait_for_motion(page)
