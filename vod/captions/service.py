"""Add, read, change and delete caption tracks. Owns its transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.captions import Cue, check_cues, parse_captions, split_for_width
from kernel.errors import ConflictError, NotFoundError
from kernel.ids import new_id
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.captions import schemas
from vod.captions.languages import choose_label, read_language
from vod.captions.models import CaptionOrigin, CaptionTrack
from vod.db.engine import Database
from vod.jobs.queries import change, lock_lecture
from vod.lectures.service import load_lecture
from vod.material.access import load_for_change

MAX_TRACKS: Final = 24  # Per lecture: more than any menu shows; caps what one playlist lists.


@dataclass(frozen=True, slots=True)
class NewTrack:
    """A track that is to be added."""

    cues: tuple[Cue, ...]
    language: str
    label: str
    origin: CaptionOrigin
    import_key: str | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a PUT led to: the track as it is now, and whether it took the change."""

    captions: schemas.Captions
    is_saved: bool


def pack_cues(cues: Iterable[Cue]) -> list[list[Any]]:
    """Cues as the table keeps them."""
    return [[cue.start_ms, cue.end_ms, cue.text] for cue in cues]


def unpack_cues(rows: Iterable[Sequence[Any]]) -> tuple[Cue, ...]:
    """Cues from the table."""
    return tuple(Cue(start, end, text) for start, end, text in rows)


def present_captions(track: CaptionTrack) -> schemas.Captions:
    """Build the answer for editing."""
    return schemas.Captions(
        id=track.id,
        language=track.language,
        label=track.label,
        origin=track.origin,
        is_edited=track.is_edited,
        version=track.version,
        cues=[schemas.CueView(start_ms=s, end_ms=e, text=text) for s, e, text in track.cues],
    )


def prepare_upload(data: bytes, filename: str) -> tuple[Cue, ...]:
    """Read a subtitle file and break its lines for the screen. Pure; up to a second for 5 MB.

    Raises:
        InputError: With a sentence for whoever sent it.
    """
    return split_for_width(parse_captions(data, filename))


async def upload_track(
    database: Database,
    data: bytes,
    *,
    lecture_id: str,
    filename: str,
    language: str,
    label: str,
    viewer: Viewer,
    now: datetime,
) -> schemas.Captions:
    """Add a track from a subtitle file.

    Raises:
        InputError: It is no subtitle file, or ``language`` is no tag.
        NotFoundError, NotAllowedError, NotSignedInError: As ``load_for_change`` says.
        ConflictError: The lecture has ``MAX_TRACKS`` already.
    """
    cues = await asyncio.to_thread(prepare_upload, data, filename)
    new = NewTrack(cues, read_language(language), label, CaptionOrigin.UPLOADED)
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        await lock_lecture(session, lecture_id)
        track = await add_track(session, new, lecture_id=lecture_id, now=now)
        _record(session, "captions.uploaded", track, viewer=viewer, now=now)
    return await asyncio.to_thread(present_captions, track)


async def add_track(
    session: AsyncSession, new: NewTrack, *, lecture_id: str, now: datetime
) -> CaptionTrack:
    """Insert a track; the caller holds the lecture's lock.

    Raises:
        ConflictError: The lecture has ``MAX_TRACKS`` already.
    """
    labels = await load_labels(session, lecture_id)
    if len(labels) >= MAX_TRACKS:
        raise ConflictError(
            f"a lecture has at most {MAX_TRACKS} caption tracks",
            title_zh=f"一节课最多 {MAX_TRACKS} 条字幕,请先删除不用的",
        )
    track = CaptionTrack(
        id=new_id(),
        lecture_id=lecture_id,
        language=new.language,
        label=choose_label(new.label, new.language, labels),
        origin=new.origin,
        version=1,
        cues=pack_cues(new.cues),
        cues_count=len(new.cues),
        is_edited=False,
        import_key=new.import_key,
        created_at=now,
        changed_at=now,
    )
    session.add(track)
    await session.flush()
    return track


