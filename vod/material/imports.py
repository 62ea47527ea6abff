"""Take over what a file brought: facts about it, chapters, captions. Once per source version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.captions import Cue, repair_cues, split_for_width
from kernel.errors import InputError
from kernel.messages import EmbeddedCaptions, EmbeddedCue, PlanReport, TranscriptReport
from kernel.timing import TICKS_PER_S
from vod.captions.languages import UNKNOWN, name_language, read_language
from vod.captions.models import CaptionOrigin, CaptionTrack
from vod.captions.service import MAX_TRACKS, NewTrack, add_track, bury_tracks, load_labels
from vod.chapters.policy import clean_embedded, pack_chapters
from vod.db.upsert import insert_if_absent
from vod.jobs.models import Job
from vod.jobs.planning import EDIT_LECTURE, TRANSCODE_UPLOAD
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.material.models import Material

log = structlog.get_logger(__name__)


async def import_plan(
    session: AsyncSession, job: Job, report: PlanReport, *, now: datetime
) -> None:
    """Keep what a planning unit found; the caller holds the locks of lecture and job.

    The same plan again, one of an older source, and a plan of an edit change nothing. What people
    have edited stays; what an older file had brought and nobody touched goes with it.
    """
    if job.kind == EDIT_LECTURE:
        return
    await ensure_material(session, job.lecture_id, now=now)
    await _keep_source(session, job, report, now=now)
    is_first = update(Material).where(
        Material.lecture_id == job.lecture_id, Material.imported_version < job.source_version
    )
    if await change(session, is_first.values(imported_version=job.source_version)) != 1:
        return
    if job.kind != TRANSCODE_UPLOAD:
        return  # A recording brings nothing, and what was made for its beginning still holds.
    await _replace_chapters(session, job, report, now=now)
    await _bury_imported(session, job.lecture_id, now=now)
    prepared = await asyncio.to_thread(prepare_tracks, report.captions, job.source_version)
    labels = await load_labels(session, job.lecture_id)
    for new in prepared[: MAX_TRACKS - len(labels)]:
        await add_track(session, new, lecture_id=job.lecture_id, now=now)


async def ensure_material(session: AsyncSession, lecture_id: str, *, now: datetime) -> None:
    """Make the lecture's row if there is none."""
    values = {
        "lecture_id": lecture_id,
        "chapters": [],
        "chapters_version": 0,
        "are_chapters_edited": False,
        "imported_version": 0,
        "changed_at": now,
    }
    await insert_if_absent(session, Material, values, conflict="lecture_id")


async def _keep_source(
    session: AsyncSession, job: Job, report: PlanReport, *, now: datetime
) -> None:
    if report.source is None:
        return
    statement = update(Material).where(
        Material.lecture_id == job.lecture_id,
        or_(Material.source_version.is_(None), Material.source_version <= job.source_version),
    )
    facts = report.source.model_dump(mode="json")
    await change(
        session,
        statement.values(source=facts, source_version=job.source_version, changed_at=now),
    )
    # Its length is known long before the first rendition is; what plays already says its own.
    await change(
        session,
        update(Lecture)
        .where(
            Lecture.id == job.lecture_id,
            Lecture.source_version == job.source_version,
            Lecture.asset_id.is_(None),
            Lecture.recording_version.is_(None),
        )
        .values(duration_ticks=round(report.source.duration_s * TICKS_PER_S)),
    )


async def _replace_chapters(
    session: AsyncSession, job: Job, report: PlanReport, *, now: datetime
) -> None:
    chapters = clean_embedded((chapter.start_s, chapter.title) for chapter in report.chapters)
    statement = update(Material).where(
        Material.lecture_id == job.lecture_id, Material.are_chapters_edited.is_(False)
    )
    await change(
        session,
        statement.values(
            chapters=pack_chapters(chapters),
            chapters_version=Material.chapters_version + 1,
            changed_at=now,
        ),
    )


async def _bury_imported(session: AsyncSession, lecture_id: str, *, now: datetime) -> None:
    """Take away what belongs to an older file: tracks that came by themselves and stayed so."""
    ids = await session.scalars(
        select(CaptionTrack.id).where(
            CaptionTrack.lecture_id == lecture_id,
            CaptionTrack.import_key.is_not(None),
            CaptionTrack.is_edited.is_(False),
            CaptionTrack.deleted_at.is_(None),
        )
    )
    if found := ids.all():
        await bury_tracks(session, found, now=now)


def prepare_tracks(captions: Iterable[EmbeddedCaptions], source_version: int) -> list[NewTrack]:
    """Build tracks from what a file had embedded. Pure; one that cannot be kept is left out."""
    tracks = []
    for number, embedded in enumerate(captions):
        cues = _read_cues(embedded.cues)
        if cues:
            language = _read_language(embedded.language)
            key = f"embedded-{source_version}-{number}"
            tracks.append(NewTrack(cues, language, embedded.label, CaptionOrigin.EMBEDDED, key))
    return tracks


def _read_cues(cues: Iterable[EmbeddedCue]) -> tuple[Cue, ...]:
    try:
        return split_for_width(repair_cues(Cue(c.start_ms, c.end_ms, c.text) for c in cues))
    except InputError as error:
        log.warning("captions_left_out", detail=str(error))
        return ()


def _read_language(text: str) -> str:
    try:
        return read_language(text)
    except InputError:
        log.info("language_unknown", language=text)
        return UNKNOWN


async def import_transcript(
    session: AsyncSession, job: Job, report: TranscriptReport, *, now: datetime
) -> None:
    """Keep what a machine heard as a track; an unedited older one of that language goes.

    The caller holds the locks of lecture and job. A transcript of an older source is dropped.
    """
    current = await session.scalar(
        select(Lecture.source_version).where(Lecture.id == job.lecture_id)
    )
    cues = await asyncio.to_thread(_read_cues, report.cues)
    if current != job.source_version or not cues:
        log.info("transcript_dropped", lecture_id=job.lecture_id, cues_count=len(cues))
        return
    language = _read_language(report.language)
    key = f"automatic-{job.id}"
    older = await session.scalars(
        select(CaptionTrack.id).where(
            CaptionTrack.lecture_id == job.lecture_id,
            CaptionTrack.origin == CaptionOrigin.AUTOMATIC,
            CaptionTrack.language == language,
            CaptionTrack.is_edited.is_(False),
            CaptionTrack.deleted_at.is_(None),
        )
    )
    await bury_tracks(session, older.all(), now=now)
    if len(await load_labels(session, job.lecture_id)) >= MAX_TRACKS:
        log.warning("transcript_dropped", lecture_id=job.lecture_id, reason="too many tracks")
        return
    label = f"{name_language(language)}(自动生成)"  # Viewers shall know that nobody checked it.
    new = NewTrack(cues, language, label, CaptionOrigin.AUTOMATIC, key)
    await add_track(session, new, lecture_id=job.lecture_id, now=now)
