"""Whose unit runs next, as simulations of workers over hours."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vod.jobs.eta import Spent, estimate_eta_s
from vod.jobs.fairness import AGEING, Contender, Priority, choose_unit, compute_rank

START = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass
class SimulatedJob:
    """A job of equal units that may all run at once."""

    name: str
    units_count: int
    unit_s: float
    arrives_s: float = 0.0
    priority: Priority = Priority.NORMAL
    started: list[float] = field(default_factory=list)
    held_count: int = 0
    done_at_s: float = 0.0

    @property
    def left_count(self) -> int:
        return self.units_count - len(self.started)

    def contend(self) -> Contender:
        idle_s = max([self.arrives_s, *self.started[-1:]])
        return Contender(
            job_id=self.name,
            unit_id=f"{self.name}-{len(self.started)}",
            priority=self.priority,
            held_count=self.held_count,
            remaining_weight=(self.left_count + self.held_count) * self.unit_s,
            idle_since=START + timedelta(seconds=idle_s),
        )


def simulate(*jobs: SimulatedJob, workers_count: int) -> dict[str, SimulatedJob]:
    """Let workers take units until all is done."""
    moments = [job.arrives_s for job in jobs]
    heapq.heapify(moments)
    running: list[tuple[float, int, SimulatedJob]] = []
    number = 0
    while moments:
        now_s = heapq.heappop(moments)
        while running and running[0][0] <= now_s:
            job = heapq.heappop(running)[2]
            job.held_count -= 1
            job.done_at_s = now_s
        while len(running) < workers_count:
            here = [job for job in jobs if job.left_count and job.arrives_s <= now_s]
            contenders = [job.contend() for job in here]
            chosen = choose_unit(contenders, now=START + timedelta(seconds=now_s))
            if chosen is None:
                break
            job = next(job for job in here if job.name == chosen.job_id)
            job.started.append(now_s)
            job.held_count += 1
            number += 1
            heapq.heappush(running, (now_s + job.unit_s, number, job))
            heapq.heappush(moments, now_s + job.unit_s)
    assert all(job.left_count == 0 for job in jobs)
    return {job.name: job for job in jobs}


@pytest.mark.parametrize("workers_count", [1, 2, 8])
def test_a_long_upload_does_not_starve_a_short_one(workers_count: int) -> None:
    jobs = simulate(
        SimulatedJob("long", 60, unit_s=120),
        SimulatedJob("short", 2, unit_s=60, arrives_s=300),
        workers_count=workers_count,
    )
    # It waits for a worker to become free, then has it until it is done.
    assert jobs["short"].done_at_s <= 300 + 120 + 2 * 60
    assert jobs["long"].done_at_s <= (60 * 120 + 120) / workers_count + 2 * 120


def test_two_long_uploads_share_the_workers() -> None:
    jobs = simulate(
        SimulatedJob("first", 60, unit_s=100),
        SimulatedJob("second", 60, unit_s=100, arrives_s=1000),
        workers_count=4,
    )
    # Alone the first has all four; then each has two of them.
    for name in ("first", "second"):
        shared = [start_s for start_s in jobs[name].started if 1000 <= start_s < 1900]
        assert len(shared) == pytest.approx(18, abs=2)
    assert jobs["second"].done_at_s == 3000


def test_high_goes_before_normal_and_normal_before_low() -> None:
    jobs = simulate(
        SimulatedJob("low", 5, unit_s=10, priority=Priority.LOW),
        SimulatedJob("normal", 5, unit_s=10),
        SimulatedJob("high", 50, unit_s=10, priority=Priority.HIGH),
        workers_count=1,
    )
    assert jobs["high"].done_at_s == 500
    assert jobs["normal"].done_at_s == 550
    assert jobs["low"].started[0] == 550


def test_low_is_not_starved_by_a_stream_that_never_ends() -> None:
    stream = [
        SimulatedJob(f"n{n:03}", 2, unit_s=60, arrives_s=n * 120, priority=Priority.HIGH)
        for n in range(120)
    ]
    jobs = simulate(
        SimulatedJob("low", 2, unit_s=60, priority=Priority.LOW), *stream, workers_count=1
    )
    assert jobs["low"].started[0] <= 3 * AGEING.total_seconds() + 120
    assert jobs["low"].done_at_s < jobs["n119"].done_at_s


def test_many_jobs_that_wait_all_get_their_turn() -> None:
    stream = [SimulatedJob(f"n{n:03}", 1, unit_s=100, arrives_s=n * 90) for n in range(200)]
    jobs = simulate(SimulatedJob("long", 30, unit_s=100), *stream, workers_count=1)
    waits = [job.started[0] - job.arrives_s for name, job in jobs.items() if name != "long"]
    # More arrives than one worker can do: what is too much is shared, nobody is forgotten.
    assert max(waits) <= 200 * 100 * 0.4
    gaps = [b - a for a, b in zip(jobs["long"].started, jobs["long"].started[1:], strict=False)]
    assert max(gaps) <= 3 * AGEING.total_seconds()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Priority),
            st.integers(0, 5),
            st.floats(0, 1e6),
            st.integers(0, 100_000),
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(),
)
def test_the_choice_depends_on_nothing_but_the_contenders(
    rows: list[tuple[Priority, int, float, int]], random: object
) -> None:
    contenders = [
        Contender(f"j{n}", f"u{n}", priority, held, left, START - timedelta(seconds=idle))
        for n, (priority, held, left, idle) in enumerate(rows)
    ]
    chosen = choose_unit(contenders, now=START)
    random.shuffle(contenders)  # type: ignore[attr-defined]
    assert choose_unit(contenders, now=START) == chosen
    assert chosen is not None
    best = max(compute_rank(c.priority, START - c.idle_since) for c in contenders)
    assert compute_rank(chosen.priority, START - chosen.idle_since) == best


def test_nobody_contends() -> None:
    assert choose_unit([], now=START) is None


def test_the_remaining_time_follows_from_the_speed_so_far() -> None:
    spent = [Spent(weight=120, wall_s=60), Spent(weight=60, wall_s=30)]
    assert estimate_eta_s(spent, remaining_weight=1200, workers_count=2) == 300
    assert estimate_eta_s(spent, remaining_weight=1200, workers_count=0) is None
    assert estimate_eta_s([], remaining_weight=1200, workers_count=1) is None
    assert estimate_eta_s([Spent(0.0, 500.0)], remaining_weight=1, workers_count=1) is None
    assert estimate_eta_s(spent, remaining_weight=-1e-9, workers_count=1) == 0
