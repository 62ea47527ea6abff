"""``/uploads`` of the API: tus 1.0 for the bytes, JSON for people.

Spec: https://tus.io/protocols/resumable-upload. Every answer carries ``Tus-Resumable`` (set in
:func:`add_tus_header`).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import NotAllowedError
from vod.http.keys import UPLOADS
from vod.http.pagination import PageQuery, page_members
from vod.http.view import ApiView, require_id, respond
from vod.uploads import queries, schemas, tus
from vod.uploads.bodies import build_too_long, receive_body
from vod.uploads.digest import DIGEST_PATTERN
from vod.uploads.models import Upload, UploadState
from vod.uploads.policy import may_upload
from vod.uploads.service import NewUpload, Uploads
from vod.uploads.wishes import read_wish

PREFIX: Final = "/api/v1/uploads"
_OVERRIDES: Final = frozenset({"PATCH", "DELETE"})


class _UploadBase(ApiView):
    @property
    def uploads(self) -> Uploads:
        return self.request.app[UPLOADS]

    def require_uploader(self) -> str:
        account_id = self.require_account()
        if not may_upload(self.viewer):
            raise NotAllowedError("only instructors, editors and administrators upload")
        return account_id

    async def take_body(self, upload_id: str, *, offset: int) -> int:
        """Receive the body of this request; return the offset after it."""
        checksum = tus.parse_checksum(self.request.headers)
        length = self.request.content_length
        async with self.uploads.receive(
            upload_id, self.viewer, offset=offset, is_checked=checksum is not None
        ) as receiver:
            if length is not None and length > receiver.left_bytes:
                raise build_too_long(receiver)
            end = await receive_body(self.request, receiver, checksum)
        await self.uploads.finish_if_complete(upload_id)
        return end

    async def respond_offset(self, upload_id: str, offset: int, **headers: str) -> web.Response:
        upload = await self.uploads.load(upload_id, self.viewer)
        status = 201 if "Location" in headers else 204
        members = {tus.OFFSET: str(offset), **_expires(upload), **headers}
        return web.Response(status=status, headers={"Cache-Control": "no-store", **members})

    def respond_options(self) -> web.Response:
        headers = {**tus.build_options(self.uploads.max_bytes), "Cache-Control": "no-store"}
        return web.Response(status=204, headers=headers)


class UploadsView(_UploadBase):
    async def get(
        self,
        page: PageQuery,
        state: Annotated[UploadState | None, Field(description="Only in this state")] = None,
    ) -> r200[schemas.UploadPage]:
        """List uploads, newest first: own ones, administrators everybody's.

        Tags: uploads
        """
        self.require_uploader()
        async with self.database.read() as session:
            rows, total = await queries.load_uploads(session, page, self.viewer, state)
            titles = await queries.load_titles(session, rows)
        items = [present_upload(row, titles) for row in rows]
        return respond(schemas.UploadPage(items=items, **page_members(page, total)))

    async def post(self) -> r201:
        """Create an upload (tus): ``Upload-Length``, ``Upload-Metadata``; perhaps its first bytes.

        Tags: uploads
        Status Codes:
            201: Created; ``Location`` is where its bytes go.
            412: Another version of tus.
            413: Too large, or over the quota.
        """
        self.require_uploader()
        headers = self.request.headers
        tus.require_version(headers)
        text = headers.get(tus.METADATA, "")
        wanted = NewUpload(
            wish=read_wish(tus.parse_metadata(text)),
            size_bytes=tus.parse_length(headers),
            metadata_text=text,
        )
        upload = await self.uploads.create(wanted, self.viewer)
        location = f"{PREFIX}/{upload.id}"
        end = 0
        if self.request.content_type == tus.BODY_TYPE and self.request.can_read_body:
            end = await self.take_body(upload.id, offset=0)
        return await self.respond_offset(upload.id, end, Location=location)

    async def options(self) -> r204:
        """Say what this tus server can do.

        Tags: uploads
        Status Codes:
            204: See the headers.
        """
        return self.respond_options()


class UploadView(_UploadBase):
    async def get(self, upload_id: str, /) -> r200[schemas.Upload]:
        """Show an upload.

        Tags: uploads
        """
        self.require_uploader()
        upload = await self.uploads.load(require_id(upload_id, "upload"), self.viewer)
        async with self.database.read() as session:
            titles = await queries.load_titles(session, [upload])
        return respond(present_upload(upload, titles))

    async def head(self, upload_id: str, /) -> r200:
        """Say how much is there (tus).

        Tags: uploads
        Status Codes:
            410: It has expired, or was a duplicate.
            412: Another version of tus.
        """
        self.require_uploader()
        tus.require_version(self.request.headers)
        upload = await self.uploads.load(require_id(upload_id, "upload"), self.viewer)
        if upload.received_bytes < upload.size_bytes:
            queries.require_present(upload)
        headers = {
            tus.OFFSET: str(upload.received_bytes),
            tus.LENGTH: str(upload.size_bytes),
            **({tus.METADATA: upload.metadata_text} if upload.metadata_text else {}),
            **_expires(upload),
        }
        return web.Response(headers={"Cache-Control": "no-store", **headers})

    async def patch(self, upload_id: str, /) -> r204:
        """Add the body at ``Upload-Offset`` (tus).

        Tags: uploads
        Status Codes:
            204: Stored for good; ``Upload-Offset`` is where the next byte goes.
            409: Another offset is next.
            410: It has expired.
            412: Another version of tus.
            413: More than the file has.
            415: The body must be ``application/offset+octet-stream``.
            423: Another connection sends to it.
            460: ``Upload-Checksum`` does not fit; nothing of the body was kept.
            507: The storage is full.
        """
        self.require_uploader()
        tus.require_version(self.request.headers)
        require_id(upload_id, "upload")
        tus.require_body_type(self.request.content_type)
        end = await self.take_body(upload_id, offset=tus.parse_offset(self.request.headers))
        return await self.respond_offset(upload_id, end)

    async def delete(self, upload_id: str, /) -> r204:
        """Cancel an upload and drop its bytes (tus).

        Tags: uploads
        Status Codes:
            204: Dropped.
            409: A lecture is made of it.
            412: Another version of tus.
        """
        self.require_uploader()
        tus.require_version(self.request.headers)
        await self.uploads.cancel(require_id(upload_id, "upload"), self.viewer)
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    async def post(self, upload_id: str, /) -> r204:  # noqa: ARG002 - the other methods read it
        """Stand in for PATCH and DELETE where those do not get through (tus).

        Tags: uploads
        Status Codes:
            204: As for the method in ``X-HTTP-Method-Override``.
            405: There is no such header.
        """
        # Spec: X-HTTP-Method-Override MUST be interpreted as the request's method.
        method = self.request.headers.get(tus.METHOD_OVERRIDE, "").upper()
        if method not in _OVERRIDES:
            raise web.HTTPMethodNotAllowed("POST", self.allowed_methods - {"POST"})
        handler: Any = self.patch if method == "PATCH" else self.delete
        response: web.Response = await handler()
        return response

    async def options(self, upload_id: str, /) -> r204:  # noqa: ARG002 - the same for all
        """Say what this tus server can do.

        Tags: uploads
        Status Codes:
            204: See the headers.
        """
        return self.respond_options()


class UploadLimitsView(_UploadBase):
    async def get(self) -> r200[schemas.UploadLimits]:
        """Say how much may be uploaded.

        Tags: uploads
        """
        account_id = self.require_uploader()
        uploads = self.uploads
        return respond(
            schemas.UploadLimits(
                max_size_bytes=uploads.max_bytes,
                quota_bytes=uploads.quota_bytes,
                used_bytes=await uploads.load_used_bytes(account_id),
                expires_after_s=int(uploads.expires.total_seconds()),
                extensions=list(tus.EXTENSIONS),
            )
        )


class KnownFileView(_UploadBase):
    async def get(
        self,
        digest: Annotated[str, Field(pattern=DIGEST_PATTERN, description="Of the file")],
        size_bytes: Annotated[int, Field(ge=1, le=10**18)],
    ) -> r200[schemas.KnownFile]:
        """Tell whether a file is a lecture already, before it is sent.

        Tags: uploads
        """
        self.require_uploader()
        async with self.database.read() as session:
            same = await queries.find_same_file(session, digest, size_bytes)
        found = schemas.LectureRef(id=same.id, title=same.title) if same else None
        return respond(schemas.KnownFile(lecture=found))


def present_upload(upload: Upload, titles: dict[str, str]) -> schemas.Upload:
    """Build the answer; ``titles`` of the lectures that uploads are duplicates of."""
    other = upload.duplicate_of_id
    is_named = other is not None and other in titles
    return schemas.Upload(
        id=upload.id,
        filename=upload.filename,
        title=upload.title,
        size_bytes=upload.size_bytes,
        received_bytes=upload.received_bytes,
        state=upload.state,
        reason=upload.reason,
        lecture_id=upload.lecture_id,
        duplicate_of=schemas.LectureRef(id=other or "", title=titles[other or ""])
        if is_named
        else None,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
    )


def _expires(upload: Upload) -> dict[str, str]:
    if upload.state is not UploadState.RECEIVING:
        return {}
    return {tus.EXPIRES: tus.format_expires(upload.expires_at)}


async def add_tus_header(request: web.Request, response: web.StreamResponse) -> None:
    """``on_response_prepare``. Spec: Tus-Resumable MUST be in every response (OPTIONS may)."""
    if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
        response.headers[tus.RESUMABLE] = tus.VERSION
        if response.status == 412:  # noqa: PLR2004 - Precondition Failed
            response.headers["Tus-Version"] = tus.VERSION


ROUTES: Final = (
    web.view(PREFIX, UploadsView),
    web.view(f"{PREFIX}/limits", UploadLimitsView),
    web.view(f"{PREFIX}/known", KnownFileView),
    web.view(f"{PREFIX}/{{upload_id}}", UploadView),
)
