"""Children of `hall up`: what is said about their place among each other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hall.supervisor import PATIENT_NICE, ChildSpec, Supervisor
from tests.support.waiting import eventually

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")


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
