"""``/course-list`` of the API."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from pydantic import Field
from sqlalchemy import select

from kernel.errors import CapacityError, InputError, NotAllowedError
from vod.courselist.child import read_course_list
from vod.courselist.files import MIMES, WRITERS, write_template_blocking
from vod.courselist.listing import stream_rows
from vod.courselist.rows import CourseRow
from vod.courselist.service import Outcome, bring_in
from vod.http.bodies import read_body
from vod.http.keys import CLOCK
from vod.http.types import View
from vod.http.view import ApiView, respond
from vod.library.forms.models import LectureForm
from vod.library.policy import LibraryAction, may_in_library

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
BUSY: Final = web.AppKey("course_list_lock", asyncio.Lock)


class CourseListError(View):
    """What is wrong with a row, as the sheet numbers it."""

    row: int
    column: str
    sentence: str


class CourseListOutcome(View):
    """What a list did, or would do.

    Attributes:
        errors: The first 200 of ``failed_count``; the other rows are not held up by them.
    """

    is_dry_run: bool
    rows_count: int
    inserted_count: int
    updated_count: int
    unchanged_count: int
    failed_count: int
    errors: list[CourseListError]


def prepare_course_list(app: web.Application) -> None:
    """One list at a time: each holds megabytes and the database's pen."""
    app[BUSY] = asyncio.Lock()


class _CourseListBase(ApiView):
    def require_editor(self) -> None:
        self.require_account()
        if not may_in_library(self.viewer, LibraryAction.CURATE):
            raise NotAllowedError("only editors handle the course list")

    def require_turn(self) -> asyncio.Lock:
        lock = self.request.app[BUSY]
        if lock.locked():
            raise CapacityError("another list is being handled")
        return lock


class CourseListView(_CourseListBase):
    async def get(
        self,
        format: Annotated[  # noqa: A002 - the name in the query
            Literal["xlsx", "csv", "json"], Field(description="Of the file")
        ] = "xlsx",
    ) -> r200[bytes]:
        """Export the course list; it can be changed and sent back.

        Tags: library
        Status Codes:
            200: The file.
            503: Another list is being handled.
        """
        self.require_editor()
        async with self.require_turn():
            rows: list[dict[str, Any]] = []
            async with self.database.read() as session:
                async for batch in stream_rows(session):
                    rows += batch
            body = await asyncio.to_thread(WRITERS[format], rows)
        day = self.request.app[CLOCK].now()
        return _send(body, MIMES[format], f"课程清单-{day:%Y%m%d}.{format}")

    async def post(
        self,
        dry_run: Annotated[  # noqa: FBT002 - a parameter of the query
            bool, Field(description="Only tell what it would do")
        ] = True,
    ) -> r200[CourseListOutcome]:
        """Bring a course list in: xlsx, csv or JSON as it is; idempotent by its numbers.

        Tags: library
        Status Codes:
            200: What it did, or would do.
            413: More than 8 MB.
            422: It cannot be read.
            503: Another list is being handled.
        """
        self.require_editor()
        data = await read_body(
            self.request, limit_bytes=MAX_FILE_BYTES, title_zh="文件太大，最大 8 MB"
        )
        if not data:
            raise InputError("an empty file", status=422, title_zh="文件是空的")
        async with self.require_turn():
            rows = await _read(data)
            outcome = await bring_in(
                self.database,
                rows,
                is_dry_run=dry_run,
                viewer=self.viewer,
                now=self.request.app[CLOCK].now(),
            )
        return respond(_present(outcome, len(rows), is_dry_run=dry_run))


class CourseListTemplateView(_CourseListBase):
    async def get(self) -> r200[bytes]:
        """Download the template of course lists.

        Tags: library
        Status Codes:
            200: The file.
        """
        self.require_editor()
        async with self.database.read() as session:
            query = select(LectureForm.name).order_by(LectureForm.position)
            forms = list(await session.scalars(query))
        body = await asyncio.to_thread(write_template_blocking, forms)
        return _send(body, MIMES["xlsx"], "课程清单模板.xlsx")


async def _read(data: bytes) -> list[CourseRow]:
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="hall-courses-")
    try:
        path = Path(folder.name, "list")
        await asyncio.to_thread(path.write_bytes, data)
        return await read_course_list(path)
    finally:
        await asyncio.to_thread(folder.cleanup)


def _present(outcome: Outcome, rows_count: int, *, is_dry_run: bool) -> CourseListOutcome:
    return CourseListOutcome(
        is_dry_run=is_dry_run,
        rows_count=rows_count,
        inserted_count=outcome.counts["inserted"],
        updated_count=outcome.counts["updated"],
        unchanged_count=outcome.counts["unchanged"],
        failed_count=outcome.counts["failed"],
        errors=[
            CourseListError(row=one.row, column=one.column, sentence=one.sentence)
            for one in outcome.errors
        ],
    )


def _send(body: bytes, content_type: str, filename: str) -> web.Response:
    return web.Response(
        body=body,
        headers={
            "Content-Type": content_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename)}",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


ROUTES: Final = (
    web.view("/api/v1/course-list", CourseListView),
    web.view("/api/v1/course-list/template", CourseListTemplateView),
)
