"""Statements on orders. They never commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, distinct, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.accounts.models import Account, RoleScope
from vod.accounts.rights import RIGHTS, ROOT_PATH, Action, find_reach
from vod.accounts.roles import Role, Viewer
from vod.classes.models import LiveClass
from vod.http.pagination import PageQuery, build_like
from vod.lectures.models import Lecture
from vod.library.models import Instructor, Venue
from vod.orders.models import Delivery, Order, OrderEvent, OrderState
from vod.orders.policy import OPEN, Belonging, Part, find_parts
from vod.units.models import OrgUnit
from vod.units.queries import build_reach
from vod.units.tree import split_path

MAX_ASSIGNEES = 200


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a list shows."""

    words: str = ""
    state: OrderState | None = None
    is_overdue: bool = False


async def load_order(
    session: AsyncSession, order_id: str, viewer: Viewer
) -> tuple[Order, frozenset[Part]]:
    """Load one, with what the viewer is to it.

    Raises:
        NotFoundError: There is none that the viewer may know of.
    """
    row = await session.get(Order, order_id)
    if row is None:
        raise NotFoundError("no such order")
    unit = await session.get(OrgUnit, row.unit_id) if row.unit_id else None
    parts = find_parts(
        viewer,
        Belonging(
            created_by=row.created_by,
            assignee_id=row.assignee_id,
            unit_path=unit.path if unit else None,
            is_for_unit=row.is_for_unit,
        ),
    )
    if not parts:
        raise NotFoundError("no such order")
    return row, parts


def build_own(viewer: Viewer) -> ColumnElement[bool]:
    """What the viewer ordered, or was ordered for the own unit."""
    own = Order.created_by == viewer.account_id
    path = viewer.member.unit_path if viewer.member else None
    if path is None:
        return own
    return or_(own, and_(Order.is_for_unit, Order.unit_id == split_path(path)[-1]))


def build_desk(viewer: Viewer) -> ColumnElement[bool]:
    """What the viewer may handle."""
    reach = find_reach(viewer, Action.HANDLE_ORDERS)
    if not reach:
        return false()
    if ROOT_PATH in reach:
        return Order.id.is_not(None)
    return Order.unit_id.in_(select(OrgUnit.id).where(build_reach(reach)))


def build_list(scope: ColumnElement[bool], wanted: OrderFilter) -> Select[tuple[Order]]:
    """The latest first; at the desk what is late comes before."""
    query = select(Order).where(scope)
    if wanted.state is not None:
        query = query.where(Order.state == wanted.state)
    if wanted.is_overdue:
        query = query.where(Order.overdue_since.is_not(None))
    if wanted.words.strip():
        like = build_like(wanted.words)
        found = (Order.title, Order.note)
        query = query.where(or_(*(column.ilike(like, escape="\\") for column in found)))
    return query.order_by(Order.created_at.desc(), Order.id.desc())


async def load_events(session: AsyncSession, order_id: str) -> list[OrderEvent]:
    query = select(OrderEvent).where(OrderEvent.order_id == order_id)
    return list(await session.scalars(query.order_by(OrderEvent.at, OrderEvent.id)))


