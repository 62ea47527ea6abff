"""Row 22, the clip tool, in a real browser: marked by keys, upright, captions burned in."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.player_pages import PLAYER_READY
from tests.e2e.test_pages import SHOTS, _judge, _settle
from tests.e2e.test_rows_of_the_catalogue import PASSWORD, add_account
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.synthetic_recording import FFMPEG, FFPROBE, run_ffmpeg
from tests.support.waiting import eventually
from transcode.clips.lettering import find_font_blocking

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
READY_S = 120.0
READY_MS = READY_S * 1000
LIMIT_MB = 5
# Blue on the left, red on the right.
SCENE = "color=blue:s=160x180:r=25:d=8[l];color=red:s=160x180:r=25:d=8[r];[l][r]hstack"
# Drawn by whatever font this machine has.
WORDS = "星星之火，可以燎原" if find_font_blocking() else "A single spark"
SRT = f"1\n00:00:02,000 --> 00:00:05,500\n{WORDS}\n"
SEEK = """(at) => new Promise((done) => {
  const video = document.querySelector('media-controller video');
  video.pause();
  video.addEventListener('seeked', () => done(), { once: true });
  video.currentTime = at;
})"""


async def test_row_22_an_editor_cuts_an_upright_clip(
    hall: Hall, browser: Browser, tmp_path: Path
) -> None:
    admin, mark = await hall.admin(), new_id()[-6:]
    await add_account(admin, f"e{mark}", "editor")
    lecture_id = await _add_lecture(hall, admin, tmp_path / f"草原党课{mark}.mp4")
    page = await browser.new_page(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    errors = PageErrors(page)
    await _sign_in(page, hall, f"e{mark}")
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}")
    await page.locator(PLAYER_READY).wait_for()
    clips = page.get_by_role("region", name="短片")
    make = clips.get_by_role("button", name="制作短片")
    await expect(make).to_be_disabled()
    for key, at_s in (("i", 1.5), ("o", 4.5)):
        await page.evaluate(SEEK, at_s)
        await page.locator("h1").click()  # Keys of the page, not of a field.
        await page.keyboard.press(key)
    await expect(clips.get_by_label("开始时间")).to_have_value("0:01.500")
    await expect(clips.get_by_label("结束时间")).to_have_value("0:04.500")
    await expect(clips.get_by_text("长 0:03")).to_be_visible()
    await clips.get_by_label("竖屏 9:16，裁取一部分").check()
    await clips.get_by_label("裁取的位置").press("End")
    # What stays is bright: the right edge of the picture that plays.
    frame = await page.locator(".clip-frame i").bounding_box()
    video = await page.locator("media-controller video").bounding_box()
    assert frame is not None
    assert video is not None
    assert frame["x"] + frame["width"] == pytest.approx(video["x"] + video["width"], abs=2)
    assert frame["width"] / frame["height"] == pytest.approx(9 / 16, abs=0.03)
    await clips.get_by_label("压进画面的字幕").select_option(index=1)
    await clips.get_by_label("文件不超过").fill(str(LIMIT_MB))
    await make.click()
    done = clips.locator("[data-clip='done']")
    await expect(done).to_be_visible(timeout=READY_MS)
    async with page.expect_download() as waiting:
        await done.get_by_role("link", name="下载").click()
    download = await waiting.value
    assert download.suggested_filename == f"草原党课{mark} 00.00.01-00.00.04.mp4"
    path = tmp_path / "clip.mp4"
    await download.save_as(path)
    await asyncio.to_thread(_check_file, path)
    problems = await _judge_page(page, hall, lecture_id)
    assert problems == [], "\n".join(problems)
    clips = page.get_by_role("region", name="短片")
    await clips.get_by_role("button", name="删除").click()
    await clips.get_by_role("group").get_by_role("button", name="删除").click()
    await expect(clips.get_by_text("还没有短片")).to_be_visible()
    assert errors.messages == []


async def _add_lecture(hall: Hall, admin: Api, film: Path) -> str:
    """Upload a film, wait until it is whole, give it captions."""
    await asyncio.to_thread(
        run_ffmpeg,
        *("-f", "lavfi", "-i", SCENE, "-f", "lavfi", "-i", "sine=f=440"),
        *("-t", "8", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", film),
    )
    name = base64.b64encode(film.name.encode()).decode()
    data = film.read_bytes()
    headers = {
        "Authorization": f"Bearer {admin.token}", "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(data)), "Upload-Metadata": f"filename {name}",
        "Content-Type": "application/offset+octet-stream",
    }  # fmt: skip
    url = f"{hall.origin}/api/v1/uploads"
    async with admin.session.post(url, data=data, headers=headers) as answer:
        assert answer.status == 201, await answer.text()

    async def find_ready() -> Any:
        rows = (await admin.get("/uploads"))["items"]
        lecture_id = next(row["lecture_id"] for row in rows if row["filename"] == film.name)
        found = lecture_id and await admin.get(f"/lectures/{lecture_id}")
        return lecture_id if found and found["state"] == "ready" else None

    lecture_id = await eventually(find_ready, timeout_s=READY_S, message="it is not ready")
    url = f"{hall.origin}/api/v1/lectures/{lecture_id}/captions?filename=a.srt"
    sent = {**headers, "Content-Type": "application/octet-stream"}
    async with admin.session.post(url, data=SRT.encode(), headers=sent) as answer:
        assert answer.status == 201, await answer.text()
    return str(lecture_id)


async def _sign_in(page: Page, hall: Hall, login: str) -> None:
    await page.goto(hall.origin + "/signin")
    await page.get_by_label("账号").fill(login)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.wait_for_url(hall.origin + "/")


def _check_file(path: Path) -> None:
    asked = [str(FFPROBE), "-v", "error", "-show_streams", "-of", "json", str(path)]
    said = subprocess.run(asked, check=True, capture_output=True, timeout=60).stdout
    video, sound = json.loads(said)["streams"]
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 720, 1280)
    assert sound["codec_name"] == "aac"
    for stream in (video, sound):
        assert float(stream["duration"]) == pytest.approx(3.0, abs=0.1)
    assert path.stat().st_size <= LIMIT_MB * 1_000_000
    # The right edge was cut out: all red, but for white captions from half a second on.
    early, late = (_grab(path, at_s) for at_s in (0.2, 1.5))
    assert all(red > 150 and blue < 90 for red, _, blue in early)
    assert not any(red > 200 and green > 200 for red, green, _ in early)
    assert sum(red > 200 and green > 200 for red, green, _ in late) > 200


def _grab(path: Path, at_s: float) -> list[tuple[int, int, int]]:
    """Pixels of a frame at a quarter of its size."""
    asked = [
        str(FFMPEG), "-v", "error", "-ss", str(at_s), "-i", str(path), "-frames:v", "1",
        "-vf", "scale=180:320:flags=neighbor", "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
    ]  # fmt: skip
    data = subprocess.run(asked, check=True, capture_output=True, timeout=60).stdout
    return [(data[n], data[n + 1], data[n + 2]) for n in range(0, len(data), 3)]


async def _judge_page(page: Page, hall: Hall, lecture_id: str) -> list[str]:
    """Normal on a desktop, 长辈版 on a phone, with a range marked and a clip in the list."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    for is_elder, width in ((True, 360), (False, 1280)):
        await page.set_viewport_size({"width": width, "height": 860})
        await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}?elder={int(is_elder)}")
        await page.locator(PLAYER_READY).wait_for()
        clips = page.get_by_role("region", name="短片")
        await clips.get_by_label("结束时间").fill("3")
        await clips.get_by_label("结束时间").press("Enter")
        await clips.locator("[data-clip='done']").wait_for()
        await _settle(page)
        await page.screenshot(path=SHOTS / f"clips-{width}.png", full_page=True)
        found = await _judge(page, is_elder=is_elder)
        problems += [f"clips-{width}: {line}" for line in found]
    return problems
