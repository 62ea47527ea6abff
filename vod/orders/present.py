"""Rows of orders -> answers, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.models import Account
from vod.http.pagination import PageQuery, page_members
from vod.library.models import Instructor
from vod.orders import queries, schemas
from vod.orders.models import Deed, Order
from vod.orders.policy import Part, list_moves
from vod.units.models import OrgUnit


async def present_rows(session: AsyncSession, rows: Sequence[Order]) -> list[schemas.OrderRow]:
    people = await queries.load_names(
        session, {one for row in rows for one in (row.created_by, row.assignee_id)}, Account
    )
    units = await queries.load_names(
        session, {one for row in rows for one in (row.unit_id, row.desk_unit_id)}, OrgUnit
    )
    teachers = await queries.load_names(session, {row.instructor_id for row in rows}, Instructor)
    return [
        schemas.OrderRow(
            id=row.id, kind=row.kind, title=row.title, target_id=row.target_id, state=row.state,
            is_for_unit=row.is_for_unit, unit=_name(units, row.unit_id),
            desk_unit=_name(units, row.desk_unit_id),
            orderer=people.get(row.created_by or "", ""), attendees_count=row.attendees_count,
            wished=row.wished, wished_on=row.wished_on, assignee=_name(people, row.assignee_id),
            instructor=_name(teachers, row.instructor_id), planned_at=row.planned_at,
            due_at=row.due_at, overdue_since=row.overdue_since,
            reopened_count=row.reopened_count, score=row.score, created_at=row.created_at,
            version=row.version,
        )
        for row in rows
    ]  # fmt: skip


async def present_order(
    session: AsyncSession, row: Order, parts: Collection[Part]
) -> schemas.Order:
    """Build the answer for somebody who is ``parts`` to it."""
    (short,) = await present_rows(session, [row])
    events = await queries.load_events(session, row.id)
    people = await queries.load_names(session, {event.actor_id for event in events}, Account)
    units = await queries.load_names(session, {event.unit_id for event in events}, OrgUnit)
    delivered = None
    if row.delivered is not None:
        title = await queries.load_delivered_title(session, row)
        delivered = schemas.Delivered(
            how=row.delivered, id=row.delivered_id, title=title, held_on=row.held_on
        )
    is_known = not {Part.ORDERER, Part.ASSIGNEE, Part.DESK}.isdisjoint(parts)
    return schemas.Order(
        **dict(short),
        note=row.note,
        contact=row.contact if is_known else "",
        reply=row.reply,
        comment=row.comment,
        delivered=delivered,
        moves=_list_moves(row, parts),
        events=[
            schemas.OrderEvent(
                at=event.at,
                deed=event.deed,
                state=event.state,
                actor=people.get(event.actor_id or ""),
                text=event.text,
                unit=_name(units, event.unit_id),
            )
            for event in events
        ],
    )


def _list_moves(row: Order, parts: Collection[Part]) -> list[Any]:
    """A rating that opens the order again is one of the same move."""
    return [deed.value for deed in list_moves(row.state, parts) if deed is not Deed.REOPEN]


async def present_demand(
    session: AsyncSession,
    ranked: Sequence[tuple[str, int, int, int, int, str]],
    page: PageQuery,
    total: int,
) -> schemas.DemandPage:
    latest_ids = [latest_id for *_, latest_id in ranked]
    rows = await session.scalars(select(Order).where(Order.id.in_(latest_ids)))
    latest = {row.id: row for row in rows}
    items = [
        schemas.Demand(
            kind=latest[latest_id].kind,
            target_id=latest[latest_id].target_id,
            title=latest[latest_id].title,
            orders_count=orders_count,
            people_count=people_count,
            attendees_count=attendees_count,
            open_count=open_count,
        )
        for _, people_count, orders_count, attendees_count, open_count, latest_id in ranked
    ]
    return schemas.DemandPage(items=items, **page_members(page, total))


def _name(names: dict[str, str], key: str | None) -> schemas.Named | None:
    return schemas.Named(id=key, name=names[key]) if key is not None and key in names else None
