"""``/contests`` of the API: the desk, the members' pages and the exhibition."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, NotAllowedError
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, load_page, page_members
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.lectures.extras import load_extras
from vod.library.contests import models, present, queries, schemas, service
from vod.library.contests.policy import ContestState, may_curate

ONE: Final = "/api/v1/contests/{contest_id}"


class _ContestBase(ApiView):
    @property
    def now(self) -> datetime:
        return self.request.app[CLOCK].now()

    def require_desk(self) -> None:
        self.require_account()
        if not may_curate(self.viewer):
            raise NotAllowedError("only editors and administrators prepare contests")

    async def respond_contest(self, contest_id: str, *, status: int = 200) -> web.Response:
        async with self.database.read() as session:
            row = await queries.load_contest(session, contest_id, self.viewer)
            return respond(await self._present(session, row), status=status)

    async def _present(self, session: AsyncSession, row: models.Contest) -> schemas.Contest:
        head = (await self.present_rows(session, [row]))[0]
        is_desk, is_over = head.may_manage, row.state is ContestState.CLOSED
        films = (
            await queries.load_films(session, row.id, viewer=self.viewer)
            if is_desk or is_over
            else []
        )
        sheets = await queries.load_sheets(session, row.id) if is_desk else []
        extras = await load_extras(session, [lecture for _, lecture in films])
        judges = await queries.load_judges(session, row.id) if is_desk else []
        return schemas.Contest(
            **dict(head),
            films=present.build_films(
                present.order_films(row, films),
                extras,
                viewer=self.viewer,
                origin=read_origin(self.request),
                counts=Counter(sheet.film_id for sheet in sheets) if is_desk else None,
            ),
            judges=present.build_judges(judges, sheets),
        )

    async def present_rows(
        self, session: AsyncSession, rows: list[models.Contest]
    ) -> list[schemas.ContestRow]:
        ids = [row.id for row in rows]
        counts = await queries.count_films(session, ids)
        judged = await queries.load_judged(session, self.viewer.account_id or "", ids)
        return [
            present.build_row(
                row,
                self.viewer,
                films_count=counts.get(row.id, 0),
                is_judge=row.id in judged,
                now=self.now,
            )
            for row in rows
        ]


class ContestsView(_ContestBase):
    async def get(self, page: PageQuery) -> r200[schemas.ContestPage]:
        """List contests, the latest first; drafts are for editors.

        Tags: contests
        """
        async with self.database.read() as session:
            rows, total = await load_page(session, queries.build_list(self.viewer), page)
            items = await self.present_rows(session, rows)
        return respond(schemas.ContestPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewContest) -> r201[schemas.Contest]:
        """Prepare a contest; it is a draft.

        Tags: contests
        Status Codes:
            201: A draft; open it when films and judges are there.
        """
        self.require_desk()
        contest_id = await service.create_contest(
            self.database, body, viewer=self.viewer, now=self.now
        )
        return await self.respond_contest(contest_id, status=201)


class ContestView(_ContestBase):
    async def get(self, contest_id: str, /) -> r200[schemas.Contest]:
        """Show a contest; once it is closed with the ranked films, in the exhibition's order.

        Tags: contests
        """
        return await self.respond_contest(require_id(contest_id, "contest"))

    async def patch(self, contest_id: str, /, body: schemas.ContestChange) -> r200[schemas.Contest]:
        """Change a contest over the version that was seen. Members left out stay.

        Tags: contests
        Status Codes:
            200: As it is now.
            409: Somebody else has changed it since, or it has come too far for that.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        await service.change_contest(
            self.database, contest_id, body, viewer=self.viewer, now=self.now
        )
        return await self.respond_contest(contest_id)

    async def delete(
        self,
        contest_id: str,
        /,
        version: Annotated[int, Field(ge=1, le=2**31 - 1, description="The one that was seen")],
    ) -> r204:
        """Delete a contest with its scores; the films stay in the library.

        Tags: contests
        Status Codes:
            204: Deleted.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        await service.delete_contest(
            self.database, contest_id, version, viewer=self.viewer, now=self.now
        )
        return respond_empty()


class ContestFilmsView(_ContestBase):
    async def put(self, contest_id: str, /, body: schemas.WantedFilms) -> r200[schemas.Contest]:
        """Set the programme: films of the film library, and who enters them.

        Tags: contests
        Status Codes:
            200: As it is now.
            409: Changed since, closed, or a film that was scored already is left out.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        await service.set_films(self.database, contest_id, body, viewer=self.viewer, now=self.now)
        return await self.respond_contest(contest_id)


class ContestJudgesView(_ContestBase):
    async def put(self, contest_id: str, /, body: schemas.WantedJudges) -> r200[schemas.Contest]:
        """Set who scores.

        Tags: contests
        Status Codes:
            200: As it is now.
            409: Changed since, closed, or a judge who has scored already is left out.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        await service.set_judges(self.database, contest_id, body, viewer=self.viewer, now=self.now)
        return await self.respond_contest(contest_id)


class ContestOpenView(_ContestBase):
    async def post(self, contest_id: str, /, body: schemas.ContestOpening) -> r200[schemas.Contest]:
        """Let the judges score; the rules stay as they are from now on.

        Tags: contests
        Status Codes:
            200: As it is now.
            409: Changed since, open already, or without films or judges.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        await service.open_contest(
            self.database, contest_id, body.version, viewer=self.viewer, now=self.now
        )
        return await self.respond_contest(contest_id)


class ContestCloseView(_ContestBase):
    async def post(self, contest_id: str, /, body: schemas.ContestClosing) -> r200[schemas.Contest]:
        """Rank the films and publish the results.

        Tags: contests
        Status Codes:
            200: With the results.
            409: Changed since, not open, or scores are missing.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        await service.close_contest(
            self.database, contest_id, body, viewer=self.viewer, now=self.now
        )
        return await self.respond_contest(contest_id)


class ContestSheetsView(_ContestBase):
    async def get(self, contest_id: str, /) -> r200[schemas.ContestSheets]:
        """Show what every judge gave, for the desk of a closed contest.

        Tags: contests
        Status Codes:
            200: All sheets.
            409: It is not closed: nobody reads the points before.
        """
        self.require_desk()
        require_id(contest_id, "contest")
        async with self.database.read() as session:
            row = await queries.load_contest(session, contest_id, self.viewer)
            if row.state is not ContestState.CLOSED:
                raise ConflictError("not closed yet", title_zh="评比结束后才能查看打分")
            sheets = await queries.load_sheets(session, contest_id)
            judges = await queries.load_judges(session, contest_id)
        names = {judge.id: judge.display_name for judge in judges}
        return respond(present.build_sheets(row, sheets, names))


ROUTES: Final = (
    web.view("/api/v1/contests", ContestsView),
    web.view(ONE, ContestView),
    web.view(ONE + "/films", ContestFilmsView),
    web.view(ONE + "/judges", ContestJudgesView),
    web.view(ONE + "/open", ContestOpenView),
    web.view(ONE + "/close", ContestCloseView),
    web.view(ONE + "/sheets", ContestSheetsView),
)
