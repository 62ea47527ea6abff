"""`make bench`: run the benches one after the other, print one JSON line per figure.

Each figure names what it compares, its value and its goal. A bench that cannot run fails the
whole run loudly: a missing number is not a good number. Names after the command run some.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.bench.report import Report

BENCHES = (
    "ingest",
    "replay",
    "ladder",
    "quality",
    "scaling",
    "stopwatch",
    "viewers",
    "latency",
    "search",
)


async def _run(name: str, report: Report) -> bool:
    module = importlib.import_module(f"tests.bench.{name}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hall-bench-") as folder:
        try:
            await module.run(report, Path(folder))
        except Exception:  # noqa: BLE001 - any failure of one bench is reported, the others go on
            traceback.print_exc()
            report.failed(name)
            return False
    sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n")
    return True


def main() -> None:
    wanted = sys.argv[1:] or BENCHES
    unknown = set(wanted) - set(BENCHES)
    if unknown:
        sys.exit(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    # A bench that is told to stop takes its hall, encoders and browser with it.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    report = Report()
    report.machine()
    results = [asyncio.run(_run(name, report)) for name in wanted]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
