"""Read and change the chapters of a lecture. Owns its transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import structlog
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.blobs.port import BlobStore
from kernel.errors import DependencyError, InputError
from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.audit.service import record
from vod.chapters import schemas
from vod.chapters.policy import (
    Chapter,
    check_chapters,
    choose_suggestions,
    pack_chapters,
    read_chapters,
)
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.lectures.service import load_lecture
from vod.material.access import load_for_change, load_owner_ids, may_change_material
from vod.material.imports import ensure_material
from vod.material.models import Material
from vod.material.timeline import find_folder, to_ms

MAX_SLIDES_BYTES: Final = 1024 * 1024  # A change every second of 10 h is 1.5 MB; nobody teaches so.

log = structlog.get_logger(__name__)


class _Slide(BaseModel):
    start_s: Annotated[float, Field(allow_inf_nan=False)]
    confidence: Annotated[float, Field(allow_inf_nan=False)] = 0.0


class _Slides(BaseModel):
    """``slides.json`` of an asset, in uncut time."""

    slides: list[_Slide]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a PUT led to: the chapters as they are now, and whether they took the change."""

    chapters: schemas.Chapters
    is_saved: bool


async def load_chapters(session: AsyncSession, lecture_id: str) -> tuple[tuple[Chapter, ...], int]:
    """Load the chapters in uncut time and their version; version 0 has none."""
    row = (
        await session.execute(
            select(Material.chapters, Material.chapters_version).where(
                Material.lecture_id == lecture_id
            )
        )
    ).one_or_none()
    return ((), 0) if row is None else (read_chapters(row[0]), row[1])


async def read_for_viewer(
    database: Database, blobs: BlobStore, *, lecture_id: str, viewer: Viewer
) -> schemas.Chapters:
    """Read the chapters; whoever may change them also gets suggestions.

    Raises:
        NotFoundError: No such lecture, or the viewer may not know of it.
    """
    async with database.read() as session:
        lecture = await load_lecture(session, lecture_id, viewer)
        chapters, version = await load_chapters(session, lecture_id)
        owners = await load_owner_ids(session, [lecture])
        if not may_change_material(viewer, owners[lecture_id]):
            return _present(chapters, version)
        key = await _find_slides(session, lecture)
    slides = [] if key is None else await _read_slides(blobs, key)
    suggestions = choose_suggestions(
        ((slide.start_s, slide.confidence) for slide in slides),
        chapters=chapters,
        duration_ms=to_ms(lecture.duration_ticks),
    )
    return _present(chapters, version, suggestions)


async def _find_slides(session: AsyncSession, lecture: Lecture) -> str | None:
    """Where the slide changes of the asset lie that plays, or of the uncut one behind it."""
    ids = [name for name in (lecture.base_asset_id, lecture.asset_id) if name is not None]
    assets = await session.scalars(
        select(Asset).where(Asset.id.in_(ids), Asset.lecture_id == lecture.id)
    )
    by_id = {asset.id: asset for asset in assets}
    for asset_id in ids:
        asset = by_id.get(asset_id)
        names = asset.report.get("files", {}).get("slides", ()) if asset else ()
        if asset is not None and names:
            return find_folder(asset) + str(names[0])
    return None


async def _read_slides(blobs: BlobStore, key: str) -> list[_Slide]:
    """Read a list of slide changes; without one there are no suggestions, which hurts nobody."""
    try:
        data = await blobs.get_bytes(key, limit_bytes=MAX_SLIDES_BYTES)
        return _Slides.model_validate_json(data).slides
    except (DependencyError, InputError, ValidationError) as error:
        log.warning("slides_unreadable", key=key, detail=str(error))
        return []


def _present(
    chapters: tuple[Chapter, ...],
    version: int,
    suggestions: tuple[tuple[int, float], ...] = (),
) -> schemas.Chapters:
    return schemas.Chapters(
        chapters=[schemas.Chapter(start_s=start / 1000, title=title) for start, title in chapters],
        version=version,
        suggestions=[
            schemas.Suggestion(
                start_s=start / 1000, title=f"幻灯片 {number}", confidence=confidence
            )
            for number, (start, confidence) in enumerate(suggestions, 1)
        ],
    )


async def change_chapters(
    database: Database,
    wanted: schemas.ChaptersChange,
    *,
    lecture_id: str,
    viewer: Viewer,
    now: datetime,
) -> Saved:
    """Save all chapters if nobody else saved meanwhile: one conditional UPDATE.

    Raises:
        InputError: 422 naming the chapter that cannot be.
        NotFoundError, NotAllowedError, NotSignedInError: As ``load_for_change`` says.
    """
    chapters = check_chapters((chapter.start_s, chapter.title) for chapter in wanted.chapters)
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        await ensure_material(session, lecture_id, now=now)
        statement = update(Material).where(
            Material.lecture_id == lecture_id, Material.chapters_version == wanted.version
        )
        is_saved = (
            await change(
                session,
                statement.values(
                    chapters=pack_chapters(chapters),
                    chapters_version=wanted.version + 1,
                    are_chapters_edited=True,
                    changed_at=now,
                ),
            )
            == 1
        )
        current, version = await load_chapters(session, lecture_id)
        if is_saved:
            record(
                session,
                now=now,
                actor_id=viewer.account_id,
                action="chapters.changed",
                object_type="lecture",
                object_id=lecture_id,
                version=version,
                count=len(current),
            )
        return Saved(_present(current, version), is_saved)
