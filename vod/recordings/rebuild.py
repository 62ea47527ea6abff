"""Bring a lost recording back from the journal that lies beside its segments."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select

from kernel.blobs.port import BlobStore
from kernel.errors import InputError, NotFoundError
from kernel.layout import journal_key
from kernel.messages import BroadcastEnded
from vod.classes.models import LiveClass
from vod.db.engine import Database
from vod.jobs.planning import plan_recording
from vod.recordings.journal import JournalRecording, read_journal
from vod.recordings.service import record_end

MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024  # 10 h of parts are ~10 MB.

log = structlog.get_logger(__name__)


async def rebuild_from_journal(blobs: BlobStore, broadcast_id: str) -> JournalRecording:
    """Read the newest finished recording of a broadcast from the blob store.

    Raises:
        BlobMissingError: There is no journal.
        InputError: It is another broadcast's, or tells of no finished recording.
    """
    data = await blobs.get_bytes(journal_key(broadcast_id), limit_bytes=MAX_JOURNAL_BYTES)
    recording = await asyncio.to_thread(read_journal, data)
    if recording.index.broadcast_id != broadcast_id:
        raise InputError("the journal belongs to another broadcast")
    return recording


async def restore_recording(
    database: Database, blobs: BlobStore, broadcast_id: str, *, now: datetime
) -> str | None:
    """Make the class's lecture from the journal, as if the broadcast had ended just now.

    The journal is stored after the last segment, so the recording is complete and its job is
    started too. Idempotent. Returns the lecture's id; ``None`` when nothing was recorded.

    Raises:
        NotFoundError: No class has this broadcast.
        BlobMissingError, InputError: See :func:`rebuild_from_journal`.
    """
    found = await rebuild_from_journal(blobs, broadcast_id)
    event = BroadcastEnded(
        event_id=f"journal-{broadcast_id}-{found.version}",
        broadcast_id=broadcast_id,
        at=found.ended_at,
        recording_version=found.version,
        index=found.index,
    )
    async with database.write() as session:
        live_class = await session.scalar(
            select(LiveClass).where(LiveClass.broadcast_id == broadcast_id).with_for_update()
        )
        if live_class is None:
            raise NotFoundError("no class has this broadcast")
        lecture = await record_end(session, event, live_class)
        if lecture is None or lecture.deleted_at is not None:
            return None
        await plan_recording(
            session, lecture_id=lecture.id, recording_version=found.version, now=now
        )
        log.info("recording_restored", broadcast_id=broadcast_id, version=found.version)
        return lecture.id
