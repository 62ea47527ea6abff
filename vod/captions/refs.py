"""Caption tracks without their cues, for lists and playlists. One query for any number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.captions.models import CaptionOrigin, CaptionTrack


@dataclass(frozen=True, slots=True)
class TrackRef:
    """What a menu or playlist says about a track."""

    id: str
    lecture_id: str
    language: str
    label: str
    origin: CaptionOrigin
    version: int
    cues_count: int
    is_edited: bool


async def load_refs(
    session: AsyncSession, lecture_ids: Collection[str]
) -> defaultdict[str, list[TrackRef]]:
    """Load the tracks by lecture: what people made first, then in the order they came."""
    refs: defaultdict[str, list[TrackRef]] = defaultdict(list)
    rows = await session.execute(
        select(
            CaptionTrack.id,
            CaptionTrack.lecture_id,
            CaptionTrack.language,
            CaptionTrack.label,
            CaptionTrack.origin,
            CaptionTrack.version,
            CaptionTrack.cues_count,
            CaptionTrack.is_edited,
        )
        .where(CaptionTrack.lecture_id.in_(lecture_ids), CaptionTrack.deleted_at.is_(None))
        .order_by(CaptionTrack.id)
    )
    for row in rows.tuples():
        refs[row[1]].append(TrackRef(*row))
    for tracks in refs.values():
        # A machine's text steps back behind one that a person has looked at.
        tracks.sort(key=lambda ref: ref.origin is CaptionOrigin.AUTOMATIC and not ref.is_edited)
    return refs
