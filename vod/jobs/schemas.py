"""What the API says about jobs, units, queues and workers."""

from __future__ import annotations

from typing import Literal

from vod.http.pagination import Page
from vod.http.types import Body, Moment, View
from vod.jobs.fairness import Priority
from vod.jobs.policy import AttemptOutcome, JobState, UnitState


class Unit(View):
    """One piece of work; ``speed`` in media seconds per second, ``progress`` from 0 to 1.

    In lists ``log_tail`` is there for units that failed; the unit itself has it in any state.
    """

    id: str
    key: str
    kind: str
    queue: str
    state: UnitState
    attempt: int
    worker: str | None
    progress: float
    speed: float | None
    reason: str | None
    log_tail: str
    renditions: list[str]
    started_at: Moment | None
    finished_at: Moment | None


class Attempt(View):
    """One claim of a unit; ``outcome`` is null while it runs, ``cause`` names a kind of failure."""

    number: int
    worker: str
    started_at: Moment
    ended_at: Moment | None
    outcome: AttemptOutcome | None
    cause: str | None
    reason: str | None


class LectureRef(View):
    id: str
    title: str


class UnitDetail(Unit):
    """A unit with all that is known of it; attempts newest first."""

    job_id: str
    lecture: LectureRef
    commands: list[str]
    attempts: list[Attempt]


class FailedUnit(View):
    """A unit that failed for good and waits for a person."""

    id: str
    job_id: str
    key: str
    kind: str
    lecture: LectureRef
    attempt: int
    worker: str | None
    reason: str | None
    finished_at: Moment | None


class FailedUnitPage(Page):
    items: list[FailedUnit]


class Job(View):
    """Everything that is made of one version of a recording or file."""

    id: str
    kind: str
    state: JobState
    progress: float
    reason: str | None
    created_at: Moment
    units: list[Unit]


class JobList(View):
    """The newest jobs of a lecture; never so many that they need pages."""

    items: list[Job]
    page: Literal[1]
    page_size: int
    total: int


class JobRow(View):
    """A job in the list of all; ``eta_s`` from the speed so far, null while nobody works on it."""

    id: str
    kind: str
    state: JobState
    priority: Priority
    progress: float
    reason: str | None
    created_at: Moment
    finished_at: Moment | None
    lecture: LectureRef
    units_count: int
    done_count: int
    failed_count: int
    eta_s: float | None


class JobPage(Page):
    items: list[JobRow]


class PlannedRendition(View):
    """A rung or the audio of a job; ``reason`` is the plan's sentence about it."""

    name: str
    kind: str
    width: int | None
    height: int | None
    codec: str
    bitrate_bps: int | None
    state: JobState
    reason: str


class JobDetail(JobRow):
    """A job with its units in the order of the plan, its renditions, and what was found out.

    Attributes:
        notes: Sentences about the file it is made from: what was repaired, what was left out.
    """

    units: list[Unit]
    renditions: list[PlannedRendition]
    notes: list[str]


class JobChange(Body):
    priority: Priority


class Queue(View):
    name: str
    queued: int
    running: int
    oldest_wait_s: float | None


class UnitAtWork(View):
    id: str
    key: str
    lecture_id: str


class Worker(View):
    """A place where one unit at a time runs; ``seen_at`` is at most 10 minutes ago."""

    name: str
    queues: list[str]
    seen_at: Moment
    unit: UnitAtWork | None
    is_draining: bool


class Summary(View):
    """How busy it is; ``failed_units`` wait for a person."""

    queues: list[Queue]
    workers: list[Worker]
    failed_units: int


class Accepted(View):
    """What was started; look for it in the list of jobs."""

    id: str
