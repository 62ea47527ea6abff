"""How the critical path of a two-hour lecture shrinks with workers: simulated, unit times measured.

One job of a generated lecture is run here unit by unit; its seconds per second of media are laid on
the plan of two hours, and N workers take its units in the order in which vod would hand them out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from pathlib import Path

from kernel.messages import UnitPlan
from kernel.timing import TICKS_PER_S
from tests.bench.lectures import make_lossless
from tests.bench.report import Report
from tests.support.upload_run import run_file

LENGTH_S = 40
LECTURE_S = 7_200
RANGE_S = 120
WORKERS = (1, 2, 4, 8, 16, 32)
ALLOWED = 0.10
FIRST = "publish-first"
GOAL_FIRST = 0.10


async def run(report: Report, folder: Path) -> None:
    """Measure, stretch, simulate."""
    source = await make_lossless(folder / "slides.mkv", "slides", duration_s=LENGTH_S)
    job = await run_file(source, folder / "job")
    if job.asset is None or job.plan is None:
        raise RuntimeError(f"{source.name}: {job.reason}")
    jobs = stretch(job.plan.units, job.unit_seconds, media_s=LENGTH_S)
    whole_s = sum(jobs[key][0] for key in jobs)
    for workers in WORKERS:
        path_s = simulate(jobs, workers=workers)
        report.figure(
            f"scaling_{workers}", path_s / whole_s, unit="ratio", goal=1 / workers + ALLOWED,
            compares="simulated end of a 2-hour lecture with N workers / with one",
            units=len(jobs), seconds=round(path_s, 1),
        )  # fmt: skip
    two_s = simulate(jobs, workers=2)
    report.figure(
        "first_playable", simulate(jobs, workers=2, until=FIRST) / two_s, unit="ratio",
        goal=GOAL_FIRST, compares="simulated first publication / whole set, 2 hours, two workers",
    )  # fmt: skip


def stretch(
    units: Iterable[UnitPlan], seconds: Mapping[str, float], *, media_s: float
) -> dict[str, tuple[float, tuple[str, ...]]]:
    """Lay the measured times on two hours: ranges become many, the rest takes longer.

    Returns:
        Key -> (seconds, keys before it).
    """
    stretched: dict[str, tuple[float, tuple[str, ...]]] = {"plan": (seconds["plan"], ())}
    pieces: dict[str, tuple[str, ...]] = {}
    for unit in units:
        before = tuple(key for old in unit.after for key in pieces.get(old, (old,))) or ("plan",)
        if unit.kind == "encode_video":
            count = LECTURE_S // RANGE_S
            length_s = (unit.spec["end_ticks"] - unit.spec["start_ticks"]) / TICKS_PER_S
            each_s = seconds[unit.key] * RANGE_S / length_s
            pieces[unit.key] = tuple(f"{unit.key}/{number}" for number in range(count))
            stretched |= dict.fromkeys(pieces[unit.key], (each_s, before))
        else:
            stretched[unit.key] = (seconds[unit.key] * LECTURE_S / media_s, before)
    return stretched


def simulate(
    jobs: Mapping[str, tuple[float, tuple[str, ...]]], *, workers: int, until: str = ""
) -> float:
    """Return when the last unit ends if every free worker takes the first ready unit.

    Args:
        until: Stop when this one ends.
    """
    done: set[str] = set()
    waiting = list(jobs)
    running: list[tuple[float, str]] = []
    now = 0.0
    while waiting or running:
        ready = [key for key in waiting if set(jobs[key][1]) <= done]
        for key in ready[: workers - len(running)]:
            waiting.remove(key)
            heapq.heappush(running, (now + jobs[key][0], key))
        now, key = heapq.heappop(running)
        done.add(key)
        if key == until:
            break
    return now
