"""Programs that hang or are killed, full disks, a store that breaks, answers that get lost.

The worker's own code and a real vod; only what a unit does is a stand-in of a few lines.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from kernel.blobs import BlobStore, open_blob_store
from kernel.blobs.directory import DirectoryBlobStore
from kernel.config import load_settings
from kernel.errors import DependencyError
from kernel.http import InternalClient
from kernel.messages import RunUnit
from tests.integration.test_jobs_api import find_units, hold_class
from tests.integration.vod_jobs_support import make_plan
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.vod import Vod
from tests.support.vod import databases as databases  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_url as sqlite_url  # noqa: PLC0414 - a fixture
from tests.support.vod import sqlite_vod as sqlite_vod  # noqa: PLC0414 - a fixture
from transcode.context import Outcome, UnitContext
from transcode.settings import Limits, Programs
from transcode.specs import StagedFile
from transcode.work import Workbench, work_on
from vod.accounts.roles import Role

Runner = Callable[[UnitContext], Awaitable[Outcome]]
PROGRAM = Path(sys.executable)
PROGRESS = "print('frame=1\\nout_time_us=1\\nprogress=continue', flush=True)"
GREEDY = "import time; x = bytearray(b'x') * (400 << 20); time.sleep(60)"


@contextlib.asynccontextmanager
async def open_bench(
    running: Vod, folder: Path, runner: Runner, **changes: Any
) -> AsyncIterator[Workbench]:
    store = DirectoryBlobStore(folder / "blobs")
    bench = Workbench(
        store=store,
        vod=running.internal,
        programs=Programs(PROGRAM, PROGRAM, memory_bytes=150 << 20),
        data=folder,
        worker="w",
        heartbeat_s=0.2,
        runners={"plan_recording": runner},
    )
    yield replace(bench, **changes)
    await store.close()


async def run_until_over(vod: Vod, bench: Workbench) -> dict[str, Any]:
    """Let a worker try the planning unit until it is done or failed; return it in full."""
    lecture_id, _ = await hold_class(vod)
    unit_id = (await find_units(vod, lecture_id))["plan"]["id"]
    for _ in range(8):
        await work_on(bench, RunUnit(unit_id=unit_id))
        unit = (await vod.call("GET", f"/units/{unit_id}", role=Role.EDITOR)).body
        if unit["state"] in {"done", "failed"}:
            return dict(unit)
        vod.clock.advance(140)
    raise AssertionError(f"it never ends: {unit}")


def runs(code: str) -> Runner:
    """A unit that runs one program under the watchdogs of an encode."""

    async def run(context: UnitContext) -> Outcome:
        (context.folder / "half.mp4").write_bytes(b"half")
        await context.stage(context.folder / "half.mp4")
        await context.encode([str(PROGRAM), "-c", code], media_s=10)
        raise AssertionError("it cannot succeed")

    return run


@pytest.mark.parametrize(
    ("code", "attempts_count", "cause", "words"),
    [
        (f"{PROGRESS}; import time; time.sleep(60)", 5, "stall", "转码停滞"),
        (f"{PROGRESS}; import os; os.kill(os.getpid(), 9)", 2, "memory", "内存不足"),
        (
            f"{PROGRESS}; {GREEDY}",
            2,
            "memory",
            "内存过多",
        ),
        ("import sys; sys.exit('x.mp4: No space left on device')", 5, "disk", "磁盘空间不足"),
        ("import sys; sys.exit('moov atom not found')", 1, "media", "无法转码"),
    ],
)
async def test_a_program_that_goes_wrong_ends_in_one_clear_failure(
    sqlite_vod: Vod, short_dir: Path, monkeypatch: pytest.MonkeyPatch,
    code: str, attempts_count: int, cause: str, words: str,
) -> None:  # fmt: skip
    stall_s = 1.5 if cause == "stall" else 60.0
    monkeypatch.setattr("transcode.context.ENCODE_LIMITS", Limits(wall_s=90, stall_s=stall_s))
    async with open_bench(sqlite_vod, short_dir, runs(code)) as bench:
        unit = await run_until_over(sqlite_vod, bench)
        assert [info async for info in bench.store.list_keys("staging/")] == []
    assert unit["state"] == "failed"
    assert words in unit["reason"]
    assert [attempt["cause"] for attempt in unit["attempts"]] == [cause] * attempts_count
    assert len(unit["commands"]) == 1
    assert list((short_dir / "tmp" / "transcode").iterdir()) == []
    job = (await sqlite_vod.call("GET", f"/jobs/{unit['job_id']}", role=Role.EDITOR)).body
    assert (job["state"], job["reason"]) == ("failed", unit["reason"])


async def test_a_full_disk_is_waited_for_and_then_the_unit_goes_on(
    sqlite_vod: Vod, short_dir: Path
) -> None:
    """The first try meets a disk without room, the second one does not."""
    tries = 0

    async def run(context: UnitContext) -> Outcome:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError(28, os.strerror(28), "half.mp4")
        return Outcome(make_plan())

    async with open_bench(sqlite_vod, short_dir, run) as bench:
        unit = await run_until_over(sqlite_vod, bench)
    assert unit["state"] == "done"
    assert [a["cause"] for a in unit["attempts"]] == [None, "disk"]
    assert "磁盘" in unit["attempts"][1]["reason"]


class ForgetfulLine:
    """vod hears and commits everything, but the answer to the first try never arrives."""

    def __init__(self, vod: InternalClient) -> None:
        self._vod = vod
        self.lost: list[str] = []

    async def call(self, method: str, path: str, *, body: BaseModel | None = None) -> Any:
        answer = await self._vod.call(method, path, body=body)
        if path not in self.lost:
            self.lost.append(path)
            raise DependencyError("the connection was reset")
        return answer


async def test_answers_that_get_lost_cost_no_attempt(sqlite_vod: Vod, short_dir: Path) -> None:
    runs_count = 0

    async def run(_context: UnitContext) -> Outcome:
        nonlocal runs_count
        runs_count += 1
        return Outcome(make_plan())

    line = ForgetfulLine(sqlite_vod.internal)
    async with open_bench(sqlite_vod, short_dir, run, vod=line) as bench:
        unit = await run_until_over(sqlite_vod, bench)
    assert {path.rsplit("/", 1)[1] for path in line.lost} == {"claim", "complete"}
    assert (unit["state"], unit["attempt"], runs_count) == ("done", 1, 1)
    assert [attempt["outcome"] for attempt in unit["attempts"]] == ["done"]


@contextlib.asynccontextmanager
async def open_s3(server: SeaweedServer, proxy: TcpProxy, folder: Path) -> AsyncIterator[BlobStore]:
    host = server.endpoint
    url = server.blobs_url(f"faults-{uuid4().hex[:12]}").replace(host, f"127.0.0.1:{proxy.port}")
    store = open_blob_store(
        load_settings(
            data=folder, blobs_url=url, s3_access_key=ACCESS_KEY, s3_secret_key=SECRET_KEY
        )
    )
    yield store
    await store.close()


async def test_a_slow_store_that_breaks_off_spoils_nothing(
    sqlite_vod: Vod, short_dir: Path, seaweed: SeaweedServer
) -> None:
    """Two of three lines break in the middle; later it is dead for a whole try."""
    content = os.urandom(300_000)
    host, _, port = seaweed.endpoint.partition(":")
    staged: list[StagedFile] = []

    async def run(context: UnitContext) -> Outcome:
        proxy.is_dead = context.unit.attempt == 2
        path = context.folder / "a.mp4"
        path.write_bytes(content)
        staged.append(await context.stage(path))
        copy = await context.fetch(staged[-1], "b.mp4")
        assert copy.read_bytes() == content
        if context.unit.attempt == 1:
            raise DependencyError("the store went away")
        return Outcome(make_plan())

    async with (
        TcpProxy(host, int(port), delay_s=0.02).run() as proxy,
        open_s3(seaweed, proxy, short_dir) as store,
        open_bench(sqlite_vod, short_dir, run, store=store) as bench,
    ):
        await store.put_bytes("probe", b"x", content_type="text/plain")
        proxy.cut_every = 3
        unit = await run_until_over(sqlite_vod, bench)
        proxy.cut_every, proxy.is_dead = 0, False
        # The second try could not remove what it had not stored; only the result is left.
        left = [info.key async for info in store.list_keys("staging/")]
        whole = await store.get_bytes(staged[-1].key)
    assert unit["state"] == "done", unit
    assert [a["cause"] for a in unit["attempts"]][-2:] == ["blobs", "blobs"]
    assert proxy.cuts_count > 0
    assert staged[-1].key in left
    assert whole == content
