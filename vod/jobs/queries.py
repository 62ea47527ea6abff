"""Statements on jobs and units. They never commit; every compare-and-set is one UPDATE.

Locking order, so that PostgreSQL never meets a deadlock: lecture, job, units by id, outbox. The
lock on the job also makes two predecessors that finish together see each other. On SQLite a write
session is alone anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from kernel.ids import new_id
from kernel.messages import RunUnit
from vod.jobs import statements
from vod.jobs.attempts import close_attempts
from vod.jobs.models import Job, OutboxMessage, RenditionRow, Unit
from vod.jobs.plan import ADDED_KEY, FIRST_KEY
from vod.jobs.policy import (
    AttemptOutcome,
    JobState,
    UnitEvent,
    UnitState,
    derive_job_state,
    describe_addition,
    find_sources,
)
from vod.lectures.models import Lecture, LectureState
from vod.webhooks.emit import emit
from vod.webhooks.kinds import EventKind

TRANSCODE: Final = "transcode_"  # How the kinds of jobs begin that make a lecture playable.
change: Final = statements.change  # So that who queries needs one import only.
BATCH_COUNT: Final = 500  # Keys per IN list; far below SQLite's 32 766 variables.


async def lock_job_of_unit(session: AsyncSession, unit_id: str) -> Job:
    """Load and lock the job that ``unit_id`` belongs to.

    Raises:
        NotFoundError: No such unit.
    """
    statement = (
        select(Job).join(Unit, Unit.job_id == Job.id).where(Unit.id == unit_id)
    ).with_for_update(of=Job)
    job: Job | None = await session.scalar(statement)
    if job is None:
        raise NotFoundError(f"no unit {unit_id!r}")
    return job


async def lock_job(session: AsyncSession, job_id: str) -> Job:
    """Load and lock a job.

    Raises:
        NotFoundError: No such job.
    """
    job: Job | None = await session.scalar(select(Job).where(Job.id == job_id).with_for_update())
    if job is None:
        raise NotFoundError(f"no job {job_id!r}")
    return job


async def lock_lecture_of_job(session: AsyncSession, job_id: str) -> None:
    """Lock the lecture of a job, before the job itself, if the transaction may change both."""
    lecture_id = select(Job.lecture_id).where(Job.id == job_id)
    await session.execute(
        select(Lecture.id).where(Lecture.id == lecture_id.scalar_subquery()).with_for_update()
    )


async def lock_lecture_of_unit(session: AsyncSession, unit_id: str) -> None:
    """Lock the lecture a unit works for, before its job, if the transaction may change both."""
    lecture_id = select(Job.lecture_id).join(Unit, Unit.job_id == Job.id).where(Unit.id == unit_id)
    await session.execute(
        select(Lecture.id).where(Lecture.id == lecture_id.scalar_subquery()).with_for_update()
    )


async def lock_lecture(session: AsyncSession, lecture_id: str) -> Lecture:
    """Load and lock a lecture: jobs of one lecture are created one after the other.

    Raises:
        NotFoundError: No such lecture, or it was deleted.
    """
    statement = select(Lecture).where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
    lecture: Lecture | None = await session.scalar(statement.with_for_update())
    if lecture is None:
        raise NotFoundError(f"no lecture {lecture_id!r}")
    return lecture


async def load_unit(session: AsyncSession, unit_id: str) -> Unit:
    """Load a unit as it is now; the caller holds its job's lock."""
    unit: Unit | None = await session.scalar(
        select(Unit).where(Unit.id == unit_id).execution_options(populate_existing=True)
    )
    if unit is None:
        raise NotFoundError(f"no unit {unit_id!r}")
    return unit


async def change_unit(
    session: AsyncSession,
    unit_id: str,
    event: UnitEvent,
    *conditions: Any,
    **values: Any,
) -> bool:
    """Compare-and-set: move a unit if its state and ``conditions`` allow; tell whether it moved.

    Args:
        values: Columns to write; ``state`` must be what the transition table says.
    """
    statement = (
        update(Unit)
        .where(Unit.id == unit_id, Unit.state.in_(find_sources(event)), *conditions)
        .values(**values)
    )
    return await change(session, statement) == 1


