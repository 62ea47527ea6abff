"""``/series`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201

from kernel.errors import ConflictError, NotAllowedError, NotFoundError
from kernel.http import build_problem
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond
from vod.library.pictures import receive_picture, serve_picture
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
        """Render with the sums of their lectures, in one more query for all of them."""
        async with self.database.read() as session:
            sums = await service.sum_series(session, [row.id for row in rows], self.viewer)
        origin = read_origin(self.request)
        return [_present(row, sums.get(row.id, service.SeriesSums()), origin) for row in rows]


def _present(row: Series, sums: service.SeriesSums, origin: str) -> schemas.Series:
    address = f"{origin}/api/v1/series/{row.id}/cover?v="
    return schemas.Series(
        id=row.id,
        title=row.title,
        description=row.description,
        introduction=row.introduction,
        cover_url=address + row.cover[:12] if row.cover else None,
        is_published=row.is_published,
        lectures_count=sums.lectures_count,
        planned_count=row.planned_count,
        required_count=sums.required_count,
        hours=sums.hours,
        required_hours=sums.required_hours,
        external_id=row.external_id,
        version=row.version,
        created_at=row.created_at,
    )


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


class SeriesCoverView(_SeriesBase):
    async def get(self, series_id: str, /) -> r200:
        """Show the cover of a series, a JPEG.

        Tags: series
        """
        require_id(series_id, "series")
        async with self.database.read() as session:
            series = await service.show_series(session, series_id, self.viewer)
        if series.cover is None:
            raise NotFoundError("no cover")
        return await serve_picture(self.request, "covers", series_id, series.cover)

    async def put(self, series_id: str, /) -> r200[schemas.Series]:
        """Send a cover: a JPEG or PNG picture as it is.

        Tags: series
        Status Codes:
            200: It is shown from now on.
            413: More than 10 MB or 40 megapixels.
            415: Neither JPEG nor PNG.
            422: The picture is broken or too small.
        """
        self.require_editor()
        require_id(series_id, "series")
        async with self.database.read() as session:
            await service.load_series(session, series_id)
        series = await service.change_cover(
            self.database,
            await receive_picture(self.request, "covers", series_id),
            series_id=series_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond((await self.render([series]))[0])


ROUTES: Final = (
    web.view("/api/v1/series", SeriesListView),
    web.view("/api/v1/series/{series_id}", SeriesView),
    web.view("/api/v1/series/{series_id}/cover", SeriesCoverView),
    web.view("/api/v1/series/{series_id}/lectures", SeriesOrderView),
)
