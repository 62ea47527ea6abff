"""``/roster`` (export, template) and ``/roster-imports`` of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import AfterValidator, StringConstraints

from kernel.errors import NotAllowedError
from vod.accounts.rights import Action, may_anywhere
from vod.http.bodies import read_body
from vod.http.keys import BLOBS, CLOCK
from vod.http.pagination import PageQuery, page_members
from vod.http.sessions import SESSION
from vod.http.types import refuse_controls
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.people import imports, schemas
from vod.people.export import RosterExporter, build_notes, note_export
from vod.people.models import RosterImport
from vod.people.reading import MAX_FILE_BYTES
from vod.people.sheets import MIME
from vod.people.views import MemberBase, MemberQuery
from vod.units.queries import load_full_names, load_unit

EXPORTER: Final = web.AppKey("roster_exporter", RosterExporter)
CHUNK_BYTES: Final = 256 * 1024
SEND_S: Final = 300.0  # 5 MB on a thin link; meanwhile no other export is written.
Filename = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255),
    AfterValidator(refuse_controls),
]


def prepare_people(app: web.Application) -> None:
    """Add the writer of exports."""
    app[EXPORTER] = RosterExporter()
    app.cleanup_ctx.append(_close_exporter)


async def _close_exporter(app: web.Application) -> AsyncIterator[None]:
    yield
    app[EXPORTER].close()


class RosterView(MemberBase):
    async def get(self, wanted: MemberQuery) -> r200[bytes]:
        """Export the members a list shows as xlsx, phone numbers masked.

        Tags: members
        Status Codes:
            200: The file.
            503: Another export is being written.
        """
        self.require_account()
        now = self.request.app[CLOCK].now()
        async with self.database.read() as session:
            narrowed = await self.narrow(session, wanted, Action.EXPORT_MEMBERS)
            scope = "全部可管理的组织"
            if wanted.unit_id is not None:
                unit = await load_unit(session, wanted.unit_id)
                scope = (await load_full_names(session, [unit.path]))[unit.id]
        notes = build_notes(self.request[SESSION].account.display_name, scope, now)
        exporter = self.request.app[EXPORTER]
        async with exporter.write_members(self.database, narrowed, notes=notes) as (path, count):
            await note_export(self.database, self.viewer, count=count, wanted=narrowed, now=now)
            return await _send(self.request, path, f"学员名册-{now:%Y%m%d}.xlsx")


class RosterTemplateView(ApiView):
    async def get(self) -> r200[bytes]:
        """Download the template of rosters.

        Tags: members
        Status Codes:
            200: The file.
            503: An export is being written.
        """
        _require_importer(self)
        async with self.request.app[EXPORTER].write_template(self.database) as path:
            return await _send(self.request, path, "学员导入模板.xlsx")


class RosterImportsView(ApiView):
    async def get(self, page: PageQuery) -> r200[schemas.RosterImportPage]:
        """List imports, newest first: one's own, or all for administrators.

        Tags: members
        """
        _require_importer(self)
        async with self.database.read() as session:
            rows, total = await imports.load_imports_page(session, page, self.viewer)
        items = [render_import(row) for row in rows]
        return respond(schemas.RosterImportPage(items=items, **page_members(page, total)))

    async def post(self, filename: Filename) -> r201[schemas.RosterImport]:
        """Upload a roster, xlsx or csv as it is; its dry run begins at once.

        Tags: members
        Status Codes:
            201: Kept; ask for its state.
            413: More than 32 MB.
            422: It is empty.
            503: Too many imports are under way.
        """
        _require_importer(self)
        data = await read_body(
            self.request, limit_bytes=MAX_FILE_BYTES, title_zh="文件太大,最大 32 MB"
        )
        row = await imports.create_import(
            self.database,
            self.request.app[BLOBS],
            data,
            filename=filename,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond(render_import(row), status=201)


class RosterImportView(ApiView):
    async def get(self, import_id: str, /) -> r200[schemas.RosterImport]:
        """Show an import.

        Tags: members
        """
        _require_importer(self)
        async with self.database.read() as session:
            row = await imports.load_import(session, require_id(import_id, "import"), self.viewer)
        return respond(render_import(row))

    async def delete(self, import_id: str, /) -> r204:
        """Give an import up before it is confirmed.

        Tags: members
        Status Codes:
            204: Given up, its file is deleted.
            409: It is being written, or over.
        """
        _require_importer(self)
        await imports.cancel_import(
            self.database,
            self.request.app[BLOBS],
            import_id=require_id(import_id, "import"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


class RosterConfirmView(ApiView):
    async def post(self, import_id: str, /) -> r200[schemas.RosterImport]:
        """Write what the dry run found; rows with errors are left out.

        Tags: members
        Status Codes:
            200: It begins.
            409: It is not checked, or was confirmed already.
        """
        _require_importer(self)
        row = await imports.confirm_import(
            self.database,
            import_id=require_id(import_id, "import"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond(render_import(row))


class RosterErrorsView(ApiView):
    async def get(self, import_id: str, /, page: PageQuery) -> r200[schemas.RosterErrorPage]:
        """List what is wrong with the rows, in their order.

        Tags: members
        """
        _require_importer(self)
        async with self.database.read() as session:
            row = await imports.load_import(session, require_id(import_id, "import"), self.viewer)
        first = (page.page - 1) * page.page_size
        items = [
            schemas.RosterError(row=number, column=column, sentence=sentence)
            for number, column, sentence in row.errors[first : first + page.page_size]
        ]
        return respond(schemas.RosterErrorPage(items=items, **page_members(page, len(row.errors))))


def render_import(row: RosterImport) -> schemas.RosterImport:
    names = ("inserted", "updated", "unchanged", "failed")
    return schemas.RosterImport(
        id=row.id,
        filename=row.filename,
        size_bytes=row.size_bytes,
        state=row.state,
        rows_count=row.rows_count,
        rows_done=row.rows_done,
        counts=schemas.ImportCounts(**{name: row.counts.get(name, 0) for name in names}),
        reason=row.reason,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _require_importer(view: ApiView) -> None:
    view.require_account()
    if not may_anywhere(view.viewer, Action.IMPORT_MEMBERS):
        raise NotAllowedError("no right to import in any unit", title_zh="没有导入学员的权限")


async def _send(request: web.Request, path: Path, filename: str) -> web.StreamResponse:
    """Send a file that is about to go; who does not read it in time is cut off."""
    response = web.StreamResponse(
        headers={
            "Content-Type": MIME,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename)}",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    response.content_length = (await asyncio.to_thread(path.stat)).st_size
    await response.prepare(request)
    with await asyncio.to_thread(path.open, "rb") as file:
        async with asyncio.timeout(SEND_S):
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                await response.write(chunk)
            await response.write_eof()
    return response


ROUTES: Final = (
    web.view("/api/v1/roster", RosterView),
    web.view("/api/v1/roster/template", RosterTemplateView),
    web.view("/api/v1/roster-imports", RosterImportsView),
    web.view("/api/v1/roster-imports/{import_id}", RosterImportView),
    web.view("/api/v1/roster-imports/{import_id}/confirm", RosterConfirmView),
    web.view("/api/v1/roster-imports/{import_id}/errors", RosterErrorsView),
)
