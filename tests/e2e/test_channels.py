"""Row 35 in browsers: opened minutes apart they show the same second, and items follow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.ensure_browser import find_browser
from tests.integration.test_channels import add_lecture, add_programme, make_channel, make_files
from tests.support.browser import run_browser
from tests.support.vod import Vod, databases, sqlite_url, sqlite_vod

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.

HLS = Path(__file__).parents[2] / "player/node_modules/hls.js/dist/hls.min.js"
PAGE = """<video muted></video><script src="/probe.js"></script><script>
const hls = new Hls({ maxLiveSyncPlaybackRate: 1.5 });
const video = document.querySelector("video"), fatal = [];
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) fatal.push(data.details); });
hls.loadSource(location.hash.slice(1)); hls.attachMedia(video);
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
</script>"""
CAUGHT_UP = """() => {
  if (hls.liveSyncPosition - video.currentTime < 300) return false;
  video.currentTime = hls.liveSyncPosition;
  return true;
}"""
pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine")


@asynccontextmanager
async def run_clock(vod: Vod) -> AsyncIterator[None]:
    """Let the channel's clock go with the real one, so that tests can also move it."""

    async def go() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.05)
            now = time.monotonic()
            vod.clock.advance(now - last)
            last = now

    task = asyncio.create_task(go())
    try:
        yield
    finally:
        task.cancel()


async def open_page(browser: Browser, vod: Vod, channel: str) -> Page:
    page = await browser.new_page()
    await page.route("**/probe", lambda r: r.fulfill(body=PAGE, content_type="text/html"))
    await page.route("**/probe.js", lambda r: r.fulfill(path=HLS))
    await page.goto(f"{vod.base}/probe#/channel/{channel}/index.m3u8")
    return page


async def read_date(page: Page) -> datetime | None:
    """The moment that the picture is of."""
    fatal = await page.evaluate("fatal")
    assert fatal == []
    text = await page.evaluate("hls.playingDate && hls.playingDate.toISOString()")
    return datetime.fromisoformat(text) if text else None


async def wait_until_due(page: Page, vod: Vod, *, after: datetime, patience_s: float = 60) -> None:
    """Wait until the page shows what is due now, give or take a segment."""
    deadline = time.monotonic() + patience_s
    shown = None
    while time.monotonic() < deadline:
        shown = await read_date(page)
        if shown and shown >= after and abs(shown - vod.clock.now()) <= timedelta(seconds=7):
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"{shown} is shown at {vod.clock.now()}, wanted after {after}")


async def test_row_35_pages_opened_minutes_apart_show_the_same_second(
    sqlite_vod: Vod, tmp_path: Path
) -> None:
    vod, start = sqlite_vod, sqlite_vod.clock.now()
    files = make_files(tmp_path, 440)
    lecture = await add_lecture(vod, files, 440)
    channel = (await make_channel(vod))["id"]
    for seconds in (-20, 420):
        answer = await add_programme(vod, channel, lecture, start + timedelta(seconds=seconds))
        assert answer.status == 201
    async with run_browser() as browser, run_clock(vod):
        first = await open_page(browser, vod, channel)
        await wait_until_due(first, vod, after=start)
        jump = start + timedelta(seconds=400) - vod.clock.now()
        vod.clock.advance(
            jump.total_seconds()
        )  # The first page's own clock did not jump: let it catch up.
        await first.wait_for_function(CAUGHT_UP, timeout=60_000)
        second = await open_page(browser, vod, channel)
        later = start + timedelta(seconds=395)
        await asyncio.gather(*(wait_until_due(page, vod, after=later) for page in (first, second)))
        one, other = await read_date(first), await read_date(second)
        assert one is not None
        assert other is not None
        assert abs(one - other) <= timedelta(seconds=7)
        # The next item follows; both pages go on into it.
        begun = start + timedelta(seconds=427)
        await asyncio.gather(*(wait_until_due(page, vod, after=begun) for page in (first, second)))
