"""Children of `hall up`: what is said about their place among each other."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from hall.supervisor import PATIENT_NICE, ChildSpec, Supervisor
from tests.support.waiting import eventually

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")
MASTER = """import os, signal, sys
if os.fork() == 0:
    open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
signal.pause()
"""


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="no scheduling groups by session here"
)
async def test_a_patient_child_stands_back_with_its_whole_session() -> None:
    specs = [
        ChildSpec("patient", SLEEPER, is_patient=True),
        ChildSpec("plain", SLEEPER),
    ]
    async with Supervisor(specs) as supervisor:

        def groups() -> list[str] | None:
            pids = [supervisor.find(name).pid for name in ("patient", "plain")]
            if None in pids:
                return None
            return [Path(f"/proc/{pid}/autogroup").read_text(encoding="ascii") for pid in pids]

        patient, plain = await eventually(groups, timeout_s=20)
    assert patient.split()[-2:] == ["nice", str(PATIENT_NICE)]
    assert plain.split()[-2:] == ["nice", "0"]


async def test_what_a_killed_child_leaves_behind_is_gone_before_it_starts_again(
    tmp_path: Path,
) -> None:
    """nginx's workers would hold the port against the next master."""
    notes = tmp_path / "pids"

    def helpers() -> list[int]:
        return [int(pid) for pid in notes.read_text().split()] if notes.exists() else []

    spec = ChildSpec("master", (sys.executable, "-c", MASTER, str(notes)))
    async with Supervisor([spec]) as supervisor:
        [first] = await eventually(helpers)
        master = supervisor.find("master").pid
        assert master is not None
        os.kill(master, signal.SIGKILL)
        _, second = await eventually(lambda: helpers() if len(helpers()) == 2 else None)
        await eventually(lambda: not _is_running(first), message="the first one's helper lives")
        assert _is_running(second)
    assert await eventually(lambda: not _is_running(second)), "and after the end nobody is left"


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
