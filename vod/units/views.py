"""``/org-units`` of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotAllowedError
from vod.accounts.rights import Action, find_reach, may
from vod.accounts.roles import Viewer
from vod.http.keys import CLOCK
from vod.http.pagination import PageQuery, page_members
from vod.http.types import Identifier, SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.units import queries, schemas, service
from vod.units.models import OrgUnit
from vod.units.service import find_parent_path


async def render_units(
    session: AsyncSession, units: Sequence[OrgUnit], viewer: Viewer
) -> list[schemas.OrgUnit]:
    """Render units with their counts: three queries, however many units."""
    paths = [unit.path for unit in units]
    names = await queries.load_full_names(session, paths)
    sums, own = await queries.count_members(session, paths)
    children = await queries.count_children(session, [unit.id for unit in units])
    return [
        schemas.OrgUnit(
            id=unit.id,
            parent_id=unit.parent_id,
            name=unit.name,
            full_name=names[unit.id],
            kind=unit.kind,
            position=unit.position,
            children_count=children.get(unit.id, 0),
            members_count=sums.get(unit.id, 0),
            own_members_count=own.get(unit.id, 0),
            may_change=may(viewer, Action.CHANGE_UNITS, find_parent_path(unit.path)),
            may_add=may(viewer, Action.CHANGE_UNITS, unit.path),
        )
        for unit in units
    ]


def require_sight(viewer: Viewer, unit: OrgUnit) -> None:
    """Raises ``NotAllowedError`` when the unit is not within what the viewer may see."""
    if not may(viewer, Action.SEE_UNITS, unit.path):
        raise NotAllowedError("not a unit of yours", title_zh="只能查看本单位及下级组织")


class _UnitBase(ApiView):
    def require_reach(self) -> tuple[str, ...]:
        """Return the tops of what the viewer may see."""
        self.require_account()
        reach = find_reach(self.viewer, Action.SEE_UNITS)
        if not reach:
            raise NotAllowedError("no rights in any unit", title_zh="没有查看组织机构的权限")
        return reach

    async def answer(self, unit: OrgUnit, *, status: int = 200) -> web.Response:
        async with self.database.read() as session:
            rendered = await render_units(session, [unit], self.viewer)
        return respond(rendered[0], status=status)


class OrgUnitsView(_UnitBase):
    async def get(
        self,
        page: PageQuery,
        parent_id: Annotated[
            Identifier | None, Field(description="Units directly below it; else the top ones")
        ] = None,
        q: SearchText = "",
    ) -> r200[schemas.OrgUnitPage]:
        """List units below one, or find them by name.

        Tags: units
        """
        reach = self.require_reach()
        async with self.database.read() as session:
            within = reach
            if parent_id is not None:
                parent = await queries.require_unit(session, parent_id, field="parent_id")
                require_sight(self.viewer, parent)
                within = (parent.path,)
            if q.strip():
                units, total = await queries.find_units_page(session, page, words=q, reach=within)
            else:
                units, total = await queries.load_children_page(
                    session, page, parent_id=parent_id, tops=reach
                )
            items = await render_units(session, units, self.viewer)
        return respond(schemas.OrgUnitPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewOrgUnit) -> r201[schemas.OrgUnit]:
        """Create a unit.

        Tags: units
        Status Codes:
            201: Created, as the last of its siblings.
            409: A sibling has this name, or the tree is too deep or full.
        """
        self.require_account()
        now = self.request.app[CLOCK].now()
        unit = await service.create_unit(self.database, body, viewer=self.viewer, now=now)
        return await self.answer(unit, status=201)


class OrgUnitView(_UnitBase):
    async def get(self, org_unit_id: str, /) -> r200[schemas.OrgUnit]:
        """Show a unit.

        Tags: units
        """
        self.require_reach()
        async with self.database.read() as session:
            unit = await queries.load_unit(session, require_id(org_unit_id, "unit"))
        require_sight(self.viewer, unit)
        return await self.answer(unit)

    async def patch(
        self, org_unit_id: str, /, body: schemas.OrgUnitChange
    ) -> r200[schemas.OrgUnit]:
        """Rename, move or order a unit.

        Tags: units
        Status Codes:
            200: Changed.
            409: It would lie below itself, too deep, or beside its namesake.
        """
        self.require_account()
        unit = await service.change_unit(
            self.database,
            body,
            unit_id=require_id(org_unit_id, "unit"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.answer(unit)

    async def delete(self, org_unit_id: str, /) -> r204:
        """Delete an empty unit.

        Tags: units
        Status Codes:
            204: Deleted.
            409: It is not empty.
        """
        self.require_account()
        await service.delete_unit(
            self.database,
            unit_id=require_id(org_unit_id, "unit"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


ROUTES: Final = (
    web.view("/api/v1/org-units", OrgUnitsView),
    web.view("/api/v1/org-units/{org_unit_id}", OrgUnitView),
)
