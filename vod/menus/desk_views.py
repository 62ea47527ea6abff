"""``/menus`` of the API for editors: drafts, versions, reports."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201
from pydantic import Field

from kernel.errors import ConflictError, NotAllowedError
from kernel.http import build_problem
from vod.accounts.rights import Action, may_anywhere
from vod.http.keys import CLOCK
from vod.http.pagination import PageQuery, page_members
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond
from vod.menus import reading, schemas, service
from vod.menus.content import MAX_BODY_BYTES

MAX_NUMBER: Final = 1_000_000_000  # What every database's integers hold.
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


class MenuBase(ApiView):
    def require_curator(self) -> service.Actor:
        """Return who acts; of which units is asked where the menu is known."""
        self.require_account()
        if not may_anywhere(self.viewer, Action.CURATE):
            raise NotAllowedError("only editors and administrators curate menus")
        return service.Actor(self.viewer, self.request.app[CLOCK].now())

    async def load_draft(self, menu_id: str, actor: service.Actor) -> schemas.MenuDraft:
        async with self.database.read() as session:
            return await reading.load_draft(session, menu_id, self.viewer, actor.now)

    async def refuse_stale(self, menu_id: str, actor: service.Actor, version: int) -> web.Response:
        """Answer 409 with the draft as it is now, so that the page can merge."""
        current = await self.load_draft(menu_id, actor)
        return build_problem(
            kind=ConflictError.kind,
            status=ConflictError.status,
            title="菜单已被别人改过,请先合并再保存",
            detail=f"the draft is at version {current.version}, not {version}",
            current=current.model_dump(mode="json"),
        )


class MenuRowsView(MenuBase):
    async def get(self, page: PageQuery, q: SearchText = "") -> r200[schemas.MenuRowPage]:
        """List the menus that one may curate, in the order of members.

        Tags: menus
        """
        actor = self.require_curator()
        async with self.database.read() as session:
            rows, total = await reading.load_rows(session, page, self.viewer, actor.now, words=q)
        return respond(schemas.MenuRowPage(items=rows, **page_members(page, total)))


class BrokenLinksView(MenuBase):
    async def get(self) -> r200[schemas.BrokenLinks]:
        """List items that lead to nothing, in present versions and in drafts.

        Tags: menus
        """
        actor = self.require_curator()
        async with self.database.read() as session:
            items = await reading.load_broken(session, self.viewer, actor.now)
        return respond(schemas.BrokenLinks(items=items))


class DraftView(MenuBase):
    max_body_bytes = MAX_BODY_BYTES

    async def get(self, menu_id: str, /) -> r200[schemas.MenuDraft]:
        """Show the draft of a menu.

        Tags: menus
        """
        actor = self.require_curator()
        return respond(await self.load_draft(require_id(menu_id, "menu"), actor))

    async def put(self, menu_id: str, /, body: schemas.DraftSave) -> r200[schemas.MenuDraft]:
        """Save the draft. Somebody else's change is never written over.

        Tags: menus
        Status Codes:
            200: Saved; the answer has the next version.
            409: Somebody saved meanwhile; ``current`` is the draft as it is now.
        """
        actor = self.require_curator()
        require_id(menu_id, "menu")
        if not await service.save_draft(self.database, body, menu_id=menu_id, actor=actor):
            return await self.refuse_stale(menu_id, actor, body.version)
        return respond(await self.load_draft(menu_id, actor))


class MergeView(MenuBase):
    max_body_bytes = 2 * MAX_BODY_BYTES

    async def post(self, menu_id: str, /, body: schemas.DraftMerge) -> r200[schemas.MergedDraft]:
        """Merge what one wrote with the draft as it is now; nothing is stored.

        Tags: menus
        """
        self.require_curator()
        async with self.database.read() as session:
            menu, merged = await service.merge_draft(
                session, body, menu_id=require_id(menu_id, "menu"), viewer=self.viewer
            )
        conflicts = [
            schemas.MergeConflict.model_validate(conflict, from_attributes=True)
            for conflict in merged.conflicts
        ]
        return respond(
            schemas.MergedDraft(
                version=menu.draft_version,
                content=merged.content,
                conflicts=conflicts,
                saved_by=menu.saver.display_name if menu.saver else None,
                saved_at=menu.saved_at,
            )
        )


class PublishView(MenuBase):
    async def post(self, menu_id: str, /, body: schemas.Publishing) -> r201[schemas.MenuDraft]:
        """Publish the draft that was seen, now or from a later moment on.

        Tags: menus
        Status Codes:
            201: There is a new version.
            409: Somebody saved meanwhile; ``current`` is the draft as it is now.
        """
        actor = self.require_curator()
        require_id(menu_id, "menu")
        if not await service.publish(self.database, body, menu_id=menu_id, actor=actor):
            return await self.refuse_stale(menu_id, actor, body.version)
        return respond(await self.load_draft(menu_id, actor), status=201)


class RollbackView(MenuBase):
    async def post(self, menu_id: str, /, body: schemas.Rollback) -> r201[schemas.MenuDraft]:
        """Show an old version again, as a new one. Unpublished changes of the draft stay.

        Tags: menus
        Status Codes:
            201: There is a new version.
        """
        actor = self.require_curator()
        require_id(menu_id, "menu")
        await service.roll_back(self.database, body, menu_id=menu_id, actor=actor)
        return respond(await self.load_draft(menu_id, actor), status=201)


class VersionsView(MenuBase):
    async def get(self, menu_id: str, /, page: PageQuery) -> r200[schemas.VersionPage]:
        """List the versions of a menu, newest first.

        Tags: menus
        """
        actor = self.require_curator()
        async with self.database.read() as session:
            rows, total = await reading.load_versions(
                session, page, require_id(menu_id, "menu"), self.viewer, actor.now
            )
        return respond(schemas.VersionPage(items=rows, **page_members(page, total)))


class VersionView(MenuBase):
    async def get(self, menu_id: str, number: Number, /) -> r200[schemas.VersionShown]:
        """Show one version whole.

        Tags: menus
        """
        actor = self.require_curator()
        async with self.database.read() as session:
            shown = await reading.load_one_version(
                session, require_id(menu_id, "menu"), number, self.viewer, actor.now
            )
        return respond(shown)


class DiffView(MenuBase):
    async def get(
        self,
        menu_id: str,
        /,
        before: Annotated[
            Number | None, Field(description="Without it the present version")
        ] = None,
        after: Annotated[Number | None, Field(description="Else the draft")] = None,
    ) -> r200[schemas.MenuDiff]:
        """Tell what was added, removed, moved and changed between two versions.

        Tags: menus
        """
        actor = self.require_curator()
        async with self.database.read() as session:
            shown = await reading.load_diff(
                session, require_id(menu_id, "menu"), self.viewer, actor.now,
                before=before, after=after,
            )  # fmt: skip
        return respond(shown)


_MENU: Final = "/api/v1/menus/{menu_id}"
ROUTES: Final = (
    web.view("/api/v1/menus/drafts", MenuRowsView),
    web.view("/api/v1/menus/broken-links", BrokenLinksView),
    web.view(_MENU + "/draft", DraftView),
    web.view(_MENU + "/merge", MergeView),
    web.view(_MENU + "/publish", PublishView),
    web.view(_MENU + "/rollback", RollbackView),
    web.view(_MENU + "/versions", VersionsView),
    web.view(_MENU + "/versions/{number}", VersionView),
    web.view(_MENU + "/diff", DiffView),
)
