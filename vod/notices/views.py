"""``/notices`` of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import ConflictError, NotAllowedError
from kernel.http import build_problem
from vod.accounts.roles import Viewer
from vod.http.keys import CLOCK
from vod.http.pagination import PageQuery, load_page, page_members
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.notices import models, queries, schemas, service
from vod.notices.policy import (
    NoticeStanding,
    build_summary,
    find_standing,
    find_week_start,
    may_write,
)

ONE: Final = "/api/v1/notices/{notice_id}"


def _present_row(row: models.Notice, viewer: Viewer, now: datetime) -> schemas.NoticeRow:
    kind, _, subject_id = (row.origin or "").partition(":")
    about = {"kind": kind, "id": subject_id} if row.origin else None
    return schemas.NoticeRow(
        id=row.id,
        title=row.title,
        section=row.section,
        source=row.source,
        summary=build_summary(row.plain_text),
        visibility=row.visibility,
        standing=find_standing(row.state, row.publish_at, row.withdraw_at, now=now),
        publish_at=row.publish_at,
        withdraw_at=row.withdraw_at,
        about=schemas.NoticeSubject.model_validate(about) if about else None,
        version=row.version,
        may_manage=may_write(viewer),
    )


class _NoticeBase(ApiView):
    @property
    def now(self) -> datetime:
        return self.request.app[CLOCK].now()

    def require_writer(self) -> None:
        self.require_account()
        if not may_write(self.viewer):
            raise NotAllowedError("only editors and administrators write notices")

    def present_row(self, row: models.Notice) -> schemas.NoticeRow:
        return _present_row(row, self.viewer, self.now)

    def present(self, row: models.Notice) -> schemas.Notice:
        return schemas.Notice(**dict(self.present_row(row)), body=row.body)

    def answer(self, row: models.Notice, *, status: int = 200) -> web.Response:
        return respond(self.present(row), status=status)


class NoticesView(_NoticeBase):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        section: Annotated[
            models.NoticeSection | None, Field(description="Only of this section")
        ] = None,
    ) -> r200[schemas.NoticePage]:
        """List what is published, newest first, with the count of this week.

        Tags: notices
        """
        now = self.now
        query = queries.build_list(self.viewer, q=q, section=section, now=now)
        async with self.database.read() as session:
            rows, total = await load_page(session, query, page)
            week_count = await queries.count_week(session, self.viewer, now)
            sections = await queries.count_sections(session, self.viewer, now)
        return respond(
            schemas.NoticePage(
                items=[self.present_row(row) for row in rows],
                week_count=week_count,
                week_starts_at=find_week_start(now),
                sections=[
                    schemas.NoticeSectionCount(section=one, count=count)
                    for one, count in sections.items()
                ],
                **page_members(page, total),
            )
        )

    async def post(self, body: schemas.NewNotice) -> r201[schemas.Notice]:
        """Write a notice; it is a draft.

        Tags: notices
        Status Codes:
            201: Written.
        """
        self.require_writer()
        row = await service.create_notice(self.database, body, viewer=self.viewer, now=self.now)
        return self.answer(row, status=201)


class NoticeDraftsView(_NoticeBase):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        standing: Annotated[NoticeStanding | None, Field(description="Only these")] = None,
    ) -> r200[schemas.NoticeDraftPage]:
        """List all notices, last changed first; for editors.

        Tags: notices
        """
        self.require_writer()
        query = queries.build_desk_list(q=q, standing=standing, now=self.now)
        async with self.database.read() as session:
            rows, total = await load_page(session, query, page)
        items = [self.present_row(row) for row in rows]
        return respond(schemas.NoticeDraftPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.WantedNotice) -> r200[schemas.Notice]:
        """Draft the notice about a lecture or a series; asked again, answer the one there is.

        Tags: notices
        """
        self.require_writer()
        row = await service.ensure_notice(self.database, body, viewer=self.viewer, now=self.now)
        return self.answer(row)


class OneNoticeView(_NoticeBase):
    async def get(self, notice_id: str, /) -> r200[schemas.Notice]:
        """Show a notice.

        Tags: notices
        """
        require_id(notice_id, "notice")
        async with self.database.read() as session:
            row = await queries.load_notice(session, notice_id, self.viewer, now=self.now)
        return self.answer(row)

    async def patch(self, notice_id: str, /, body: schemas.NoticeChange) -> r200[schemas.Notice]:
        """Change a notice over the version that was seen, else 409 with ``current``.

        Tags: notices
        """
        self.require_writer()
        require_id(notice_id, "notice")
        try:
            row = await service.change_notice(
                self.database, notice_id, body, viewer=self.viewer, now=self.now
            )
        except ConflictError as error:
            return await self._refuse_stale(notice_id, error)
        return self.answer(row)

    async def _refuse_stale(self, notice_id: str, error: ConflictError) -> web.Response:
        """Answer 409 with the notice as it is now, so that nothing written is lost."""
        async with self.database.read() as session:
            row = await queries.load_notice(session, notice_id, self.viewer, now=self.now)
        return build_problem(
            kind=error.kind,
            status=error.status,
            title=error.title,
            detail=str(error),
            current=self.present(row).model_dump(mode="json"),
        )

    async def delete(
        self,
        notice_id: str,
        /,
        version: Annotated[int, Field(ge=1, le=2**31 - 1, description="The one that was seen")],
    ) -> r204:
        """Delete a notice.

        Tags: notices
        Status Codes:
            204: Deleted.
        """
        self.require_writer()
        require_id(notice_id, "notice")
        await service.delete_notice(
            self.database, notice_id, version, viewer=self.viewer, now=self.now
        )
        return respond_empty()


class NoticePublishView(_NoticeBase):
    async def post(
        self, notice_id: str, /, body: schemas.NoticePublication
    ) -> r200[schemas.Notice]:
        """Publish a notice, now or at its time.

        Tags: notices
        """
        self.require_writer()
        require_id(notice_id, "notice")
        return self.answer(
            await service.publish_notice(
                self.database, notice_id, body, viewer=self.viewer, now=self.now
            )
        )


class NoticeWithdrawView(_NoticeBase):
    async def post(self, notice_id: str, /, body: schemas.NoticeWithdrawal) -> r200[schemas.Notice]:
        """Withdraw a notice; one that waits for its time becomes a draft again.

        Tags: notices
        """
        self.require_writer()
        require_id(notice_id, "notice")
        return self.answer(
            await service.withdraw_notice(
                self.database, notice_id, body.version, viewer=self.viewer, now=self.now
            )
        )


ROUTES: Final = (
    web.view("/api/v1/notices", NoticesView),
    web.view("/api/v1/notices/drafts", NoticeDraftsView),
    web.view(ONE, OneNoticeView),
    web.view(ONE + "/publish", NoticePublishView),
    web.view(ONE + "/withdraw", NoticeWithdrawView),
)