def build_message(
    unit_id: str, *, queue: str, due_at: datetime, now: datetime, order: int = 0
) -> OutboxMessage:
    """Build the outbox row that makes a worker look at the unit.

    Args:
        order: Among rows of the same moment, the lower one is sent first.
    """
    return OutboxMessage(
        id=new_id(now_ms=int(now.timestamp() * 1000) + order),
        unit_id=unit_id,
        queue=queue,
        payload=RunUnit(unit_id=unit_id).model_dump_json(),
        due_at=due_at,
        created_at=now,
    )


async def queue_ready_units(session: AsyncSession, job_id: str, *, now: datetime) -> int:
    """Queue every waiting unit of the job whose predecessors are done; return how many."""
    rows = (
        await session.execute(
            select(Unit.id, Unit.key, Unit.queue, Unit.state, Unit.after)
            .where(Unit.job_id == job_id)
            .order_by(Unit.position)
        )
    ).all()
    done = {row.key for row in rows if row.state is UnitState.DONE}
    ready = [row for row in rows if row.state is UnitState.WAITING and done.issuperset(row.after)]
    for batch in _in_batches([row.id for row in ready]):
        await change(
            session,
            update(Unit)
            .where(Unit.id.in_(batch), Unit.state.in_(find_sources(UnitEvent.READY)))
            .values(state=UnitState.QUEUED, due_at=now, sent_at=None, sends_count=0),
        )
    session.add_all(
        build_message(row.id, queue=row.queue, due_at=now, now=now, order=order)
        for order, row in enumerate(ready)
    )
    return len(ready)


def _in_batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + BATCH_COUNT] for start in range(0, len(ids), BATCH_COUNT)]


async def lock_units(session: AsyncSession, *conditions: Any) -> Sequence[str]:
    """Lock the units that meet ``conditions`` in the one order that everybody keeps."""
    rows = await session.scalars(
        select(Unit.id).where(*conditions).order_by(Unit.id).with_for_update()
    )
    return rows.all()


async def _stop_units(
    session: AsyncSession, job_id: str, event: UnitEvent, *, now: datetime, **values: Any
) -> None:
    """Apply ``event`` wherever it applies; workers hear of it at their next heartbeat."""
    ids = await lock_units(session, Unit.job_id == job_id, Unit.state.in_(find_sources(event)))
    for batch in _in_batches(ids):
        # The message of a unit that runs is what another one waits for: it stays.
        queued = select(Unit.id).where(Unit.id.in_(batch), Unit.state == UnitState.QUEUED)
        await change(session, delete(OutboxMessage).where(OutboxMessage.unit_id.in_(queued)))
        await change(session, update(Unit).where(Unit.id.in_(batch)).values(**values))
        await close_attempts(session, batch, AttemptOutcome.STOPPED, now=now)


async def hold_units(session: AsyncSession, job_id: str, *, now: datetime) -> None:
    """Stop what runs and what is queued of a failed job: publishing can never come.

    A retry of what failed queues it again, with all its attempts. The caller holds the job's lock.
    """
    await _stop_units(
        session,
        job_id,
        UnitEvent.HELD,
        now=now,
        state=UnitState.WAITING,
        attempt=0,
        lease_until=None,
        progress=0.0,
        speed=None,
    )
    await set_renditions(session, job_id, JobState.QUEUED, only_from=(JobState.RUNNING,))


async def cancel_units(session: AsyncSession, job_id: str, *, reason: str, now: datetime) -> None:
    """Cancel what is not finished of a job whose lock the caller holds."""
    await _stop_units(
        session,
        job_id,
        UnitEvent.CANCELLED,
        now=now,
        state=UnitState.CANCELLED,
        reason=reason,
        lease_until=None,
        finished_at=now,
    )
    await change(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state != JobState.DONE)
        .values(state=JobState.CANCELLED, reason=reason, finished_at=now),
    )
    await set_renditions(session, job_id, JobState.CANCELLED, reason=None, only_from=_UNFINISHED)


