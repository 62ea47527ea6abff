"""Keep what a broadcast left behind, and make the one lecture of its class from it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InputError
from kernel.messages import BroadcastEnded
from kernel.recording import RecordingIndex
from vod.classes.models import LiveClass
from vod.jobs.planning import cancel_jobs
from vod.lectures.models import Lecture, LectureState
from vod.recordings.models import Recording
from vod.series.entries import append_lecture


async def record_end(
    session: AsyncSession, event: BroadcastEnded, live_class: LiveClass
) -> Lecture | None:
    """Store the recording and make or update the class's only lecture: playable from now on.

    Idempotent by (broadcast, version). A version older than what the lecture plays changes
    nothing; a newer one takes the replay back to the recording until its own renditions are made.
    A lecture whose file an editor has replaced keeps that file.

    Returns:
        The lecture; ``None`` when nothing was recorded and there is none.

    Raises:
        InputError: 422; the index is about another broadcast.
    """
    if event.index.broadcast_id != event.broadcast_id:
        raise InputError("the index is about another broadcast", field="index", status=422)
    lecture: Lecture | None = await session.scalar(
        select(Lecture).where(Lecture.live_class_id == live_class.id).with_for_update()
    )
    if event.index.segments_count == 0:
        return lecture
    if lecture is None:
        lecture = _build_lecture(event, live_class)
        session.add(lecture)
        await session.flush()
        if live_class.series_id is not None:
            await append_lecture(session, live_class.series_id, lecture.id)
    is_known = await session.scalar(
        select(Recording.id).where(
            Recording.broadcast_id == event.broadcast_id,
            Recording.version == event.recording_version,
        )
    )
    if is_known is None:
        session.add(_build_recording(event, lecture.id))
    is_newer = event.recording_version > (lecture.recording_version or 0)
    if is_newer and lecture.upload_id is None:
        lecture.recording_version = event.recording_version
        lecture.source_version = max(lecture.source_version + 1, event.recording_version)
        lecture.duration_ticks = event.index.duration_ticks
        lecture.recorded_at = _find_start(event.index)
        if lecture.base_asset_id is None:
            lecture.state = LectureState.PLAYABLE
            lecture.asset_id = None
        # Else a cut plays on until the longer recording is cut, too: what an editor took out must
        # not come back. What is still made of the shorter one could not be published any more.
        await cancel_jobs(session, lecture.id, reason="这堂课有了更新的录制", now=event.at)
    await session.flush()
    return lecture


def _build_lecture(event: BroadcastEnded, live_class: LiveClass) -> Lecture:
    return Lecture(
        title=live_class.title,
        description=live_class.description,
        visibility=live_class.visibility,
        state=LectureState.PLAYABLE,
        live_class_id=live_class.id,
        duration_ticks=0,
        source_version=0,
        created_at=event.at,
        published_at=event.at,
    )


def _build_recording(event: BroadcastEnded, lecture_id: str) -> Recording:
    return Recording(
        broadcast_id=event.broadcast_id,
        lecture_id=lecture_id,
        version=event.recording_version,
        index_json=event.index.model_dump_json(),
        duration_ticks=event.index.duration_ticks,
        ended_at=event.at,
    )


def _find_start(index: RecordingIndex) -> datetime:
    return min(epoch.program_date_time for epoch in index.epochs)
