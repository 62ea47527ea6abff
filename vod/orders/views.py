"""``/orders`` of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201
from pydantic import Field
from sqlalchemy import ColumnElement

from kernel.errors import NotAllowedError
from vod.accounts.rights import Action, may_anywhere
from vod.http.keys import CLOCK
from vod.http.pagination import PageQuery, load_page, page_members
from vod.http.types import Moment, SearchText
from vod.http.view import ApiView, require_id, respond
from vod.orders import queries, schemas, service
from vod.orders.models import Order, OrderState
from vod.orders.policy import Part
from vod.orders.present import present_demand, present_order, present_rows
from vod.units.models import OrgUnit

ONE: Final = "/api/v1/orders/{order_id}"


class _OrderBase(ApiView):
    @property
    def now(self) -> datetime:
        return self.request.app[CLOCK].now()

    def require_desk(self) -> None:
        self.require_account()
        if not may_anywhere(self.viewer, Action.HANDLE_ORDERS):
            raise NotAllowedError("only those who handle orders")

    async def answer(self, order_id: str, *, status: int = 200) -> web.Response:
        async with self.database.read() as session:
            row, parts = await queries.load_order(session, order_id, self.viewer)
            return respond(await present_order(session, row, parts), status=status)


class OrdersView(_OrderBase):
    async def get(
        self,
        page: PageQuery,
        scope: Annotated[
            Literal["mine", "assigned", "desk"],
            Field(description="Own ones and those of the own unit; given to me; to be handled"),
        ] = "mine",
        q: SearchText = "",
        state: Annotated[OrderState | None, Field(description="Only these")] = None,
        overdue: Annotated[  # noqa: FBT002 - a parameter of the query
            bool, Field(description="Only those that are late")
        ] = False,
    ) -> r200[schemas.OrderPage]:
        """List orders, the latest first.

        Tags: orders
        """
        self.require_account()
        if scope == "desk":
            self.require_desk()
        wanted = queries.OrderFilter(words=q, state=state, is_overdue=overdue)
        query = queries.build_list(self._build_scope(scope), wanted)
        async with self.database.read() as session:
            rows, total = await load_page(session, query, page)
            items = await present_rows(session, rows)
        return respond(schemas.OrderPage(items=items, **page_members(page, total)))

    def _build_scope(self, scope: str) -> ColumnElement[bool]:
        if scope == "desk":
            return queries.build_desk(self.viewer)
        if scope == "assigned":
            return Order.assignee_id == self.viewer.account_id
        return queries.build_own(self.viewer)

    async def post(self, body: schemas.NewOrder) -> r201[schemas.Order]:
        """Order something of the catalogue, a teacher, or what is not there yet.

        Tags: orders
        Status Codes:
            201: Ordered.
            409: Too many of the own orders are open.
        """
        self.require_account()
        row = await service.create_order(self.database, body, viewer=self.viewer, now=self.now)
        return await self.answer(row.id, status=201)


class OneOrderView(_OrderBase):
    async def get(self, order_id: str, /) -> r200[schemas.Order]:
        """Show an order with what happened to it.

        Tags: orders
        """
        self.require_account()
        return await self.answer(require_id(order_id, "order"))


class OrderMovesView(_OrderBase):
    async def post(self, order_id: str, /, body: schemas.OrderMove) -> r200[schemas.Order]:
        """Move an order one step of its loop; 409 when somebody else was quicker.

        Tags: orders
        """
        self.require_account()
        require_id(order_id, "order")
        await service.move_order(self.database, order_id, body, viewer=self.viewer, now=self.now)
        return await self.answer(order_id)


class OrderAssigneesView(_OrderBase):
    async def get(self, order_id: str, /) -> r200[schemas.Assignees]:
        """List who can be given an order, whoever has least to do first.

        Tags: orders
        """
        self.require_account()
        require_id(order_id, "order")
        async with self.database.read() as session:
            row, parts = await queries.load_order(session, order_id, self.viewer)
            if Part.DESK not in parts:
                raise NotAllowedError("only those who handle this order")
            unit = await session.get(OrgUnit, row.unit_id) if row.unit_id else None
            found = await queries.load_assignees(session, unit.path if unit else None)
            ids = {account.unit_id for account, _ in found}
            units = await queries.load_names(session, ids, OrgUnit)
        return respond(
            schemas.Assignees(
                items=[
                    schemas.Assignee(
                        id=account.id,
                        name=account.display_name,
                        unit=units.get(account.unit_id or ""),
                        open_count=count,
                    )
                    for account, count in found
                ]
            )
        )


class OrderDemandView(_OrderBase):
    async def get(
        self,
        page: PageQuery,
        since: Annotated[Moment | None, Field(description="Only ordered since")] = None,
    ) -> r200[schemas.DemandPage]:
        """Rank what is wanted most, for planners; withdrawn orders do not count.

        Tags: orders
        """
        self.require_desk()
        async with self.database.read() as session:
            scope = queries.build_desk(self.viewer)
            ranked, total = await queries.load_demand(session, scope, page, since=since)
            return respond(await present_demand(session, ranked, page, total))


ROUTES: Final = (
    web.view("/api/v1/orders", OrdersView),
    web.view("/api/v1/orders/demand", OrderDemandView),
    web.view(ONE, OneOrderView),
    web.view(ONE + "/moves", OrderMovesView),
    web.view(ONE + "/assignees", OrderAssigneesView),
)
