"""Tables of jobs, their units and renditions, and the outbox. No queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum
from vod.jobs.fairness import Priority
from vod.jobs.policy import AttemptOutcome, JobState, UnitState


class Job(HasId, Base):
    """Everything that is made of one version of what a lecture comes from.

    Attributes:
        source_version: Of the recording or the uploaded file, see ``Lecture.source_version``.
        generation: 0 for the job the source itself started, then one more per request of an
            editor; unique, so that two events or two clicks make one job.
        asset_id: Of the set this job publishes; also its folder in the blob store.
        plan_hash: Known once planned; names the folder below ``asset_id``.
        priority: Weighed against other jobs when a worker asks for a unit.
        reason: Why it failed, for people.
        files_deleted_at: When what it made was removed, since nobody plays it.
    """

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("lecture_id", "source_version", "generation"),)

    lecture_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(String(32))
    source_version: Mapped[int]
    generation: Mapped[int] = mapped_column(default=0)
    state: Mapped[JobState] = mapped_column(short_enum(JobState, "state"), default=JobState.QUEUED)
    asset_id: Mapped[str] = mapped_column(String(ID_CHARS), unique=True)
    plan_hash: Mapped[str | None] = mapped_column(String(64))
    priority: Mapped[Priority] = mapped_column(
        short_enum(Priority, "priority"), default=Priority.NORMAL, server_default="normal"
    )
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]
    files_deleted_at: Mapped[datetime | None]


class Unit(HasId, Base):
    """One piece of work for one worker; the states are drawn in ``vod.jobs.policy``.

    Attributes:
        position: Order in the plan.
        after: Keys of predecessors in the same job.
        fence: Raised by every claim; reports with an older one are refused.
        claim_id: Of the claim under which it runs; the same one again is the same claim.
        commands: Command lines of the last attempt that ended.
        due_at: When a queued unit may be claimed (back-off).
        sent_at: When its message last went to the broker.
        lease_until: When a running unit counts as abandoned.
        progress: 0 to 1, of the current attempt.
        speed: Media seconds per second.
    """

    __tablename__ = "units"
    __table_args__ = (
        UniqueConstraint("job_id", "key"),
        Index(None, "state", "lease_until"),
        Index(None, "queue", "state"),
        CheckConstraint("progress >= 0 AND progress <= 1", name="progress"),
        CheckConstraint("weight >= 0", name="weight"),
    )

    job_id: Mapped[str] = mapped_column(String(ID_CHARS), ForeignKey("jobs.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    queue: Mapped[str] = mapped_column(String(16))
    position: Mapped[int]
    state: Mapped[UnitState] = mapped_column(short_enum(UnitState, "state"))
    spec: Mapped[dict[str, Any]]
    after: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    renditions: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    weight: Mapped[float]
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    claim_id: Mapped[str | None] = mapped_column(String(64))
    due_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    sends_count: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(128))
    progress: Mapped[float] = mapped_column(default=0.0)
    speed: Mapped[float | None]
    reason: Mapped[str | None]
    log_tail: Mapped[str] = mapped_column(default="")
    commands: Mapped[list[str] | None] = mapped_column(JSON_DOCUMENT)
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class UnitAttempt(HasId, Base):
    """One claim of a unit and what became of it; open while ``ended_at`` is empty.

    Attributes:
        number: Which attempt it was, from 1; starts anew when a person retries.
        cause: Of a failure, one of ``kernel.messages.FailureCause``.
    """

    __tablename__ = "unit_attempts"
    __table_args__ = (UniqueConstraint("unit_id", "fence"),)

    unit_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("units.id", ondelete="CASCADE")
    )
    number: Mapped[int]
    fence: Mapped[int]
    worker: Mapped[str] = mapped_column(String(128))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    outcome: Mapped[AttemptOutcome | None] = mapped_column(short_enum(AttemptOutcome, "outcome"))
    cause: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None]


class WorkerRow(Base):
    """A place where one unit at a time can run, as its worker process last told."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    queues: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    is_draining: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime] = mapped_column(index=True)


class RenditionRow(HasId, Base):
    """A rung or the audio of one job: first as planned, then as measured.

    ``state`` is ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
    """

    __tablename__ = "renditions"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    job_id: Mapped[str] = mapped_column(String(ID_CHARS), ForeignKey("jobs.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(32))
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    codec: Mapped[str] = mapped_column(String(128))
    bitrate_bps: Mapped[int | None]
    state: Mapped[JobState] = mapped_column(short_enum(JobState, "state"), default=JobState.QUEUED)
    reason: Mapped[str] = mapped_column(default="")


class OutboxMessage(HasId, Base):
    """A message that the broker must get; written with the change that asks for it.

    ``claimed_until`` keeps two relays from sending the same row at the same time; at least once.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "due_at"),)

    unit_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("units.id", ondelete="CASCADE"), index=True
    )
    queue: Mapped[str] = mapped_column(String(16))
    payload: Mapped[str]
    due_at: Mapped[datetime]
    claimed_by: Mapped[str | None] = mapped_column(String(ID_CHARS))
    claimed_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
