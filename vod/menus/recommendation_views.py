"""``/recommendations`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import ConflictError
from kernel.http import build_problem
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.view import require_id, respond, respond_empty
from vod.menus import recommendations, schemas
from vod.menus.desk_views import MenuBase
from vod.menus.places import Place


class RecommendedView(MenuBase):
    async def get(
        self, place: Annotated[Place, Field(description="Which slot")] = Place.HOME
    ) -> r200[schemas.Recommended]:
        """List what a slot recommends to whoever asks, now.

        Tags: recommendations
        """
        self.require_account()
        async with self.database.read() as session:
            items = await recommendations.load_recommended(
                session,
                place,
                self.viewer,
                self.request.app[CLOCK].now(),
                origin=read_origin(self.request),
            )
        return respond(schemas.Recommended(items=items))


class RecommendationsView(MenuBase):
    async def get(
        self,
        page: PageQuery,
        place: Annotated[Place | None, Field(description="Only this slot")] = None,
    ) -> r200[schemas.RecommendationPage]:
        """List recommendations for editors, ended ones included.

        Tags: recommendations
        """
        actor = self.require_curator()
        async with self.database.read() as session:
            rows, total = await recommendations.load_rows(
                session, page, self.viewer, actor.now, place
            )
        return respond(schemas.RecommendationPage(items=rows, **page_members(page, total)))

    async def post(self, body: schemas.RecommendationBody) -> r201[schemas.RecommendationRow]:
        """Put something into a slot.

        Tags: recommendations
        Status Codes:
            201: Created.
        """
        actor = self.require_curator()
        return respond(await recommendations.create(self.database, body, actor), status=201)


class RecommendationView(MenuBase):
    async def put(
        self, entry_id: str, /, body: schemas.RecommendationSave
    ) -> r200[schemas.RecommendationRow]:
        """Change a recommendation.

        Tags: recommendations
        Status Codes:
            200: Changed.
            409: Somebody changed it meanwhile; ``current`` is how it is now.
        """
        actor = self.require_curator()
        row, is_saved = await recommendations.change(
            self.database, body, row_id=require_id(entry_id, "recommendation"), actor=actor
        )
        if is_saved:
            return respond(row)
        return build_problem(
            kind=ConflictError.kind,
            status=ConflictError.status,
            title="这条推荐已被别人改过,请核对后再保存",
            detail=f"the recommendation is at version {row.version}, not {body.version}",
            current=row.model_dump(mode="json"),
        )

    async def delete(self, entry_id: str, /) -> r204:
        """Take a recommendation out of its slot.

        Tags: recommendations
        Status Codes:
            204: Removed.
        """
        actor = self.require_curator()
        row_id = require_id(entry_id, "recommendation")
        await recommendations.remove(self.database, row_id=row_id, actor=actor)
        return respond_empty()


ROUTES: Final = (
    web.view("/api/v1/recommendations", RecommendedView),
    web.view("/api/v1/recommendations/entries", RecommendationsView),
    web.view("/api/v1/recommendations/entries/{entry_id}", RecommendationView),
)
