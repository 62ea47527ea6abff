"""LL-HLS viewers held by nginx, streamer and vod's authorisation together on one core.

The class is for members only, two hours old and taught at 1 Mbit/s. Server processes are pinned to
core 0; publisher and crowd to core 1. Every viewer has a connection, an account and a session of
its own. A size counts when no part of any viewer is complete later than PART-HOLD-BACK less
PART-TARGET = 1.0 s after it was due: that is when a player at the live edge would run dry.
The crowd's own lateness is measured against an origin that does nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.crowd import Plan
from tests.bench.long_class import lengthen_class
from tests.bench.media import make_lecture
from tests.bench.report import Report
from tests.support.hall import ROOT, Api, Hall
from tests.support.publisher import Publisher, publish
from tests.support.waiting import eventually
from vod.accounts.models import Account
from vod.accounts.roles import Role
from vod.accounts.sessions import start_session
from vod.db.engine import open_database

GOAL = 1000
SIZES = [250, 500, 750, 1000, 1250, 1500]
AGE_S = 7_200
MEASURED_S = 30.0
ALLOWED_S = 1.0
SOURCE_S = 360  # Longer than all sizes take together.
VIDEO_BITRATE = "872k"  # With the sound's 128k: 1 Mbit/s.
PART_BYTES = 62_500  # 1 Mbit/s for half a second, for the null origin.
SERVER_CORE, CROWD_CORE = 0, 1
SERVERS = ("gate", "streamer", "vod")


async def run(report: Report, folder: Path) -> None:
    """Make the class, open it to the crowd, then compare with nothing."""
    if len(os.sched_getaffinity(0)) < 2:
        raise AssertionError("two cores are needed: one for the servers, one for the crowd")
    source = await make_lecture(
        folder / "lecture.mp4",
        duration_s=SOURCE_S,
        bitrate=VIDEO_BITRATE,
        size="640x360",
    )
    hall = Hall(folder / "hall", env={"HALL_WORKERS": "0", "HALL_LOG_LEVEL": "warning"})
    with _on_core(SERVER_CORE):
        await hall.__aenter__()
    try:
        with _on_core(CROWD_CORE):
            rows = await _measure_hall(hall, source)
    finally:
        await hall.__aexit__(None, None, None)
    clean = [row for row in rows if _is_clean(row)]
    best = max(clean, key=lambda row: row["viewers"], default=None)
    with _on_core(CROWD_CORE):
        null = await _measure_nothing(best["viewers"] if best else SIZES[0])
    for row in rows:
        report.figure(
            f"viewers_{row['viewers']}", row["late_count"] + row["missing_count"],
            unit="late parts", goal=0, compares="deliveries later than 1.0 s after they were due",
            **{k: v for k, v in row.items() if k not in {"viewers", "late_count"}},
        )  # fmt: skip
    report.figure(
        "viewers_held", best["viewers"] if best else 0, unit="viewers", goal=GOAL, better="higher",
        compares="largest crowd without a late part, 1 Mbit/s, nginx + streamer + vod on one core",
        p50_s=best and best["p50_s"], p95_s=best and best["p95_s"], p99_s=best and best["p99_s"],
        null_server={key: null[key] for key in ("p50_s", "p95_s", "p99_s", "max_s")},
    )  # fmt: skip


def _is_clean(row: dict[str, Any]) -> bool:
    return not (row["late_count"] or row["missing_count"] or row["failures"]) and row["parts"] > 0


async def _measure_hall(hall: Hall, source: Path) -> list[dict[str, Any]]:
    admin = await hall.admin()
    made = await admin.make_class("两小时的课", visibility="members")
    rtmp = f"{hall.rtmp}/{made['publish']['stream_key']}"
    async with publish(rtmp, source=source):
        live = await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _has_recorded(admin, made["id"], 3), timeout_s=20)
    path = urlsplit(live["playback"]["hls_url"]).path.removesuffix("/index.m3u8")
    await hall.stop()
    started = time.monotonic()
    await lengthen_class(hall.data / "spool", path.rpartition("/")[2], duration_s=AGE_S)
    tokens = await _sign_everybody_in(hall.data / "hall.db", max(SIZES))
    sys.stderr.write(f"viewers: two hours made in {time.monotonic() - started:.0f} s\n")
    with _on_core(SERVER_CORE):
        await hall.start()
    admin = await hall.admin()
    # What the fake hours left to upload is not part of a live class: wait until it is done.
    await eventually(
        lambda: _is_stored(admin, made["id"]), timeout_s=240, message="the upload does not end"
    )
    sys.stderr.write(f"viewers: uploaded after {time.monotonic() - started:.0f} s\n")
    async with publish(rtmp, source=source) as publisher:
        await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _has_recorded(admin, made["id"], AGE_S + 8), timeout_s=30)
        plan = Plan(
            host="localhost", port=hall.http_port, path=path, tokens=tokens, sizes=SIZES,
            first=GOAL, measured_s=MEASURED_S, allowed_s=ALLOWED_S,
        )  # fmt: skip
        return await _send_crowd(plan, hall=hall, publisher=publisher)


async def _has_recorded(admin: Api, class_id: str, seconds: float) -> bool:
    recording = (await admin.get(f"/live-classes/{class_id}"))["recording"]
    return bool(recording and recording["recorded_s"] >= seconds)


async def _is_stored(admin: Api, class_id: str) -> bool:
    await asyncio.sleep(0.5)  # A look that costs the uploading hall next to nothing.
    recording = (await admin.get(f"/live-classes/{class_id}"))["recording"]
    return bool(recording and recording["stored_s"] >= AGE_S)


async def _sign_everybody_in(database: Path, count: int) -> list[str]:
    """A member and a session per viewer, straight into the database of a hall that is down."""
    now = datetime.now(UTC)
    async with (
        open_database(f"sqlite+aiosqlite:///{database}") as opened,
        opened.write() as session,
    ):
        accounts = [
            Account(
                login=f"viewer{number}",
                display_name=f"学员{number}",
                role=Role.MEMBER,
                password_hash="!",
                is_disabled=False,
                created_at=now,
            )
            for number in range(count)
        ]
        session.add_all(accounts)
        await session.flush()
        return [start_session(session, account, now)[0] for account in accounts]


async def _send_crowd(
    plan: Plan, *, hall: Hall | None = None, publisher: Publisher | None = None
) -> list[dict[str, Any]]:
    """Run the crowd to its end; with a hall, add what its servers cost during each size."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.crowd",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(plan)).encode())
    process.stdin.close()
    rows: list[dict[str, Any]] = []
    before: dict[str, float] = {}
    started = 0.0
    try:
        async for line in process.stdout:
            row = json.loads(line)
            if "measuring" in row:
                before, started = _read_cpu(hall), time.monotonic()
                continue
            elapsed = time.monotonic() - started
            row["cores"] = {
                name: round((spent - before[name]) / elapsed, 3)
                for name, spent in _read_cpu(hall).items()
            }
            rows.append(row)
            sys.stderr.write(f"viewers: {json.dumps(row)}\n")
            if publisher is not None and publisher.process.returncode is not None:
                raise AssertionError("the publisher ended before the crowd was measured")
        if await process.wait() != 0 or not rows:
            raise AssertionError("the crowd failed; its reason is above")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return rows


def _read_cpu(hall: Hall | None) -> dict[str, float]:
    """CPU seconds so far per server, nginx's workers included."""
    spent: dict[str, float] = {}
    for name in SERVERS if hall is not None else ():
        assert hall is not None
        child = hall.child(name)
        times = [process.cpu_times() for process in (child, *child.children(recursive=True))]
        spent[name] = sum(item.user + item.system for item in times)
    return spent


async def _measure_nothing(size: int) -> dict[str, Any]:
    async with _run_null_origin() as port:
        plan = Plan(
            host="127.0.0.1", port=port, path="/live/null", tokens=[""] * size, sizes=[size],
            first=size, measured_s=MEASURED_S / 2, allowed_s=ALLOWED_S,
        )  # fmt: skip
        return (await _send_crowd(plan))[0]


@asynccontextmanager
async def _run_null_origin() -> AsyncIterator[int]:
    with _on_core(SERVER_CORE):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.null_origin", str(PART_BYTES),
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            port = int(await process.stdout.readline())
        yield port
    finally:
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    """Pin this process, so that what it starts meanwhile is pinned for its life."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
