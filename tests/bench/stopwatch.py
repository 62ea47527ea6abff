"""Stop-watch on a 60 s 720p upload over HTTP: from its last byte to something to watch, to all.

Twice through a whole hall with its own workers: a file as cameras and OBS write them (H.264, a
keyframe every two seconds: its track is published as it is), and one that has to be encoded whole.
"""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from tests.bench.media import make_lecture, run_ffmpeg
from tests.bench.report import Report
from tests.support.hall import Api, Hall
from tests.support.waiting import eventually

LENGTH_S = 60
BITRATE = "900k"  # Less than the cap of what we would encode: the track is published as it is.
GOAL_FIRST_S, GOAL_ALL_S = 10.0, 40.0
PATIENCE_S = 240
PIECE_BYTES = 4 * 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}


async def run(report: Report, folder: Path) -> None:
    """Send both files, one after the other."""
    fitting = await make_lecture(folder / "camera.mp4", duration_s=LENGTH_S, bitrate=BITRATE)
    other = folder / "mpeg4.avi"
    await run_ffmpeg("-i", str(fitting), "-c:v", "mpeg4", "-q:v", "3", "-c:a", "mp3", str(other))
    async with Hall(folder / "hall", env={"HALL_LOG_LEVEL": "warning"}) as hall:
        admin = await hall.admin()
        for kind, path in (("copied", fitting), ("encoded", other)):
            first_s, all_s, lecture = await _send(admin, path)
            report.figure(
                f"upload_first_{kind}", first_s, unit="s", goal=GOAL_FIRST_S,
                compares="last byte of a 60 s 720p upload to the first segment of its HLS",
            )  # fmt: skip
            report.figure(
                f"upload_all_{kind}", all_s, unit="s", goal=GOAL_ALL_S,
                compares="last byte of a 60 s 720p upload to the whole set",
                rungs=[item["name"] for item in lecture["renditions"]],
            )  # fmt: skip


async def _send(api: Api, path: Path) -> tuple[float, float, Any]:
    data = await asyncio.to_thread(path.read_bytes)
    name = base64.b64encode(path.name.encode()).decode()
    headers = {
        **api.headers, **TUS, "Upload-Length": str(len(data)), "Upload-Metadata": f"filename {name}"
    }  # fmt: skip
    async with api.session.post(f"{api.origin}/api/v1/uploads", headers=headers) as response:
        if response.status != 201:
            raise RuntimeError(f"{response.status}: {await response.text()}")
        place = response.headers["Location"]
    url = place if place.startswith("http") else api.origin + place
    for offset in range(0, len(data), PIECE_BYTES):
        piece = data[offset : offset + PIECE_BYTES]
        headers = {
            **api.headers, **TUS, "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }  # fmt: skip
        async with api.session.patch(url, headers=headers, data=piece) as response:
            if response.status != 204:
                raise RuntimeError(f"{response.status}: {await response.text()}")
    ended_s = time.monotonic()
    upload = await api.get(url.removeprefix(f"{api.origin}/api/v1"))
    lecture_path = f"/lectures/{upload['lecture_id']}"

    async def is_playable() -> bool:
        lecture = await api.get(lecture_path)
        return lecture["playback"] is not None and await _plays(api, lecture["playback"]["hls_url"])

    async def is_ready() -> Any:
        lecture = await api.get(lecture_path)
        return lecture if lecture["state"] == "ready" and not lecture["is_partial"] else None

    await eventually(is_playable, timeout_s=PATIENCE_S)
    first_s = time.monotonic() - ended_s
    lecture = await eventually(is_ready, timeout_s=PATIENCE_S)
    return first_s, time.monotonic() - ended_s, lecture


async def _plays(api: Api, url: str) -> bool:
    """Fetch the way a player does: multivariant, media playlist, first segment."""
    status, text = await api.fetch(url)
    if status != 200:
        return False
    variant = parse_multivariant_playlist(text.decode()).variants[0].uri
    media_url = url.rpartition("/")[0] + "/" + variant
    status, text = await api.fetch(media_url)
    if status != 200:
        return False
    segment = parse_media_playlist(text.decode()).segments[0].uri
    status, data = await api.fetch(media_url.rpartition("/")[0] + "/" + segment)
    return status == 200 and len(data) > 0
