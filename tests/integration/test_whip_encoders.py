"""Real senders publish by WHIP: FFmpeg 8's muxer and Chromium with a picture hard to encode."""

from __future__ import annotations

import asyncio
import io
import itertools

import av
import pytest
from aiohttp import web

from streamer.media import VideoConfig
from streamer.ports import EndReason
from tests.ensure_browser import find_browser
from tests.support.browser import run_browser
from tests.support.recording_publishing import RecordingPublication, RecordingPublishing
from tests.support.rtc import find_ffmpeg8, serve_whip

STUDIO = """<!doctype html><title>studio</title><canvas width="1280" height="720"></canvas>
<script>
const canvas = document.querySelector("canvas"), paper = canvas.getContext("2d");
const noise = new ImageData(320, 180);
function draw() {
  for (let i = 0; i < noise.data.length; i++)
    noise.data[i] = i % 4 == 3 ? 255 : Math.random() * 256;
  const x = (performance.now() / 10) % 900;
  paper.fillStyle = "#356"; paper.fillRect(0, 0, 1280, 720);
  paper.putImageData(noise, x, 200);
}
async function publish(url, token) {
  setInterval(draw, 33);
  const sound = await navigator.mediaDevices.getUserMedia({audio: true});
  const tracks = [canvas.captureStream(30).getVideoTracks()[0], sound.getAudioTracks()[0]];
  window.pc = new RTCPeerConnection({iceServers: []});
  for (const track of tracks) {
    const sender = pc.addTransceiver(track, {direction: "sendonly"}).sender;
    if (track.kind !== "video") continue;
    const parameters = sender.getParameters();
    parameters.encodings[0].maxBitrate = 2500000;
    parameters.degradationPreference = "maintain-resolution";  // As the studio does.
    await sender.setParameters(parameters);
  }
  await pc.setLocalDescription(await pc.createOffer());
  const answer = await fetch(url, {method: "POST", body: pc.localDescription.sdp,
    headers: {"Content-Type": "application/sdp", Authorization: "Bearer " + token}});
  window.sessionUrl = answer.headers.get("Location");
  await pc.setRemoteDescription({type: "answer", sdp: await answer.text()});
  return answer.status;
}
async function readStats() {
  for (const entry of (await pc.getStats()).values())
    if (entry.type === "outbound-rtp" && entry.kind === "video")
      return {height: entry.frameHeight, target: entry.targetBitrate,
        reason: entry.qualityLimitationReason};
}
</script>"""


def decode_pictures(publication: RecordingPublication) -> list[av.VideoFrame]:
    """What a player would see: the units as an Annex B stream, decoded."""
    stream = io.BytesIO()
    for item in publication.items:
        if isinstance(item, VideoConfig):
            for nal in (*item.sps, *item.pps):
                stream.write(b"\x00\x00\x00\x01" + nal)
    for unit in publication.video:
        position = 0
        while position < len(unit.data):
            size = int.from_bytes(unit.data[position : position + 4], "big")
            stream.write(b"\x00\x00\x00\x01" + unit.data[position + 4 : position + 4 + size])
            position += 4 + size
    stream.seek(0)
    with av.open(stream, format="h264") as container:
        return list(container.decode(video=0))


def measure_level(publication: RecordingPublication) -> float:
    """Decode the AAC and return its loudest sample, 0..1."""
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = publication.audio_configs[0].asc
    peak = 0.0
    for unit in publication.audio:
        for frame in decoder.decode(av.Packet(unit.data)):
            samples = memoryview(bytes(frame.planes[0])).cast("f")
            peak = max(peak, *samples, -min(samples))
    return peak


async def test_ffmpeg_8_publishes_by_whip() -> None:
    publishing = RecordingPublishing()
    async with serve_whip(publishing) as server:
        process = await asyncio.create_subprocess_exec(
            str(find_ffmpeg8()), "-nostdin", "-loglevel", "error",
            "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25",
            "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "4",
            "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
            "-pix_fmt", "yuv420p", "-g", "50", "-bf", "0", "-b:v", "400k",
            "-c:a", "libopus", "-ac", "2", "-ar", "48000",
            "-f", "whip", "-authorization", "good-key", server.url(),
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        publication = await publishing.wait_admitted()
        assert await publication.wait_closed() is EndReason.CLOSED_BY_PUBLISHER

    assert len(publication.video) == 100
    frames = decode_pictures(publication)
    assert len(frames) == 100
    assert (frames[0].width, frames[0].height) == (320, 180)
    assert 170 <= len(publication.audio) <= 190
    assert measure_level(publication) > 0.05
    skew = publication.video[0].pts - publication.audio[0].pts
    assert abs(skew) < 45_000


@pytest.mark.browser
async def test_chromium_keeps_720p_at_full_rate_on_loopback() -> None:
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")

    async def get_page(_request: web.Request) -> web.Response:
        return web.Response(text=STUDIO, content_type="text/html")

    publishing = RecordingPublishing()
    async with (
        serve_whip(publishing, extra=[web.get("/", get_page)]) as server,
        run_browser() as browser,
    ):
        page = await browser.new_page()
        await page.goto(server.base + "/")
        status = await page.evaluate(
            "([url, token]) => publish(url, token)", [server.url(), "good-key"]
        )
        assert status == 201
        publication = await publishing.wait_admitted()
        await publication.wait_until(
            lambda: (
                len(publication.video) > 2
                and publication.video[-1].pts - publication.video[0].pts > 8 * 90_000
            ),
            timeout_s=40,
        )
        stats = await page.evaluate("readStats()")
        await page.evaluate("fetch(sessionUrl, {method: 'DELETE'}).then(answer => answer.status)")
        assert await publication.wait_closed() is EndReason.CLOSED_BY_PUBLISHER

    assert stats["height"] == 720
    assert stats["target"] >= 1_500_000  # Far above what a strangling estimate allowed (0.5).
    assert stats["reason"] != "bandwidth"
    video = publication.video
    # The second half: the start-up of the encoder is over.
    late = [unit for unit in video if unit.pts - video[0].pts > 4 * 90_000]
    seconds = (late[-1].pts - late[0].pts) / 90_000
    assert sum(len(unit.data) for unit in late) * 8 / seconds > 1_500_000
    keys = [unit.pts / 90_000 for unit in video if unit.is_idr]
    assert max(later - earlier for earlier, later in itertools.pairwise(keys)) < 3.5
    frames = decode_pictures(publication)
    assert len(frames) >= len(video) - 1
    assert {(frame.width, frame.height) for frame in frames} == {(1280, 720)}
    assert len(publication.opus) > 300
    assert measure_level(publication) > 0.01
    assert publication.audio[0].pts < publication.video[0].pts + 45_000