async def load_labels(
    session: AsyncSession, lecture_id: str, *, without_id: str = ""
) -> Collection[str]:
    """Labels of the lecture's tracks."""
    query = select(CaptionTrack.label).where(
        CaptionTrack.lecture_id == lecture_id,
        CaptionTrack.deleted_at.is_(None),
        CaptionTrack.id != without_id,
    )
    return list(await session.scalars(query))


async def load_track(session: AsyncSession, lecture_id: str, caption_id: str) -> CaptionTrack:
    """Load a track as it is now.

    Raises:
        NotFoundError: The lecture has no such track.
    """
    track: CaptionTrack | None = await session.scalar(
        select(CaptionTrack)
        .where(
            CaptionTrack.id == caption_id,
            CaptionTrack.lecture_id == lecture_id,
            CaptionTrack.deleted_at.is_(None),
        )
        .execution_options(populate_existing=True)
    )
    if track is None:
        raise NotFoundError("no such captions", title_zh="没有这条字幕,可能已被删除")
    return track


async def read_track(
    database: Database, lecture_id: str, caption_id: str, viewer: Viewer
) -> schemas.Captions:
    """Read a track for whoever may see the lecture.

    Raises:
        NotFoundError: No such lecture or track.
    """
    async with database.read() as session:
        await load_lecture(session, lecture_id, viewer)
        track = await load_track(session, lecture_id, caption_id)
    return await asyncio.to_thread(present_captions, track)


async def change_track(
    database: Database,
    wanted: schemas.CaptionsChange,
    *,
    lecture_id: str,
    caption_id: str,
    viewer: Viewer,
    now: datetime,
) -> Saved:
    """Save what was edited if nobody else saved meanwhile: one conditional UPDATE.

    Raises:
        InputError: 422 naming the cue that cannot be.
        NotFoundError, NotAllowedError, NotSignedInError: As ``load_for_change`` says.
    """
    cues = await asyncio.to_thread(_read_cues, wanted)
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        await lock_lecture(session, lecture_id)  # Labels are unique in the lecture.
        track = await load_track(session, lecture_id, caption_id)
        language = track.language if wanted.language is None else read_language(wanted.language)
        label = wanted.label or track.label
        if label != track.label:
            others = await load_labels(session, lecture_id, without_id=caption_id)
            label = choose_label(label, language, others)
        statement = (
            update(CaptionTrack)
            .where(
                CaptionTrack.id == caption_id,
                CaptionTrack.version == wanted.version,
                CaptionTrack.deleted_at.is_(None),
            )
            .values(
                cues=cues,
                cues_count=len(cues),
                language=language,
                label=label,
                version=wanted.version + 1,
                is_edited=True,
                changed_at=now,
            )
        )
        is_saved = await change(session, statement) == 1
        track = await load_track(session, lecture_id, caption_id)
        if is_saved:
            _record(session, "captions.changed", track, viewer=viewer, now=now)
    return Saved(await asyncio.to_thread(present_captions, track), is_saved)


def _read_cues(wanted: schemas.CaptionsChange) -> list[list[Any]]:
    return pack_cues(check_cues([Cue(c.start_ms, c.end_ms, c.text) for c in wanted.cues]))


async def delete_track(
    database: Database, *, lecture_id: str, caption_id: str, viewer: Viewer, now: datetime
) -> None:
    """Delete a track; its row stays, so that an import does not bring it back.

    Raises:
        NotFoundError, NotAllowedError, NotSignedInError: As ``load_for_change`` says.
    """
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        track = await load_track(session, lecture_id, caption_id)
        await bury_tracks(session, [caption_id], now=now)
        _record(session, "captions.deleted", track, viewer=viewer, now=now)


async def bury_tracks(session: AsyncSession, ids: Collection[str], *, now: datetime) -> None:
    """Empty and hide tracks."""
    await change(
        session,
        update(CaptionTrack)
        .where(CaptionTrack.id.in_(ids))
        .values(deleted_at=now, cues=[], cues_count=0),
    )


def _record(
    session: AsyncSession, action: str, track: CaptionTrack, *, viewer: Viewer, now: datetime
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="lecture",
        object_id=track.lecture_id,
        captions=track.id,
        label=track.label,
        language=track.language,
        version=track.version,
    )
