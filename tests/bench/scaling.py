"""How the critical path of a two-hour lecture shrinks with workers: simulated, unit times measured.

Two jobs of a generated lecture are run here unit by unit: a file whose track is published as it is,
and one that has to be encoded whole. Their seconds per second of media are laid on the plan of two
hours, and N workers take the units in the order in which vod would hand them out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from pathlib import Path

from kernel.messages import UnitPlan
from kernel.timing import TICKS_PER_S
from tests.bench.media import make_lecture, run_ffmpeg
from tests.bench.report import Report
from tests.support.upload_run import run_file

LENGTH_S = 100
BITRATE = "900k"  # Less than the cap of what we would encode: the track is published as it is.
LECTURE_S = 7_200
RANGE_S = 120
WORKERS = (1, 2, 4, 8, 16, 32)
ALLOWED = 0.10
FIRST = "publish-first"
GOAL_FIRST = 0.10

Jobs = dict[str, tuple[float, tuple[str, ...]]]  # Key -> (seconds, keys before it).


async def run(report: Report, folder: Path) -> None:
    """Measure, stretch, simulate."""
    fitting = await make_lecture(folder / "camera.mp4", duration_s=LENGTH_S, bitrate=BITRATE)
    other = folder / "mpeg4.avi"
    await run_ffmpeg("-i", str(fitting), "-c:v", "mpeg4", "-q:v", "3", "-c:a", "mp3", str(other))
    encoded = await _measure(other, folder / "encoded")
    whole_s = sum(seconds for seconds, _ in encoded.values())
    for workers in WORKERS:
        path_s = simulate(encoded, workers=workers)
        report.figure(
            f"scaling_{workers}", path_s / whole_s, unit="ratio", goal=1 / workers + ALLOWED,
            compares="simulated end of a 2-hour lecture with N workers / with one",
            units=len(encoded), seconds=round(path_s, 1),
        )  # fmt: skip
    for kind, jobs in (
        ("copied", await _measure(fitting, folder / "copied")),
        ("encoded", encoded),
    ):
        first_s, two_s = simulate(jobs, workers=2, until=FIRST), simulate(jobs, workers=2)
        report.figure(
            f"first_playable_{kind}", first_s / two_s, unit="ratio", goal=GOAL_FIRST,
            compares="simulated first publication / whole set, 2 hours, two workers",
            seconds=[round(first_s, 1), round(two_s, 1)],
            single_units_s={key: round(jobs[key][0], 1) for key in jobs if "/" not in key},
        )  # fmt: skip


async def _measure(source: Path, folder: Path) -> Jobs:
    job = await run_file(source, folder)
    if job.asset is None or job.plan is None:
        raise RuntimeError(f"{source.name}: {job.reason}")
    return stretch(job.plan.units, job.unit_seconds, media_s=LENGTH_S)


def stretch(units: Iterable[UnitPlan], seconds: Mapping[str, float], *, media_s: float) -> Jobs:
    """Lay the measured times on two hours: ranges become many, the rest takes longer."""
    stretched: Jobs = {"plan": (seconds["plan"], ())}
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


def simulate(jobs: Jobs, *, workers: int, until: str = "") -> float:
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
