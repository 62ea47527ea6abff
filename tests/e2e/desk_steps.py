"""Steps of an editor's day after the first lecture is there; the editor's test takes them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Page, Request, Route, expect

from kernel.ids import new_id
from tests.e2e import player_pages as names
from tests.support.hall import Api, Hall
from tests.support.waiting import eventually

READY_S = 120.0
# A file dialog cannot be driven without a person. What it hands out can: a handle of a real file,
# in the browser's own file system, which may be kept and read again after a reload.
PICKER = """async (name) => {
  const bytes = await (await fetch('/picked-file')).arrayBuffer();
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle(name, { create: true });
  const sink = await handle.createWritable();
  await sink.write(bytes);
  await sink.close();
  window.showOpenFilePicker = async () => [handle];
}"""


async def write_chapters(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    """Two chapters by hand; the member's page lists them and jumps."""
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}")
    await page.locator(names.PLAYER_READY).wait_for()
    for number, (at, title) in enumerate((("0:00", "开场"), ("0:03", "草原英雄")), start=1):
        await page.get_by_role("button", name="从当前时间加一章").click()
        # In order of time: the new one is the first until it gets its own.
        await page.get_by_label(f"第 {number} 章开始时间").fill(at)
        await page.get_by_label(f"第 {number} 章开始时间").press("Enter")
        await page.get_by_label(f"第 {number} 章名称").fill(title)
    await page.get_by_role("button", name="保存章节").click()

    async def is_saved() -> bool:
        found = (await admin.get(f"/lectures/{lecture_id}"))["chapters"]
        return [(one["start_s"], one["title"]) for one in found] == [(0, "开场"), (3, "草原英雄")]

    await eventually(is_saved, message="the chapters were not saved")
    await page.goto(f"{hall.origin}/lectures/{lecture_id}")
    await page.locator(names.PLAYER_READY).wait_for()
    await page.get_by_role("button", name="草原英雄").first.click()
    await page.wait_for_function("() => document.querySelector('video').currentTime >= 2.9")


async def replace_file(
    page: Page, hall: Hall, admin: Api, lecture_id: str, film: Path, *, wire: Any, slow: Any
) -> None:
    """Another file in its place, over a reload of the page that needs nobody: it kept the handle.

    What was there plays until the new one is ready; the job is put first while it waits.
    """
    before = await admin.get(f"/lectures/{lecture_id}")
    with suspended_worker(hall):
        await _send_with_handle(page, hall, admin, lecture_id, film, wire=wire, slow=slow)
        between = await admin.get(f"/lectures/{lecture_id}")
        assert (between["state"], between["playback"]) == ("ready", before["playback"])
        await _put_first(page, hall, admin, between["title"])

    async def is_replaced() -> Any:
        found = await admin.get(f"/lectures/{lecture_id}")
        assert found["state"] != "failed", found["jobs"]
        is_new = (
            found["playback"] != before["playback"] or found["poster_url"] != (before["poster_url"])
        )
        return found if is_new and found["source"]["filename"] == film.name else None

    after = await eventually(is_replaced, timeout_s=READY_S, message="the old file stays")
    assert after["title"] == before["title"], "its page is the same"


