"""``/lectures/{id}/documents`` of the API: papers go out as downloads, never as pages of ours."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated, BinaryIO, Final
from urllib.parse import quote

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field
from sqlalchemy import func, select

from kernel.blobs.web import serve_blob
from kernel.errors import ConflictError, InputError, NotFoundError
from kernel.ids import new_id
from vod.audit.service import record
from vod.http.keys import BLOBS, CLOCK
from vod.http.origin import read_origin
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.lectures.service import load_lecture
from vod.library.documents.kinds import find_kind
from vod.library.models import LectureDocument
from vod.library.parts import build_document
from vod.library.types import Document
from vod.material.access import load_for_change, require_change
from vod.uploads.wishes import clean_filename

MAX_DOCUMENT_BYTES: Final = 50 * 1024 * 1024  # A scanned book of 300 pages.
MAX_DOCUMENTS: Final = 50  # Of one lecture.
HEAD_BYTES: Final = 16  # Enough to tell the kinds apart.


def build_document_key(lecture_id: str, document_id: str) -> str:
    return f"library/documents/{lecture_id}/{document_id}"


class DocumentsView(ApiView):
    async def post(
        self,
        lecture_id: str,
        /,
        filename: Annotated[str, Field(min_length=1, max_length=255, description="For people")],
    ) -> r201[Document]:
        """Add a paper: the body is the file as it is; PDF, office files, plain text, pictures.

        Tags: lectures
        Status Codes:
            201: Added.
            409: The lecture has too many already.
            413: More than 50 MB.
            415: Of a kind that is not allowed, or not what its name says.
        """
        require_id(lecture_id, "lecture")
        await require_change(self.database, lecture_id, self.viewer)
        return await self._receive(lecture_id, clean_filename(filename))

    async def _receive(self, lecture_id: str, name: str) -> web.Response:
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="document-")
        try:
            path = Path(folder.name) / "file"
            size_bytes, head = await self._save(path)
            kind = find_kind(name, head)
            document_id = new_id()
            key = build_document_key(lecture_id, document_id)
            await self.request.app[BLOBS].put_file(key, path, content_type=kind)
        finally:
            await asyncio.to_thread(folder.cleanup)
        now = self.request.app[CLOCK].now()
        async with self.database.write() as session:
            await load_for_change(session, lecture_id, self.viewer)
            is_of_lecture = LectureDocument.lecture_id == lecture_id
            count, last = (
                await session.execute(
                    select(func.count(), func.max(LectureDocument.position)).where(is_of_lecture)
                )
            ).one()
            if count >= MAX_DOCUMENTS:
                raise ConflictError("too many documents", title_zh="这门课程的资料已达 50 份")
            row = LectureDocument(
                id=document_id,
                lecture_id=lecture_id,
                filename=name,
                content_type=kind,
                size_bytes=size_bytes,
                position=0 if last is None else last + 1,
                created_at=now,
            )
            session.add(row)
            record(
                session,
                now=now,
                actor_id=self.viewer.account_id,
                action="document.added",
                object_type="lecture",
                object_id=lecture_id,
                filename=name,
            )
        return respond(build_document(row, read_origin(self.request)), status=201)

    async def _save(self, path: Path) -> tuple[int, bytes]:
        declared = self.request.content_length
        if declared is not None and declared > MAX_DOCUMENT_BYTES:
            raise _too_large()
        size_bytes, head = 0, b""
        file: BinaryIO = await asyncio.to_thread(path.open, "wb")
        try:
            async for chunk in self.request.content.iter_chunked(256 * 1024):
                size_bytes += len(chunk)
                if size_bytes > MAX_DOCUMENT_BYTES:
                    raise _too_large()
                head = (head + chunk[:HEAD_BYTES])[:HEAD_BYTES]
                await asyncio.to_thread(file.write, chunk)
        finally:
            await asyncio.to_thread(file.close)
        if size_bytes == 0:
            raise InputError("the file is empty", status=422, title_zh="文件是空的")
        return size_bytes, head


def _too_large() -> InputError:
    return InputError(
        f"more than {MAX_DOCUMENT_BYTES} bytes", status=413, title_zh="文件太大,最大 50 MB"
    )


class DocumentView(ApiView):
    async def get(self, lecture_id: str, document_id: str, /) -> r200:
        """Download a paper, as far as one may see its lecture.

        Tags: lectures
        """
        require_id(lecture_id, "lecture")
        require_id(document_id, "document")
        async with self.database.read() as session:
            await load_lecture(session, lecture_id, self.viewer)
            row = await session.get(LectureDocument, document_id)
        if row is None or row.lecture_id != lecture_id:
            raise NotFoundError("no such document")
        return await serve_blob(
            self.request,
            self.request.app[BLOBS],
            build_document_key(lecture_id, document_id),
            content_type=row.content_type,
            cache_control="private, no-cache",
            headers={
                # Kept, never shown: what somebody sent must not run as a page of ours.
                "Content-Disposition": build_disposition(row.filename),
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def delete(self, lecture_id: str, document_id: str, /) -> r204:
        """Remove a paper.

        Tags: lectures
        Status Codes:
            204: Removed.
        """
        require_id(lecture_id, "lecture")
        require_id(document_id, "document")
        now = self.request.app[CLOCK].now()
        async with self.database.write() as session:
            await load_for_change(session, lecture_id, self.viewer)
            row = await session.get(LectureDocument, document_id)
            if row is None or row.lecture_id != lecture_id:
                raise NotFoundError("no such document")
            await session.delete(row)
            record(
                session,
                now=now,
                actor_id=self.viewer.account_id,
                action="document.removed",
                object_type="lecture",
                object_id=lecture_id,
                filename=row.filename,
            )
        await self.request.app[BLOBS].delete(build_document_key(lecture_id, document_id))
        return respond_empty()


def build_disposition(filename: str) -> str:
    """Build the header that saves a file under its name. RFC 6266 §4.3, RFC 8187."""
    return f"attachment; filename=\"document\"; filename*=UTF-8''{quote(filename, safe='')}"


ROUTES: Final = (
    web.view("/api/v1/lectures/{lecture_id}/documents", DocumentsView),
    web.view("/api/v1/lectures/{lecture_id}/documents/{document_id}", DocumentView),
)
