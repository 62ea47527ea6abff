"""Chromium plays a cut asset: every frame after a seek is the one that was kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from kernel.http import listen
from tests.ensure_browser import find_browser
from tests.integration.test_transcode_edit import (
    SIZE,
    Edited,
    decode,
    find_frame,
    make_upload,
    plan_copy,
)
from tests.support.browser import run_browser
from tests.support.ports import find_free_port

PAGE = """<!doctype html><video id=v muted></video><canvas id=c></canvas><script>
const video = document.getElementById('v'), canvas = document.getElementById('c');
async function load(codecs) {
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise(done => source.addEventListener('sourceopen', done, {once: true}));
  const parts = Object.entries(codecs).map(([name, codec]) =>
    [name, source.addSourceBuffer(`${name === 'audio' ? name : 'video'}/mp4; codecs="${codec}"`)]);
  for (const [name, buffer] of parts) {
    const data = await (await fetch(`/media/${name}.mp4`)).arrayBuffer();
    await new Promise((done, fail) => {
      buffer.addEventListener('updateend', done, {once: true});
      buffer.addEventListener('error', () => fail(new Error(name)), {once: true});
      buffer.appendBuffer(data);
    });
    const count = buffer.buffered.length;
    if (count !== 1) throw new Error(`${name} has ${count} parts`);
  }
  source.endOfStream();
  return video.duration;
}
async function grab(at, width, height) {
  const shown = new Promise(done => video.requestVideoFrameCallback(done));
  video.currentTime = at;
  await shown;
  canvas.width = width; canvas.height = height;
  const pen = canvas.getContext('2d');
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(video, 0, 0, width, height);
  const data = pen.getImageData(0, 0, width, height).data, grey = [];
  for (let n = 0; n < data.length; n += 4)
    grey.push(Math.round(0.2126 * data[n] + 0.7152 * data[n + 1] + 0.0722 * data[n + 2]));
  return grey;
}
async function playThrough() {
  video.currentTime = 0; video.playbackRate = 4;
  const ended = new Promise(done => video.addEventListener('ended', done, {once: true}));
  await video.play();
  await ended;
  return video.getVideoPlaybackQuality().corruptedVideoFrames;
}
</script>"""


def make_cut(folder: Path) -> Edited:
    """A copied track of another encoder, with pieces of ours at the cuts."""
    job, upload = Edited(folder), folder / "in.mp4"
    make_upload(upload, "main", 1)
    size_bytes = upload.stat().st_size

    async def run() -> None:
        await job.store.put_file("uploads/u", upload, content_type="video/mp4")
        for unit in plan_copy(size_bytes):
            job.units.add(unit)
        job.units.plan_hash = "0" * 32
        await job.run_queued()
        job.start_edit(((0.4, 5.2), (7.0, 10.0)))
        await job.run_queued()
        await job.store.close()

    asyncio.run(run())
    return job


@pytest.mark.browser
def test_seeking_in_a_cut_shows_the_kept_frames(tmp_path: Path) -> None:
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    job = make_cut(tmp_path)
    frames = decode(job.path("180p.mp4"))
    # Around both joins, at the ends, and in a whole GOP.
    wanted = [0, 60, 89, 90, 118, 119, 120, 121, 144, 145, 180, len(frames) - 1]
    pictures = asyncio.run(ask_browser(job, wanted))
    found = [
        find_frame(bytes(picture), frames, near=n)
        for n, picture in zip(wanted, pictures, strict=True)
    ]
    assert found == wanted


async def ask_browser(job: Edited, wanted: list[int]) -> list[list[int]]:
    folder = await asyncio.to_thread(lambda: job.path("180p.mp4").parent)
    app = web.Application()

    async def get_page(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app.router.add_get("/", get_page)
    app.router.add_static("/media", folder)
    codecs = {item.name: item.codec for item in job.report.renditions}
    port = find_free_port()
    async with listen(app, f"tcp:127.0.0.1:{port}"), run_browser() as browser:
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        duration_s = await page.evaluate("codecs => load(codecs)", codecs)
        assert duration_s == pytest.approx(job.report.duration_s, abs=0.05)
        pictures = [
            await page.evaluate(
                "([at, width, height]) => grab(at, width, height)", [(n + 0.5) / 25, *SIZE]
            )
            for n in wanted
        ]
        assert await page.evaluate("playThrough()") == 0
    return pictures