@contextmanager
def suspended_worker(hall: Hall) -> Iterator[None]:
    """Nothing is transcoded meanwhile."""
    worker = hall.child("worker")
    stopped = [worker, *worker.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


async def _send_with_handle(
    page: Page, hall: Hall, admin: Api, lecture_id: str, film: Path, *, wire: Any, slow: Any
) -> None:
    async def hand_out(route: Route, _request: Request) -> None:
        await route.fulfill(path=film, content_type="video/mp4")

    await page.route("**/picked-file", hand_out)
    await page.goto(f"{hall.origin}/desk/uploads?lecture={lecture_id}")
    await page.locator(names.UPLOAD_FILES).wait_for(state="attached")
    await page.evaluate(PICKER, film.name)
    await page.wait_for_load_state("networkidle")
    await wire.send("Network.emulateNetworkConditions", slow)
    await page.get_by_role("button", name="选择文件").click()
    arrived = await eventually(lambda: _received(admin, film.name, 1), timeout_s=30)
    await page.reload()
    # Nobody chooses the file again.
    await eventually(lambda: _received(admin, film.name, arrived + 1), timeout_s=60)
    await wire.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    await eventually(lambda: _is_done(admin, film.name), timeout_s=60)
    assert len(await _uploads(admin, film.name)) == 1, "one upload, before and after the reload"


async def _uploads(admin: Api, filename: str) -> list[dict[str, Any]]:
    found = (await admin.get("/uploads"))["items"]
    return [upload for upload in found if upload["filename"] == filename]


async def _received(admin: Api, filename: str, at_least: int) -> int:
    found = await _uploads(admin, filename)
    received = int(found[0]["received_bytes"]) if found else 0
    return received if received >= at_least else 0


async def _is_done(admin: Api, filename: str) -> bool:
    return [upload["state"] for upload in await _uploads(admin, filename)] == ["done"]


async def _put_first(page: Page, hall: Hall, admin: Api, title: str) -> None:
    await page.goto(f"{hall.origin}/desk/jobs")
    await page.locator(".toolbar").get_by_label("状态").select_option("queued")
    await page.wait_for_url("**/desk/jobs?state=queued")
    row = page.locator("[data-job=queued]", has_text=title)
    await expect(row).to_have_count(1)
    await row.get_by_label("优先").select_option("high")
    await expect(row.get_by_label("优先")).to_have_value("high")

    async def is_first() -> bool:
        jobs = (await admin.get("/jobs?state=queued"))["items"]
        return [job["priority"] for job in jobs if job["lecture"]["title"] == title] == ["high"]

    await eventually(is_first, message="the job's priority was not kept")


async def clear_storage(page: Page, hall: Hall) -> None:
    """What nobody owns is listed first and deleted when that was confirmed."""
    left = hall.data / "blobs" / "staging" / f"{new_id()}-1" / "part.mp4"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left by a worker that died")
    old_s = time.time() - timedelta(days=30).total_seconds()
    os.utime(left, (old_s, old_s))
    await page.goto(f"{hall.origin}/admin/storage")
    await expect(page.locator(".records")).to_contain_text(left.parent.name)
    assert left.exists(), "looking deletes nothing"
    await page.get_by_role("button", name="全部删除").click()
    await page.get_by_role("button", name="确定删除").click()
    await expect(page.get_by_text("没有无主文件")).to_be_visible()
    assert not left.exists()


async def delete_and_restore(page: Page, hall: Hall, admin: Api, lecture_id: str) -> None:
    """Gone for members at once; back with all it had, from the list of what was deleted."""
    before = await admin.get(f"/lectures/{lecture_id}")
    await page.goto(f"{hall.origin}/desk/lectures/{lecture_id}")
    await page.get_by_role("button", name="删除课程").click()
    question = page.get_by_role("group", name=f"删除“{before['title']}”")
    await question.get_by_role("button", name="删除").click()
    await eventually(lambda: _has_status(admin, lecture_id, 404), message="it is not deleted")
    assert (await hall.api().fetch(before["playback"]["hls_url"]))[0] != 200
    await page.goto(f"{hall.origin}/desk/lectures")
    await page.locator(".toolbar").get_by_label("状态").select_option("deleted")
    await page.get_by_role("button", name=f"恢复“{before['title']}”").click()
    await eventually(lambda: _has_status(admin, lecture_id, 200), message="it is not restored")
    after = await admin.get(f"/lectures/{lecture_id}")
    kept = ("title", "duration_s", "playback", "chapters", "captions", "poster_url", "state")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


async def _has_status(api: Api, lecture_id: str, status: int) -> bool:
    return (await api.request("GET", f"/lectures/{lecture_id}"))[0] == status
