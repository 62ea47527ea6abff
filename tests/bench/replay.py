"""From the end of a class to its playable replay, and to its full ladder.

The class is 720p30 at 2.5 Mbit/s; the ladder's time is compared with the class's length.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import m3u8

from tests.bench.media import make_lecture
from tests.bench.report import Report
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

CLASS_S = 60


async def run(report: Report, folder: Path) -> None:
    """Teach for a while, end, stop both watches."""
    source = await make_lecture(folder / "lecture.mp4", duration_s=CLASS_S + 10)
    async with Hall(folder / "hall", env={"HALL_LOG_LEVEL": "warning"}) as hall:
        admin = await hall.admin()
        made = await admin.make_class("bench")
        async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}", source=source):
            await admin.wait_for_state(made["id"], "live")
            await asyncio.sleep(CLASS_S)
            started = time.monotonic()
            await admin.post(f"/live-classes/{made['id']}/end")
            lecture_id = await eventually(
                lambda: _playable(admin, made["id"]), timeout_s=30, message="no replay"
            )
            playable_s = time.monotonic() - started
        ready = await eventually(
            lambda: _ready(admin, lecture_id), timeout_s=CLASS_S * 4, message="no ladder"
        )
        ladder_s = time.monotonic() - started
    report.figure(
        "end_to_replay", playable_s, unit="s", goal=3.0,
        compares="POST /end to the first segment of the replay fetched over the gate",
    )  # fmt: skip
    report.figure(
        "end_to_ladder", ladder_s / ready["duration_s"], unit="ratio", goal=1.0,
        compares="POST /end to state ready / length of the class, one worker, 720p30",
        class_s=ready["duration_s"], seconds=round(ladder_s, 1),
        rungs=[item["name"] for item in ready["renditions"]],
    )  # fmt: skip


async def _playable(api: Api, class_id: str) -> str | None:
    """The lecture's id once its first segment can be fetched."""
    found = await api.get(f"/live-classes/{class_id}")
    replay = found["replay"]
    if not replay or not replay["playback"]:
        return None
    status, body = await api.fetch(replay["playback"]["hls_url"])
    if status != 200:
        return None
    variant = m3u8.loads(body.decode(), uri=replay["playback"]["hls_url"]).playlists[0]
    _, body = await api.fetch(variant.absolute_uri)
    segment = m3u8.loads(body.decode(), uri=variant.absolute_uri).segments[0]
    status, media = await api.fetch(segment.absolute_uri)
    return str(replay["lecture_id"]) if status == 200 and media else None


async def _ready(api: Api, lecture_id: str) -> Any:
    found = await api.get(f"/lectures/{lecture_id}")
    if found["state"] == "failed":
        raise AssertionError(found)
    return found if found["state"] == "ready" else None
