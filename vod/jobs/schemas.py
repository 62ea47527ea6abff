"""What the API says about jobs and units."""

from __future__ import annotations

from typing import Literal

from vod.http.types import Moment, View
from vod.jobs.policy import JobState, UnitState


class Unit(View):
    """One piece of work; ``speed`` in media seconds per second, ``progress`` from 0 to 1."""

    id: str
    key: str
    kind: str
    state: UnitState
    attempt: int
    worker: str | None
    progress: float
    speed: float | None
    reason: str | None
    log_tail: str


class Job(View):
    """Everything that is made of one version of a recording."""

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


class Accepted(View):
    """What was started; look for it in the list of jobs."""

    id: str
