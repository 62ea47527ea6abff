"""Keep child processes running, and stop them in order.

A child that dies is logged and started again, after a pause that doubles while it keeps dying.
Children live in sessions of their own, so Ctrl-C reaches the supervisor only, which then stops
them in the reverse order of their start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import structlog

from hall.processes import ends_within

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0
TERM_DEADLINE_S: Final = 3.0
HEALTHY_AFTER_S: Final = 20.0  # A child that ran this long starts again without a pause.
# A third of the weight of the others: enough to give way, not so little that a machine with other
# work on it never gets to an encode.
PATIENT_NICE: Final = 5
LIFELINE: Final = Path(__file__).with_name("lifeline.py")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One program to keep running.

    Attributes:
        stop_signal: What asks it politely.
        stop_deadline_s: How long it may take; then comes SIGTERM, then the whole group is killed.
        sockets: It listens there and does not remove what its killed predecessor left.
        is_patient: Stands back behind the other children when the processor is busy.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_deadline_s: float = 10.0
    sockets: tuple[Path, ...] = ()
    is_patient: bool = False


class Child:
    """A running child: construct -> ``run()`` until cancelled."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.starts_count = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def send_signal(self, number: signal.Signals) -> bool:
        """Signal it if it runs; a program that is just starting will read its files anyway."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.send_signal(number)
        return True

    async def run(self) -> None:
        """Start it again and again; on cancellation stop it and return."""
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        try:
            while True:
                started = loop.time()
                self._process = await self._start()
                code = await self._process.wait()
                _end_group(self._process.pid)
                ran_s = loop.time() - started
                log.warning("child_died", child=self.spec.name, code=code, ran_s=round(ran_s, 1))
                pause_s = FIRST_PAUSE_S if ran_s > HEALTHY_AFTER_S else pause_s
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        finally:
            await self._stop()

    async def _start(self) -> asyncio.subprocess.Process:
        self.starts_count += 1
        for path in self.spec.sockets:
            path.unlink(missing_ok=True)
        argv = (sys.executable, "-I", "-S", str(LIFELINE), str(os.getpid()), *self.spec.argv)
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, **self.spec.env},
            start_new_session=True,
        )
        if self.spec.is_patient:
            _stand_back(process.pid)
        log.debug("child_started", child=self.spec.name, pid=process.pid, argv=self.spec.argv)
        return process

    async def _stop(self) -> None:
        process, spec = self._process, self.spec
        if process is None or process.returncode is not None:
            return
        for number, deadline_s in (
            (spec.stop_signal, spec.stop_deadline_s),
            (signal.SIGTERM, TERM_DEADLINE_S),
        ):
            process.send_signal(number)
            if await ends_within(process, deadline_s):
                break
            log.warning("child_slow_to_stop", child=spec.name, after_s=deadline_s)
        _end_group(process.pid)
        await process.wait()


def _end_group(pid: int) -> None:
    """Kill what is left of the process group that ``pid`` leads or led.

    nginx's workers outlive a master that is killed, and hold its port against the next one.
    """
    with contextlib.suppress(ProcessLookupError):  # As it should be: nobody is left.
        os.killpg(pid, signal.SIGKILL)


def _stand_back(pid: int) -> None:
    """Lower the weight of the whole session that ``pid`` leads.

    Where Linux groups processes by session (``sched_autogroup_enabled``, usual outside containers),
    the niceness of a process counts within its own session only: without this, encoders in the
    worker's session would get as much as streamer does in its own. See sched(7).
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(PATIENT_NICE), encoding="ascii")
    except OSError as error:  # Another system, no such groups, or too soon after another write.
        log.debug("session_not_lowered", pid=pid, detail=str(error))


class Supervisor:
    """Runs children from ``async with`` until the block is left, then stops them last to first."""

    def __init__(self, specs: list[ChildSpec]) -> None:
        self.children = [Child(spec) for spec in specs]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for child in self.children:
            self._tasks.append(asyncio.create_task(child.run(), name=child.spec.name))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def find(self, name: str) -> Child:
        """The child of that name. Raises ``KeyError``."""
        return {child.spec.name: child for child in self.children}[name]

    async def wait(self) -> None:
        """Wait until a child's task fails: a program that cannot even be started."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
