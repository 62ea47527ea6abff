"""Jobs as the desk shows them: lists, one with its units, one unit with its history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.classes.models import LiveClass
from vod.http.pagination import PageQuery, build_like
from vod.jobs import schemas
from vod.jobs.attempts import SHOWN_COUNT
from vod.jobs.eta import Spent, estimate_eta_s
from vod.jobs.models import Job, RenditionRow, Unit, UnitAttempt
from vod.jobs.plan import PLAN_KEY
from vod.jobs.policy import JobState, UnitState, compute_progress
from vod.lectures.models import Lecture

MAX_JOBS: Final = 20  # Newest first; older ones say nothing a person needs.
MAX_TAILS: Final = 20  # Failed units of one answer whose log comes with it; 20 kB each.
COLUMNS: Final = (
    Unit.job_id, Unit.id, Unit.key, Unit.kind, Unit.queue, Unit.state, Unit.attempt, Unit.worker,
    Unit.progress, Unit.speed, Unit.reason, Unit.renditions, Unit.started_at, Unit.finished_at,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list shows; empty members do not restrict it."""

    state: JobState | None = None
    kind: str = ""
    words: str = ""


@dataclass(slots=True)
class _Load:
    """What the units of one job amount to."""

    total: float = 0.0
    done: float = 0.0
    counts: defaultdict[UnitState, int] = field(default_factory=lambda: defaultdict(int))
    spent: list[Spent] = field(default_factory=list)

    def add(self, row: Row[Any], now: datetime) -> None:
        self.counts[row.state] += 1
        self.total += row.weight
        share = 1.0 if row.state is UnitState.DONE else row.progress
        self.done += row.weight * share
        if row.started_at is None or row.state not in {UnitState.DONE, UnitState.RUNNING}:
            return
        wall_s = ((row.finished_at or now) - row.started_at).total_seconds()
        self.spent.append(Spent(row.weight * share, max(0.0, wall_s)))

    @property
    def eta_s(self) -> float | None:
        eta_s = estimate_eta_s(
            self.spent,
            remaining_weight=self.total - self.done,
            workers_count=self.counts[UnitState.RUNNING],
        )
        return None if eta_s is None else round(eta_s, 1)


async def load_jobs(session: AsyncSession, lecture_id: str) -> schemas.JobList:
    """Load the newest jobs of a lecture with their units in the order of their plans."""
    jobs = (
        await session.scalars(
            select(Job)
            .where(Job.lecture_id == lecture_id)
            .order_by(Job.source_version.desc(), Job.generation.desc())
            .limit(MAX_JOBS)
        )
    ).all()
    ids = [job.id for job in jobs]
    units = await _load_units(session, ids)
    loads = await _load_loads(session, ids)
    items = [
        schemas.Job(
            id=job.id,
            kind=job.kind,
            state=job.state,
            progress=compute_progress(
                done_weight=loads[job.id].done, total_weight=loads[job.id].total
            ),
            reason=job.reason,
            created_at=job.created_at,
            units=units[job.id],
        )
        for job in jobs
    ]
    return schemas.JobList(items=items, page=1, page_size=MAX_JOBS, total=len(items))


async def load_job_rows(
    session: AsyncSession, page: PageQuery, wanted: JobFilter, *, now: datetime
) -> tuple[list[schemas.JobRow], int]:
    """Load one page of all jobs, newest first, in a fixed number of queries."""
    query = _select_jobs()
    if wanted.state is not None:
        query = query.where(Job.state == wanted.state)
    if wanted.kind:
        query = query.where(Job.kind == wanted.kind)
    if wanted.words.strip():
        query = query.where(Lecture.title.ilike(build_like(wanted.words), escape="\\"))
    total = await session.scalar(select(func.count()).select_from(query.subquery()))
    rows = (
        await session.execute(
            query.order_by(Job.created_at.desc(), Job.id.desc())
            .limit(page.page_size)
            .offset((page.page - 1) * page.page_size)
        )
    ).all()
    loads = await _load_loads(session, [row.id for row in rows], now=now)
    return [schemas.JobRow(**_describe(row, loads[row.id])) for row in rows], total or 0


async def load_job(session: AsyncSession, job_id: str, *, now: datetime) -> schemas.JobDetail:
    """Load a job with its units and renditions.

    Raises:
        NotFoundError: No such job, or its lecture was deleted.
    """
    row = (await session.execute(_select_jobs().where(Job.id == job_id))).one_or_none()
    if row is None:
        raise NotFoundError("no such job")
    units = await _load_units(session, [job_id])
    loads = await _load_loads(session, [job_id], now=now)
    renditions = await session.scalars(
        select(RenditionRow).where(RenditionRow.job_id == job_id).order_by(RenditionRow.position)
    )
    plan = await session.scalar(
        select(Unit.result).where(Unit.job_id == job_id, Unit.key == PLAN_KEY)
    )
    return schemas.JobDetail(
        **_describe(row, loads[job_id]),
        units=units[job_id],
        renditions=[_render_rendition(item) for item in renditions],
        notes=_read_notes(plan),
    )


async def load_unit_detail(session: AsyncSession, unit_id: str) -> schemas.UnitDetail:
    """Load a unit with its log, command lines and newest attempts.

    Raises:
        NotFoundError: No such unit, or its lecture was deleted.
    """
    row = (
        await session.execute(
            select(*COLUMNS, Unit.log_tail, Unit.commands, Lecture.id.label("lecture_id"),
                   Lecture.title)
            .join(Job, Job.id == Unit.job_id)
            .join(Lecture, Lecture.id == Job.lecture_id)
            .where(Unit.id == unit_id, Lecture.deleted_at.is_(None))
        )
    ).one_or_none()  # fmt: skip
    if row is None:
        raise NotFoundError("no such unit")
    attempts = await session.scalars(
        select(UnitAttempt)
        .where(UnitAttempt.unit_id == unit_id)
        .order_by(UnitAttempt.fence.desc())
        .limit(SHOWN_COUNT)
    )
    return schemas.UnitDetail(
        **_read_unit(row, row.log_tail).model_dump(),
        job_id=row.job_id,
        lecture=schemas.LectureRef(id=row.lecture_id, title=row.title),
        commands=row.commands or _find_commands(row.log_tail),
        attempts=[schemas.Attempt.model_validate(item, from_attributes=True) for item in attempts],
    )


