"""A message is a permission to work: what is handed out is fair, and never handed out twice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import func, select, update

from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.messages import PlanReport, UnitCompleted, UnitReleased
from tests.integration.vod_jobs_support import Hall, make_plan
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from vod.jobs.fairness import Priority
from vod.jobs.models import OutboxMessage, Unit
from vod.jobs.policy import UnitState


def make_long_plan(units_count: int) -> PlanReport:
    """So many ranges of equal weight, then the publication."""
    plan = make_plan()
    model = plan.units[0]
    ranges = tuple(
        model.model_copy(update={"key": f"video-{number}", "weight": 10.0})
        for number in range(units_count)
    )
    last = plan.units[-1].model_copy(update={"after": tuple(unit.key for unit in ranges)})
    return plan.model_copy(update={"units": (*ranges, last)})


async def start_job(hall: Hall, units_count: int) -> str:
    _, job_id = await hall.start_job()
    await hall.plan(job_id, make_long_plan(units_count))
    return job_id


async def find_messages(hall: Hall, job_id: str) -> list[str]:
    """Units of the job in the order in which their messages go to the broker."""
    async with hall.database.read() as session:
        rows = await session.scalars(
            select(OutboxMessage.unit_id)
            .join(Unit, Unit.id == OutboxMessage.unit_id)
            .where(Unit.job_id == job_id)
            .order_by(OutboxMessage.due_at, OutboxMessage.id)
        )
        return list(rows)


async def test_messages_go_out_in_the_order_of_the_plan(hall: Hall) -> None:
    job_id = await start_job(hall, 30)
    keys = [
        (await hall.jobs.claim(unit_id, worker="w")).key
        for unit_id in await find_messages(hall, job_id)
    ]
    assert keys == [f"video-{number}" for number in range(30)]


async def test_a_short_job_is_served_through_the_messages_of_a_long_one(hall: Hall) -> None:
    long = await start_job(hall, 20)
    messages = await find_messages(hall, long)
    first = await hall.jobs.claim(messages[0], worker="w1")
    assert first.job_id == long
    short = await start_job(hall, 2)
    handed = [await hall.jobs.claim(unit_id, worker="w2") for unit_id in messages[1:4]]
    assert [unit.job_id for unit in handed] == [short, short, long]
    # What the long one lent comes back with the messages of the short one.
    async with hall.database.read() as session:
        queued = await session.scalar(
            select(func.count()).select_from(Unit).where(Unit.state == UnitState.QUEUED)
        )
    left = [*messages[4:], *await find_messages(hall, short)]
    assert queued == 20 - 2
    assert len(left) >= queued
    for unit_id in left[:queued]:
        assert (await hall.jobs.claim(unit_id, worker="w3")).job_id == long
    with pytest.raises(ConflictError):
        await hall.jobs.claim(messages[0], worker="w4")


async def test_priority_decides_before_everything_else(hall: Hall) -> None:
    short, long = await start_job(hall, 4), await start_job(hall, 10)
    messages = await find_messages(hall, short)
    await hall.jobs.set_priority(long, Priority.HIGH)
    assert (await hall.jobs.claim(messages[0], worker="w")).job_id == long
    await hall.jobs.set_priority(long, Priority.LOW)
    assert (await hall.jobs.claim(messages[1], worker="w")).job_id == short
    hall.clock.advance(3 * 3600)
    assert (await hall.jobs.claim(messages[2], worker="w")).job_id == short
    # Low has waited for three hours by now, and the other was served a moment ago.
    assert (await hall.jobs.claim(messages[3], worker="w")).job_id == long
    assert (await hall.jobs.claim(messages[0], worker="w")).job_id == short


async def test_a_crowd_of_workers_gets_as_many_different_units(hall: Hall) -> None:
    jobs = [await start_job(hall, 6) for _ in range(3)]
    messages = [unit_id for job_id in jobs for unit_id in await find_messages(hall, job_id)]
    crowd = [
        hall.jobs.claim(unit_id, worker=f"w{number}")
        for number, unit_id in enumerate([*messages, *messages])
    ]
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)
    won = [o for o in outcomes if not isinstance(o, BaseException)]
    lost = [o for o in outcomes if isinstance(o, BaseException)]
    assert {type(error) for error in lost} == {ConflictError}
    assert len({unit.unit_id for unit in won}) == len(won) == len(messages)
    assert Counter(unit.job_id for unit in won) == dict.fromkeys(jobs, 6)


async def test_the_same_claim_again_brings_the_same_unit(hall: Hall) -> None:
    job_id = await start_job(hall, 3)
    [first, second, _] = await find_messages(hall, job_id)
    claim_id = new_id()
    one = await hall.jobs.claim(first, worker="w", claim_id=claim_id)
    again = await hall.jobs.claim(first, worker="w", claim_id=claim_id)
    assert again == one
    other = await hall.jobs.claim(second, worker="w", claim_id=new_id())
    assert other.unit_id != one.unit_id
    report = UnitCompleted(fence=one.fence, result={})
    await hall.jobs.complete(one.unit_id, report)
    # Once it is done, an old try of the claim starts something new instead of doing it twice.
    late = await hall.jobs.claim(first, worker="w", claim_id=claim_id)
    assert late.unit_id not in {one.unit_id, other.unit_id}


async def test_what_was_begun_goes_on_before_the_rest_of_its_job(hall: Hall) -> None:
    job_id = await start_job(hall, 3)
    [first, second, third] = await find_messages(hall, job_id)
    begun = await hall.jobs.claim(first, worker="w")
    await hall.jobs.release(begun.unit_id, UnitReleased(fence=begun.fence))
    # Its new message is behind the others by now.
    assert (await hall.jobs.claim(second, worker="w")).unit_id == first
    assert (await hall.jobs.claim(third, worker="w")).unit_id == third
    assert (await hall.jobs.claim(first, worker="w")).unit_id == second


async def test_the_first_publication_passes_what_nobody_waits_for_yet(hall: Hall) -> None:
    job_id = await start_job(hall, 4)
    [first, second, third, fourth] = await find_messages(hall, job_id)
    async with hall.database.write() as session:
        # As if the second one had waited for the first: its message comes last.
        await session.execute(update(Unit).where(Unit.id == second).values(after=["video-0"]))
    assert (await hall.jobs.claim(first, worker="w")).unit_id == first
    assert (await hall.jobs.claim(third, worker="w")).unit_id == second
    assert (await hall.jobs.claim(fourth, worker="w")).unit_id == fourth
    assert (await hall.jobs.claim(second, worker="w")).unit_id == third


async def test_what_waits_for_its_back_off_is_not_handed_out_early(hall: Hall) -> None:
    job_id = await start_job(hall, 2)
    [first, second] = await find_messages(hall, job_id)
    async with hall.database.write() as session:
        later = hall.clock.now().replace(year=2027)
        await session.execute(update(Unit).where(Unit.id == first).values(due_at=later))
    assert (await hall.jobs.claim(first, worker="w")).unit_id == second
    with pytest.raises(ConflictError):
        await hall.jobs.claim(first, worker="w")
