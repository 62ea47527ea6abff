"""``/menus`` of the API for members; editors' operations are in ``desk_views``."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import NotFoundError
from vod.accounts.roles import MemberFacts
from vod.audience.rule import Key
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.types import Identifier, Moment
from vod.http.view import require_id, respond, respond_empty
from vod.menus import present, schemas, service
from vod.menus.desk_views import ROUTES as DESK_ROUTES
from vod.menus.desk_views import MenuBase
from vod.menus.queries import load_menu
from vod.menus.reading import (
    Shown,
    find_unit_path,
    load_draft,
    load_facts,
    load_preview,
    load_shown,
)


def render_shown(shown: Shown) -> schemas.MenuShown:
    return present.present_menu(shown.menu, shown.content, shown.targets, number=shown.number)


class MenusView(MenuBase):
    async def get(self) -> r200[schemas.MenuList]:
        """List the menus that are for whoever asks, with what is in them.

        Tags: menus
        """
        self.require_account()
        now = self.request.app[CLOCK].now()
        async with self.database.read() as session:
            found = await load_shown(session, self.viewer, now)
        items = [
            present.present_summary(row.menu, row.content, number=row.number or 0) for row in found
        ]
        return respond(schemas.MenuList(items=items))

    async def post(self, body: schemas.NewMenu) -> r201[schemas.MenuDraft]:
        """Create a menu with nothing in it; members see it once it is published.

        Tags: menus
        Status Codes:
            201: Created.
        """
        actor = self.require_curator()
        menu_id = await service.create_menu(self.database, body, actor)
        async with self.database.read() as session:
            draft = await load_draft(session, menu_id, self.viewer, actor.now)
        return respond(draft, status=201)


class MenuView(MenuBase):
    async def patch(self, menu_id: str, /, body: schemas.MenuChange) -> r200[schemas.MenuDraft]:
        """Change a menu's place among the others, or withdraw it, or show it again.

        Tags: menus
        """
        actor = self.require_curator()
        require_id(menu_id, "menu")
        await service.change_menu(self.database, body, menu_id=menu_id, actor=actor)
        async with self.database.read() as session:
            return respond(await load_draft(session, menu_id, self.viewer, actor.now))

    async def delete(self, menu_id: str, /) -> r204:
        """Delete a menu.

        Tags: menus
        Status Codes:
            204: Deleted.
        """
        actor = self.require_curator()
        require_id(menu_id, "menu")
        await service.delete_menu(self.database, menu_id=menu_id, actor=actor)
        return respond_empty()

    async def get(self, menu_id: str, /) -> r200[schemas.MenuShown]:
        """Show a menu as whoever asks sees it.

        Tags: menus
        """
        self.require_account()
        require_id(menu_id, "menu")
        async with self.database.read() as session:
            found = await load_shown(
                session,
                self.viewer,
                self.request.app[CLOCK].now(),
                menu_id=menu_id,
                origin=read_origin(self.request),
            )
        if not found:
            raise NotFoundError("no such menu")
        return respond(render_shown(found[0]))


class MenuPreviewView(MenuBase):
    async def get(  # noqa: PLR0917 - parameters of a query come by name
        self,
        menu_id: Annotated[
            Identifier | None, Field(description="Its draft; else all menus that are published")
        ] = None,
        account_id: Annotated[Identifier | None, Field(description="See as this member")] = None,
        unit_id: Annotated[Identifier | None, Field(description="Or as one of this unit")] = None,
        category: Annotated[Key | None, Field(description="and this category")] = None,
        level: Annotated[Key | None, Field(description="and this level")] = None,
        at: Annotated[Moment | None, Field(description="At this moment instead of now")] = None,
    ) -> r200[schemas.MenuPreview]:
        """Show what one member would see: a real one, or one of a group.

        Tags: menus
        """
        actor = self.require_curator()
        origin, now = read_origin(self.request), at or actor.now
        async with self.database.read() as session:
            path = await find_unit_path(session, unit_id, self.viewer)
            facts = MemberFacts(unit_path=path, category=category, level=level)
            member = await load_facts(session, self.viewer, account_id=account_id, facts=facts)
            if menu_id is None:
                shown = await load_shown(session, member, now, origin=origin)
            else:
                menu = await load_menu(session, menu_id, self.viewer)
                shown = await load_preview(session, menu, member, now, origin=origin)
        return respond(schemas.MenuPreview(menus=[render_shown(row) for row in shown]))


ROUTES: Final = (
    web.view("/api/v1/menus", MenusView),
    web.view("/api/v1/menus/preview", MenuPreviewView),
    *DESK_ROUTES,
    web.view("/api/v1/menus/{menu_id}", MenuView),
)
