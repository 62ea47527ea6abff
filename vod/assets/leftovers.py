"""Which originals and first publications nobody needs any more. Conditions only, no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select

from vod.assets.models import Asset
from vod.channels.air_rows import is_on_air
from vod.jobs.models import Job
from vod.jobs.policy import JobState
from vod.lectures.models import Lecture
from vod.uploads.models import Upload, UploadState


def has_open_job() -> ColumnElement[bool]:
    """Something is being made of the lecture, and may read what it is made from."""
    return exists().where(
        Job.lecture_id == Lecture.id, Job.state.in_([JobState.QUEUED, JobState.RUNNING])
    )


def has_whole_set(*, before: datetime) -> ColumnElement[bool]:
    """All renditions of what the lecture is made from now are published, for some time."""
    return exists().where(
        or_(Asset.id == Lecture.base_asset_id, Asset.id == Lecture.asset_id),
        Asset.source_version == Lecture.source_version,
        Asset.is_partial.is_(False),
        Asset.published_at <= before,
    )


def select_spent_uploads(
    *, now: datetime, keep: timedelta, keeps_originals: bool, finish_for: timedelta
) -> Select[tuple[str]]:
    """Select the uploaded files that may go.

    Those of lectures that were deleted; those that turned out to be no media; those that another
    file has replaced, once that one is published; and with ``keeps_originals`` off those whose
    lecture is published. One that was marked within ``finish_for`` is deleted once more.
    """
    before = now - keep
    is_deleted = Lecture.deleted_at <= before
    is_no_media = Upload.state == UploadState.REFUSED
    is_replaced = and_(
        or_(Lecture.upload_id.is_(None), Lecture.upload_id != Upload.id),
        has_whole_set(before=before),
        ~has_open_job(),
    )
    is_unneeded = (
        false()
        if keeps_originals
        else and_(Lecture.upload_id == Upload.id, has_whole_set(before=before), ~has_open_job())
    )
    return (
        select(Upload.id)
        .join(Lecture, Lecture.id == Upload.lecture_id)
        .where(
            Upload.state.in_([UploadState.DONE, UploadState.REFUSED]),
            Upload.finished_at <= before,
            or_(is_deleted, is_no_media, is_replaced, is_unneeded),
            or_(Upload.bytes_deleted_at.is_(None), Upload.bytes_deleted_at > now - finish_for),
        )
        .order_by(Upload.id)
    )


def select_first_sets(
    *, before: datetime, finish_for: timedelta
) -> Select[tuple[str, str, str | None]]:
    """Select the jobs whose first, partial publication the whole set has replaced for long."""
    return (
        select(Job.id, Job.asset_id, Job.plan_hash)
        .join(Asset, Asset.id == Job.asset_id)
        .where(
            Job.plan_hash.is_not(None),
            ~is_on_air(Job.asset_id, before),
            Asset.is_partial.is_(False),
            Asset.published_at <= before,
            Asset.published_at > before - finish_for,
        )
        .order_by(Asset.published_at)
    )