_UNFINISHED: Final = (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)


async def set_renditions(
    session: AsyncSession,
    job_id: str,
    state: JobState,
    *,
    only_from: Collection[JobState],
    names: Sequence[str] | None = None,
    reason: str | None = None,
) -> None:
    """Show a unit's fate on the renditions it is part of; all of the job without ``names``."""
    if names is not None and not names:
        return
    statement = update(RenditionRow).where(
        RenditionRow.job_id == job_id, RenditionRow.state.in_(only_from)
    )
    if names is not None:
        statement = statement.where(RenditionRow.name.in_(names))
    values: dict[str, Any] = {"state": state}
    if reason is not None:
        values["reason"] = reason
    await change(session, statement.values(**values))


async def refresh_job(
    session: AsyncSession, job: Job, *, reason: str | None, now: datetime
) -> None:
    """Write the job's state as its units have it, and let the lecture follow.

    A lecture that plays from its recording stays playable whatever happens to its job, and a job
    that only adds captions or cuts decides nothing about it. Nor does what fails after the whole
    set was published: the job is done then, ``reason`` says what is missing, units can be retried.
    """
    rows = await session.execute(
        select(Unit.state, func.count()).where(Unit.job_id == job.id).group_by(Unit.state)
    )
    counts = {row[0]: row[1] for row in rows}
    state = derive_job_state(counts, is_published=await _is_published(session, job.id))
    is_over = state in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}
    if state is JobState.FAILED and job.state is not JobState.FAILED:
        await _tell_failed(session, job, reason=reason, now=now)
    job.state = state
    job.finished_at = now if is_over else None
    if state is JobState.DONE and UnitState.FAILED in counts:
        job.reason = job.reason if reason is None else describe_addition(reason)
    elif state is not JobState.FAILED:
        job.reason = None if state is not JobState.CANCELLED else job.reason
    elif reason is not None:
        job.reason = reason
    if not job.kind.startswith(TRANSCODE):
        return
    lecture = update(Lecture).where(Lecture.id == job.lecture_id)
    if state is JobState.FAILED:
        await change(
            session,
            lecture.where(Lecture.state == LectureState.PROCESSING).values(
                state=LectureState.FAILED
            ),
        )
    elif state in {JobState.QUEUED, JobState.RUNNING}:
        await change(
            session,
            lecture.where(Lecture.state == LectureState.FAILED).values(
                state=LectureState.PROCESSING
            ),
        )


async def _tell_failed(
    session: AsyncSession, job: Job, *, reason: str | None, now: datetime
) -> None:
    title = await session.scalar(select(Lecture.title).where(Lecture.id == job.lecture_id))
    emit(
        session,
        EventKind.JOB_FAILED,
        job.id,
        now=now,
        title=title or "",
        lecture_id=job.lecture_id,
        job_kind=job.kind,
        reason=reason or "",
    )


async def _is_published(session: AsyncSession, job_id: str) -> bool:
    """Tell whether the unit is done that publishes the whole set, which waits for all others."""
    found = await session.scalar(
        select(Unit.id).where(
            Unit.job_id == job_id,
            Unit.kind == "publish_asset",
            Unit.key.not_in([FIRST_KEY, ADDED_KEY]),
            Unit.state == UnitState.DONE,
        )
    )
    return found is not None


async def settle_lecture(session: AsyncSession, job: Job) -> None:
    """A person cancelled ``job``: its lecture waits for it no longer."""
    if job.kind.startswith(TRANSCODE):
        await change(
            session,
            update(Lecture)
            .where(Lecture.id == job.lecture_id, Lecture.state == LectureState.PROCESSING)
            .values(state=LectureState.FAILED),
        )
