"""Choose a poster or upload one. Owns its transactions."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.blobs.port import BlobStore
from kernel.errors import NotFoundError
from kernel.ids import new_id
from kernel.layout import poster_key
from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.audit.service import record
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.material.access import load_for_change
from vod.material.imports import ensure_material
from vod.material.models import Material
from vod.posters.choice import OWN, list_options
from vod.posters.models import OwnPoster
from vod.posters.picture import Picture, clean_picture_blocking

HASH_CHARS: Final = 32  # Of a picture's file name; 128 bits never meet.


class PictureDecoder:
    """Decodes one picture at a time in a thread of its own: 40 megapixels are 120 MB."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")

    async def clean(self, data: bytes) -> Picture:
        """See :func:`clean_picture_blocking`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, clean_picture_blocking, data)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


async def load_own_names(
    session: AsyncSession, lecture_ids: Collection[str]
) -> defaultdict[str, list[str]]:
    """Load the names of the uploaded pictures in use, by lecture."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    rows = await session.execute(
        select(OwnPoster.lecture_id, OwnPoster.name)
        .where(OwnPoster.lecture_id.in_(lecture_ids), OwnPoster.retired_at.is_(None))
        .order_by(OwnPoster.id)
    )
    for lecture_id, name in rows.tuples():
        names[lecture_id].append(name)
    return names


async def choose_candidate(
    database: Database, name: str, *, lecture_id: str, viewer: Viewer, now: datetime
) -> None:
    """Show one of the pictures that ``Lecture.posters`` lists.

    Raises:
        NotFoundError: No such lecture, or it has no such picture any more.
        NotAllowedError, NotSignedInError: As ``load_for_change`` says.
    """
    async with database.write() as session:
        lecture = await load_for_change(session, lecture_id, viewer)
        asset = None if lecture.asset_id is None else await session.get(Asset, lecture.asset_id)
        own = await load_own_names(session, [lecture_id])
        if name not in {option.name for option in list_options(asset, own[lecture_id])}:
            raise NotFoundError("no such poster", title_zh="没有这张封面,请刷新后再选")
        is_own = name.startswith(OWN)
        await _choose(
            session,
            lecture_id,
            name,
            source_version=None if is_own or asset is None else asset.source_version,
            viewer=viewer,
            now=now,
        )


async def upload_poster(
    database: Database,
    blobs: BlobStore,
    picture: Picture,
    *,
    lecture_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Show an own picture; the one uploaded before it goes after the grace period.

    The file is stored before the row says so: what fails in between leaves an orphan, never a row
    without a file.

    Raises:
        NotFoundError, NotAllowedError, NotSignedInError: As ``load_for_change`` says.
        DependencyError: The store failed; retryable.
    """
    poster_id = new_id()
    # Never the same name twice, so that removing an old one cannot hit a new one.
    digest = hashlib.sha256(poster_id.encode() + picture.data).hexdigest()
    name = digest[:HASH_CHARS] + ".jpg"
    key = poster_key(lecture_id, name)
    await blobs.put_bytes(key, picture.data, content_type="image/jpeg")
    async with database.write() as session:
        await load_for_change(session, lecture_id, viewer)
        await change(
            session,
            update(OwnPoster)
            .where(OwnPoster.lecture_id == lecture_id, OwnPoster.retired_at.is_(None))
            .values(retired_at=now),
        )
        session.add(
            OwnPoster(
                id=poster_id,
                lecture_id=lecture_id,
                name=name,
                width_px=picture.width_px,
                height_px=picture.height_px,
                size_bytes=len(picture.data),
                created_at=now,
            )
        )
        await _choose(session, lecture_id, OWN + name, source_version=None, viewer=viewer, now=now)


async def _choose(
    session: AsyncSession,
    lecture_id: str,
    name: str,
    *,
    source_version: int | None,
    viewer: Viewer,
    now: datetime,
) -> None:
    await ensure_material(session, lecture_id, now=now)
    await change(
        session,
        update(Material)
        .where(Material.lecture_id == lecture_id)
        .values(poster_name=name, poster_source_version=source_version, changed_at=now),
    )
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action="poster.chosen",
        object_type="lecture",
        object_id=lecture_id,
        name=name,
    )
