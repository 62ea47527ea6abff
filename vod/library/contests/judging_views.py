"""``/judging`` of the API: a judge scores blind."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from sqlalchemy.ext.asyncio import AsyncSession

from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.view import ApiView, require_id, respond
from vod.lectures.extras import load_extras
from vod.library.contests import judging, present, schemas
from vod.library.contests.models import Contest


class JudgingListView(ApiView):
    async def get(self) -> r200[schemas.JudgingList]:
        """List the contests in which whoever asks is a judge, the latest first.

        Tags: contests
        """
        account_id = self.require_account()
        now = self.request.app[CLOCK].now()
        async with self.database.read() as session:
            rows = await judging.load_own(session, account_id)
        items = [
            present.build_judging_row(row, films_count=films, scores_count=scores, now=now)
            for row, films, scores in rows
        ]
        return respond(schemas.JudgingList(items=items))


class _JudgingBase(ApiView):
    async def present(self, session: AsyncSession, contest_id: str) -> schemas.Judging:
        account_id = self.require_account()
        found = await session.get(Contest, contest_id)
        row = await judging.require_judge(session, found, account_id)
        films = await judging.load_judged_films(session, contest_id, self.viewer)
        extras = await load_extras(session, [one.lecture for one in films])
        return present.build_judging(
            row,
            films,
            extras,
            origin=read_origin(self.request),
            now=self.request.app[CLOCK].now(),
        )


class JudgingView(_JudgingBase):
    async def get(self, contest_id: str, /) -> r200[schemas.Judging]:
        """Show the films to score with the own points: nothing of who entered, nor of others.

        Tags: contests
        """
        self.require_account()
        require_id(contest_id, "contest")
        async with self.database.read() as session:
            return respond(await self.present(session, contest_id))


class JudgingFilmView(_JudgingBase):
    async def put(
        self, contest_id: str, contest_film_id: str, /, body: schemas.WantedSheet
    ) -> r200[schemas.Judging]:
        """Score a film, or score it anew, while it is time.

        Tags: contests
        Status Codes:
            200: As it is now.
            409: It is not the time to score.
        """
        account_id = self.require_account()
        require_id(contest_id, "contest")
        await judging.put_sheet(
            self.database,
            contest_id,
            require_id(contest_film_id, "film"),
            dict(body.points),
            account_id=account_id,
            now=self.request.app[CLOCK].now(),
        )
        async with self.database.read() as session:
            return respond(await self.present(session, contest_id))


ROUTES: Final = (
    web.view("/api/v1/judging", JudgingListView),
    web.view("/api/v1/judging/{contest_id}", JudgingView),
    web.view("/api/v1/judging/{contest_id}/films/{contest_film_id}", JudgingFilmView),
)
