"""``/watching`` and ``/favourites`` of the API: everybody's own, nobody else's."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r204
from pydantic import Field

from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.watching import lists, schemas, service


class _WatchingBase(ApiView):
    def require_member(self) -> service.Member:
        return service.Member(
            self.require_account(), self.viewer, now=self.request.app[CLOCK].now()
        )

    def require_asker(self) -> lists.Asker:
        return lists.Asker(self.require_account(), self.viewer, origin=read_origin(self.request))


class WatchingListView(_WatchingBase):
    async def get(
        self,
        page: PageQuery,
        state: Annotated[
            schemas.WatchFilter, Field(description="Only what is (not) finished")
        ] = "all",
    ) -> r200[schemas.WatchedPage]:
        """List what whoever asks has watched, the latest first.

        Tags: watching
        """
        asker = self.require_asker()
        async with self.database.read() as session:
            items, total = await lists.load_watched(session, page, asker, state)
        return respond(schemas.WatchedPage(items=items, **page_members(page, total)))

    async def delete(self) -> r204:
        """Forget everything that whoever asks has watched.

        Tags: watching
        Status Codes:
            204: Forgotten.
        """
        await service.forget(self.database, self.require_account())
        return respond_empty()


class RequiredView(_WatchingBase):
    async def get(self, page: PageQuery) -> r200[schemas.RequiredPage]:
        """List required lectures of series that whoever asks has not finished.

        Tags: watching
        """
        asker = self.require_asker()
        async with self.database.read() as session:
            return respond(await lists.load_required(session, page, asker))


class PositionsView(_WatchingBase):
    async def get(
        self,
        ids: Annotated[schemas.LectureIds, Field(description="Of these lectures, with commas")],
    ) -> r200[schemas.PositionList]:
        """Show where whoever asks stopped in some lectures.

        Tags: watching
        """
        asker = self.require_asker()
        async with self.database.read() as session:
            items = await lists.load_positions(session, set(ids.split(",")), asker)
        return respond(schemas.PositionList(items=items))


class SeriesProgressView(_WatchingBase):
    async def get(self, series_id: str, /) -> r200[schemas.SeriesProgress]:
        """Show how far whoever asks is with a series.

        Tags: watching
        """
        asker = self.require_asker()
        require_id(series_id, "series")
        async with self.database.read() as session:
            return respond(await lists.load_series_progress(session, series_id, asker))


class WatchingView(_WatchingBase):
    async def get(self, lecture_id: str, /) -> r200[schemas.WatchState]:
        """Show how far whoever asks is with a lecture.

        Tags: watching
        """
        member = self.require_member()
        require_id(lecture_id, "lecture")
        async with self.database.read() as session:
            return respond(await service.load_state(session, lecture_id, member))

    async def put(self, lecture_id: str, /, body: schemas.WatchReport) -> r200[schemas.WatchState]:
        """Report what was played, and where it stopped.

        Tags: watching
        Status Codes:
            200: All that is known now.
        """
        member = self.require_member()
        require_id(lecture_id, "lecture")
        return respond(
            await service.take_report(self.database, body, lecture_id=lecture_id, member=member)
        )

    async def delete(self, lecture_id: str, /) -> r204:
        """Forget what whoever asks has watched of a lecture.

        Tags: watching
        Status Codes:
            204: Forgotten.
        """
        account_id = self.require_account()
        require_id(lecture_id, "lecture")
        await service.forget(self.database, account_id, lecture_id=lecture_id)
        return respond_empty()


class FavouritesView(_WatchingBase):
    async def get(self, page: PageQuery) -> r200[schemas.WatchedPage]:
        """List the lectures that whoever asks keeps at hand, the latest first.

        Tags: watching
        """
        asker = self.require_asker()
        async with self.database.read() as session:
            items, total = await lists.load_favourites(session, page, asker)
        return respond(schemas.WatchedPage(items=items, **page_members(page, total)))


class FavouriteView(_WatchingBase):
    async def put(self, lecture_id: str, /) -> r204:
        """Keep a lecture at hand.

        Tags: watching
        Status Codes:
            204: It is kept.
        """
        member = self.require_member()
        require_id(lecture_id, "lecture")
        await service.add_favourite(self.database, lecture_id=lecture_id, member=member)
        return respond_empty()

    async def delete(self, lecture_id: str, /) -> r204:
        """Keep a lecture no longer.

        Tags: watching
        Status Codes:
            204: It is not kept.
        """
        account_id = self.require_account()
        require_id(lecture_id, "lecture")
        await service.remove_favourite(self.database, lecture_id=lecture_id, account_id=account_id)
        return respond_empty()


ROUTES: Final = (
    web.view("/api/v1/watching", WatchingListView),
    web.view("/api/v1/watching/required", RequiredView),
    web.view("/api/v1/watching/positions", PositionsView),
    web.view("/api/v1/watching/series/{series_id}", SeriesProgressView),
    web.view("/api/v1/watching/{lecture_id}", WatchingView),
    web.view("/api/v1/favourites", FavouritesView),
    web.view("/api/v1/favourites/{lecture_id}", FavouriteView),
)