async def load_failed_units(
    session: AsyncSession, page: PageQuery
) -> tuple[list[schemas.FailedUnit], int]:
    """Load one page of the units that failed for good, those that failed last first."""
    query = (
        select(*COLUMNS, Lecture.id.label("lecture_id"), Lecture.title)
        .join(Job, Job.id == Unit.job_id)
        .join(Lecture, Lecture.id == Job.lecture_id)
        .where(Unit.state == UnitState.FAILED, Lecture.deleted_at.is_(None))
    )
    total = await session.scalar(select(func.count()).select_from(query.subquery()))
    rows = await session.execute(
        query.order_by(Unit.finished_at.desc(), Unit.id)
        .limit(page.page_size)
        .offset((page.page - 1) * page.page_size)
    )
    items = [
        schemas.FailedUnit(
            id=row.id,
            job_id=row.job_id,
            key=row.key,
            kind=row.kind,
            lecture=schemas.LectureRef(id=row.lecture_id, title=row.title),
            attempt=row.attempt,
            worker=row.worker,
            reason=row.reason,
            finished_at=row.finished_at,
        )
        for row in rows
    ]
    return items, total or 0


async def load_instructor_id(session: AsyncSession, lecture_id: str) -> str | None:
    """Find whose class a lecture was; ``None`` for nobody's.

    Raises:
        NotFoundError: No such lecture.
    """
    row = (
        await session.execute(
            select(Lecture.id, LiveClass.instructor_id)
            .outerjoin(LiveClass, LiveClass.id == Lecture.live_class_id)
            .where(Lecture.id == lecture_id, Lecture.deleted_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("no such lecture")
    instructor_id: str | None = row.instructor_id
    return instructor_id


def _select_jobs() -> Select[Any]:
    return (
        select(
            Job.id, Job.kind, Job.state, Job.priority, Job.reason, Job.created_at, Job.finished_at,
            Lecture.id.label("lecture_id"), Lecture.title,
        )
        .join(Lecture, Lecture.id == Job.lecture_id)
        .where(Lecture.deleted_at.is_(None))
    )  # fmt: skip


def _describe(row: Row[Any], load: _Load) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "priority": row.priority,
        "progress": compute_progress(done_weight=load.done, total_weight=load.total),
        "reason": row.reason,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "lecture": schemas.LectureRef(id=row.lecture_id, title=row.title),
        "units_count": sum(load.counts.values()),
        "done_count": load.counts[UnitState.DONE],
        "failed_count": load.counts[UnitState.FAILED],
        "eta_s": load.eta_s if row.state is JobState.RUNNING else None,
    }


async def _load_loads(
    session: AsyncSession, job_ids: Sequence[str], *, now: datetime | None = None
) -> defaultdict[str, _Load]:
    loads: defaultdict[str, _Load] = defaultdict(_Load)
    rows = await session.execute(
        select(
            Unit.job_id, Unit.state, Unit.weight, Unit.progress, Unit.started_at, Unit.finished_at
        ).where(Unit.job_id.in_(job_ids))
    )
    for row in rows:
        loads[row.job_id].add(row, now or row.started_at)
    return loads


async def _load_units(
    session: AsyncSession, job_ids: Sequence[str]
) -> defaultdict[str, list[schemas.Unit]]:
    """Load the units of some jobs in the order of their plans, logs of failed ones only."""
    is_failed = (Unit.job_id.in_(job_ids), Unit.state == UnitState.FAILED)
    tails = await session.execute(select(Unit.id, Unit.log_tail).where(*is_failed).limit(MAX_TAILS))
    tail_of = dict(tails.tuples().all())
    rows = await session.execute(
        select(*COLUMNS).where(Unit.job_id.in_(job_ids)).order_by(Unit.job_id, Unit.position)
    )
    units: defaultdict[str, list[schemas.Unit]] = defaultdict(list)
    for row in rows:
        units[row.job_id].append(_read_unit(row, tail_of.get(row.id, "")))
    return units


def _read_unit(row: Row[Any], log_tail: str) -> schemas.Unit:
    return schemas.Unit(
        id=row.id,
        key=row.key,
        kind=row.kind,
        queue=row.queue,
        state=row.state,
        attempt=row.attempt,
        worker=row.worker,
        progress=row.progress,
        speed=row.speed,
        reason=row.reason,
        log_tail=log_tail,
        renditions=row.renditions,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _render_rendition(row: RenditionRow) -> schemas.PlannedRendition:
    return schemas.PlannedRendition(
        name=row.name,
        kind=row.kind,
        width=row.width_px,
        height=row.height_px,
        codec=row.codec,
        bitrate_bps=row.bitrate_bps,
        state=row.state,
        reason=row.reason,
    )


def _read_notes(plan: dict[str, Any] | None) -> list[str]:
    """Sentences of the plan's ``SourceReport``; a recording has none."""
    source = (plan or {}).get("source") or {}
    return [str(note) for note in source.get("notes", ())]


def _find_commands(log_tail: str) -> list[str]:
    """Command lines of a unit that still runs: its log shows each behind a dollar sign."""
    return [line.removeprefix("$ ") for line in log_tail.splitlines() if line.startswith("$ ")]
