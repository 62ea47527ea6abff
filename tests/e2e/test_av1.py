"""A lecture in two codecs in a real browser: it takes AV1 where it can, else H.264."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser

from tests.support.browser import PATIENCE_MS
from tests.support.synthetic_recording import run_ffmpeg
from tests.support.upload_run import run_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]
ENGINE = Path(__file__).parents[2] / "player/node_modules/hls.js/dist/hls.min.js"
PAGE = """<!doctype html><video muted></video><script src="/hls.js"></script><script>
  const video = document.querySelector("video");
  window.engine = new Hls();
  engine.on(Hls.Events.MANIFEST_PARSED, () => video.play());
  engine.attachMedia(video);
  engine.loadSource("/set/index-av1.m3u8");
</script>"""
NO_AV1 = """
  const knows = MediaSource.isTypeSupported.bind(MediaSource);
  MediaSource.isTypeSupported = (type) => !type.includes("av01") && knows(type);
"""
PLAYS = "document.querySelector('video').currentTime > 1"
CODEC = "engine.levels[engine.currentLevel].videoCodec.split('.')[0]"


@pytest.mark.skipif(not ENGINE.is_file(), reason="hls.js is not installed: run `make player`")
async def test_browsers_choose_av1_where_they_can(browser: Browser, tmp_path: Path) -> None:
    clip = tmp_path / "第一讲.mp4"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine"),
        *("-t", "5", "-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac", clip),
    )
    run = await run_file(clip, tmp_path / "run", has_av1=True)
    assert run.outcome == "lecture", run.reason

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def give_engine(_: web.Request) -> web.FileResponse:
        return web.FileResponse(ENGINE)

    app = web.Application()
    app.router.add_get("/", show)
    app.router.add_get("/hls.js", give_engine)
    app.router.add_static("/set", run.path("index.m3u8").parent)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        for script, wanted in ((None, "av01"), (NO_AV1, "avc1")):
            page = await browser.new_page()
            if script is not None:
                await page.add_init_script(script)
            await page.goto(f"http://127.0.0.1:{port}/")
            await page.wait_for_function(PLAYS, timeout=PATIENCE_MS)
            assert await page.evaluate(CODEC) == wanted
            await page.close()
    finally:
        await runner.cleanup()
