"""``/series`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201

from kernel.errors import ConflictError, NotAllowedError
from kernel.http import build_problem
from vod.http.keys import CLOCK
from vod.http.pagination import PageQuery, page_members
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond
from vod.series import schemas, service
from vod.series.models import Series
from vod.series.policy import may_edit_series


class _SeriesBase(ApiView):
    def require_editor(self) -> str:
        account_id = self.require_account()
        if not may_edit_series(self.viewer):
            raise NotAllowedError("only editors and administrators curate series")
        return account_id

    async def render(self, rows: list[Series]) -> list[schemas.Series]:
        """Render with the numbers of lectures, in one more query for all of them."""
        async with self.database.read() as session:
            counts = await service.count_lectures(session, [row.id for row in rows], self.viewer)
        return [
            schemas.Series(
                id=row.id,
                title=row.title,
                description=row.description,
                lectures_count=counts.get(row.id, 0),
                created_at=row.created_at,
            )
            for row in rows
        ]


class SeriesListView(_SeriesBase):
    async def get(self, page: PageQuery, q: SearchText = "") -> r200[schemas.SeriesPage]:
        """List series, newest first.

        Tags: series
        """
        async with self.database.read() as session:
            rows, total = await service.load_series_page(session, page, words=q, viewer=self.viewer)
        items = await self.render(rows)
        return respond(schemas.SeriesPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewSeries) -> r201[schemas.Series]:
        """Create a series.

        Tags: series
        Status Codes:
            201: Created.
        """
        actor_id = self.require_editor()
        now = self.request.app[CLOCK].now()
        series = await service.create_series(self.database, body, actor_id=actor_id, now=now)
        return respond((await self.render([series]))[0], status=201)


class SeriesView(_SeriesBase):
    async def get(self, series_id: str, /) -> r200[schemas.Series]:
        """Show a series.

        Tags: series
        """
        async with self.database.read() as session:
            series = await service.show_series(
                session, require_id(series_id, "series"), self.viewer
            )
        return respond((await self.render([series]))[0])

    async def patch(self, series_id: str, /, body: schemas.SeriesChange) -> r200[schemas.Series]:
        """Change a series.

        Tags: series
        """
        actor_id = self.require_editor()
        series = await service.change_series(
            self.database,
            body,
            series_id=require_id(series_id, "series"),
            actor_id=actor_id,
            now=self.request.app[CLOCK].now(),
        )
        return respond((await self.render([series]))[0])


class SeriesOrderView(_SeriesBase):
    async def get(self, series_id: str, /) -> r200[schemas.SeriesOrder]:
        """Show which lectures are in a series, in order, as far as one may see them.

        Tags: series
        """
        require_id(series_id, "series")
        async with self.database.read() as session:
            return respond(await service.load_series_order(session, series_id, self.viewer))

    async def put(self, series_id: str, /, body: schemas.WantedOrder) -> r200[schemas.SeriesOrder]:
        """Set the lectures of a series and their order.

        Tags: series
        Status Codes:
            200: As it is now.
            409: Somebody else has changed it since; ``current`` is how it is now.
        """
        self.require_editor()
        order, is_saved = await service.order_series(
            self.database,
            body,
            series_id=require_id(series_id, "series"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        if is_saved:
            return respond(order)
        return build_problem(
            kind=ConflictError.kind,
            status=ConflictError.status,
            title="专题的顺序已被别人改过,请核对后再保存",
            detail=f"the order is at version {order.version}, not {body.version}",
            current=order.model_dump(mode="json"),
        )


ROUTES: Final = (
    web.view("/api/v1/series", SeriesListView),
    web.view("/api/v1/series/{series_id}", SeriesView),
    web.view("/api/v1/series/{series_id}/lectures", SeriesOrderView),
)