async def load_names(
    session: AsyncSession, ids: set[str | None], column: type[Account | Instructor | OrgUnit]
) -> dict[str, str]:
    """Names by identifier in one query; who is gone is left out."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    name = column.display_name if column is Account else column.name  # type: ignore[union-attr]
    rows = await session.execute(select(column.id, name).where(column.id.in_(wanted)))
    return {str(key): str(value) for key, value in rows.tuples()}


async def count_open(session: AsyncSession, account_id: str | None) -> int:
    query = select(func.count()).select_from(Order)
    query = query.where(Order.created_by == account_id, Order.state.in_(OPEN))
    return await session.scalar(query) or 0


async def load_delivered_title(session: AsyncSession, row: Order) -> str:
    """What it was delivered with is called; empty when it is gone, or was nothing."""
    if row.delivered is None or row.delivered_id is None:
        return ""
    column = {
        Delivery.LIVE: select(LiveClass.title).where(LiveClass.id == row.delivered_id),
        Delivery.REPLAY: select(Lecture.title).where(
            Lecture.id == row.delivered_id, Lecture.deleted_at.is_(None)
        ),
        Delivery.ON_SITE: select(Venue.name).where(Venue.id == row.delivered_id),
    }.get(row.delivered)
    return "" if column is None else (await session.scalar(column) or "")


def build_handlers(unit_path: str | None) -> ColumnElement[bool]:
    """Accounts that can be given an order of a unit: its desks, and all who teach."""
    by_role = [role for role in Role if Action.HANDLE_ORDERS in RIGHTS[role]]
    above = [] if unit_path is None else _list_prefixes(unit_path)
    scoped = (
        select(RoleScope.account_id)
        .join(OrgUnit, OrgUnit.id == RoleScope.unit_id)
        .where(RoleScope.role.in_(by_role), OrgUnit.path.in_(above))
    )
    is_scoped = select(RoleScope.account_id).where(RoleScope.role == Role.EDITOR)
    whole_city = and_(
        Account.role.in_({*by_role, Role.INSTRUCTOR} - {Role.UNIT_ADMIN}),
        or_(Account.role != Role.EDITOR, Account.id.not_in(is_scoped)),
    )
    return and_(Account.is_disabled.is_(False), or_(whole_city, Account.id.in_(scoped)))


def _list_prefixes(path: str) -> list[str]:
    parts = split_path(path)
    return ["/" + "/".join(parts[: count + 1]) + "/" for count in range(len(parts))]


async def load_assignees(session: AsyncSession, unit_path: str | None) -> list[tuple[Account, int]]:
    """Who can be given an order, with how much they have; whoever has least comes first."""
    busy = (
        select(Order.assignee_id, func.count().label("count"))
        .where(Order.state.in_((OrderState.ASSIGNED, OrderState.ACCEPTED)))
        .group_by(Order.assignee_id)
        .subquery()
    )
    count = func.coalesce(busy.c.count, 0)
    query = (
        select(Account, count)
        .outerjoin(busy, busy.c.assignee_id == Account.id)
        .where(build_handlers(unit_path))
        .order_by(count, Account.pinyin, Account.id)
        .limit(MAX_ASSIGNEES)
    )
    return [(account, number) for account, number in (await session.execute(query)).tuples()]


async def load_demand(
    session: AsyncSession,
    scope: ColumnElement[bool],
    page: PageQuery,
    *,
    since: datetime | None,
) -> tuple[Sequence[tuple[str, int, int, int, int, str]], int]:
    """Rank what is wanted: by people, then by orders, then by its key, so that ties stay put.

    Returns:
        Key, people, orders, attendees, open orders and the latest order's identifier of each,
        and how many there are in all.
    """
    people = func.count(distinct(Order.created_by))
    orders = func.count(Order.id)
    is_open = func.sum(case((Order.state.in_(OPEN), 1), else_=0))
    query = (
        select(
            Order.demand_key,
            people,
            orders,
            func.sum(Order.attendees_count),
            is_open,
            func.max(Order.id),
        )
        .where(scope, Order.state != OrderState.WITHDRAWN)
        .group_by(Order.demand_key)
    )
    if since is not None:
        query = query.where(Order.created_at >= since)
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = await session.execute(
        query.order_by(people.desc(), orders.desc(), Order.demand_key)
        .limit(page.page_size)
        .offset((page.page - 1) * page.page_size)
    )
    return list(rows.tuples()), total


async def load_ratings(
    session: AsyncSession, instructor_ids: Sequence[str]
) -> dict[str, tuple[float, int]]:
    """Mean score and number of ratings by teacher; who has none is left out."""
    query = (
        select(Order.instructor_id, func.avg(Order.score), func.count(Order.score))
        .where(Order.instructor_id.in_(instructor_ids), Order.score.is_not(None))
        .group_by(Order.instructor_id)
    )
    rows = (await session.execute(query)).tuples()
    return {str(key): (round(float(mean), 2), count) for key, mean, count in rows}
