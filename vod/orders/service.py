"""Order, move an order along its loop, let the clock carry what is late. Owns its transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotAllowedError
from vod.accounts.models import Account
from vod.accounts.rights import Action, may
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.classes.models import LiveClass
from vod.db.base import Base
from vod.db.engine import Database
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.library.calendar import find_today
from vod.library.instructors.service import is_orderable
from vod.library.models import Instructor, Venue
from vod.orders import policy, queries, schemas
from vod.orders.models import Deed, Delivery, Order, OrderEvent, OrderKind, OrderState
from vod.series.models import Series
from vod.units.models import OrgUnit
from vod.units.queries import require_unit
from vod.units.tree import split_path

BATCH_COUNT: Final = 200  # Orders that one round carries up.

log = structlog.get_logger(__name__)


async def create_order(
    database: Database, wanted: schemas.NewOrder, *, viewer: Viewer, now: datetime
) -> Order:
    """Order something.

    Raises:
        InputError: 422, there is nothing like that to order, or no such unit.
        NotAllowedError: Ordered for a unit that is neither the own one nor below the own desk.
        ConflictError: Too many of the own orders are open.
    """
    async with database.write() as session:
        if await queries.count_open(session, viewer.account_id) >= policy.MAX_OPEN_COUNT:
            raise ConflictError(
                "too many orders are open",
                title_zh=f"您还有 {policy.MAX_OPEN_COUNT} 个点单没有办完，请先等一等",
            )
        unit = await _find_unit(session, wanted.unit_id, viewer)
        policy.check_named(wanted.kind, wanted.target_id, wanted.title)
        title = wanted.title or await _find_title(session, wanted, viewer, now)
        row = Order(
            kind=wanted.kind, title=title, target_id=wanted.target_id, note=wanted.note,
            demand_key=policy.build_demand_key(wanted.kind, wanted.target_id, title),
            contact=wanted.contact, wished=wanted.wished, wished_on=wanted.wished_on,
            attendees_count=wanted.attendees_count, is_for_unit=wanted.unit_id is not None,
            unit_id=unit.id if unit else None,
            desk_unit_id=(unit.parent_id or unit.id) if unit else None,
            state=OrderState.ORDERED, due_at=policy.find_due(OrderState.ORDERED, now=now),
            version=1, created_at=now, created_by=viewer.account_id,
        )  # fmt: skip
        session.add(row)
        await session.flush()
        _tell(session, row, Deed.ORDER, viewer.account_id, now, text=wanted.note)
    return row


async def _find_unit(session: AsyncSession, unit_id: str | None, viewer: Viewer) -> OrgUnit | None:
    own_path = viewer.member.unit_path if viewer.member else None
    own_id = split_path(own_path)[-1] if own_path else None
    if unit_id is None:
        return await session.get(OrgUnit, own_id) if own_id else None
    unit = await require_unit(session, unit_id, field="unit_id")
    if unit.id != own_id and not may(viewer, Action.HANDLE_ORDERS, unit.path):
        raise NotAllowedError("that unit is neither yours nor below your desk")
    return unit


async def _find_title(
    session: AsyncSession, wanted: schemas.NewOrder, viewer: Viewer, now: datetime
) -> str:
    found: str | None = None
    if wanted.kind is OrderKind.LECTURE:
        is_there = (Lecture.id == wanted.target_id, Lecture.deleted_at.is_(None))
        found = await session.scalar(select(Lecture.title).where(*is_there, build_visible(viewer)))
    elif wanted.kind is OrderKind.SERIES:
        series = await session.get(Series, wanted.target_id)
        found = series.title if series is not None and series.is_published else None
    else:
        found = (await _require_teacher(session, str(wanted.target_id), "target_id", now)).name
    if found is None:
        raise InputError(
            "target_id: nothing like that", field="target_id", status=422, title_zh="没有这门课"
        )
    return found


async def _require_teacher(
    session: AsyncSession, instructor_id: str, field: str, now: datetime
) -> Instructor:
    row = await session.get(Instructor, instructor_id)
    if row is None or not row.is_published or not is_orderable(row, find_today(now)):
        raise InputError(
            f"{field}: nobody who can be ordered", field=field, status=422,
            title_zh="这位老师现在不能点单",
        )  # fmt: skip
    return row


async def move_order(
    database: Database, order_id: str, wanted: schemas.OrderMove, *, viewer: Viewer, now: datetime
) -> Order:
    """Move an order one step.

    Raises:
        NotFoundError: There is none that the viewer may know of.
        NotAllowedError: That step is somebody else's.
        ConflictError: It was moved since, or there is no such step from here.
        InputError: 422, something that this step needs is missing or wrong.
    """
    async with database.write() as session:
        row, parts = await queries.load_order(session, order_id, viewer)
        deed = _name_deed(wanted)
        if not policy.is_anybodys(deed, parts):
            raise NotAllowedError(f"{deed.value}: not yours to do")
        if row.version != wanted.version:
            raise _stale()
        state = policy.find_next(row.state, deed)
        policy.require_text(deed, wanted.text)
        values = await _find_values(session, row, deed, wanted, viewer=viewer, now=now)
        planned_at = values.get("planned_at", row.planned_at)
        statement = (
            update(Order)
            .where(Order.id == order_id, Order.version == wanted.version)
            .values(
                **values,
                state=state,
                version=wanted.version + 1,
                due_at=policy.find_due(state, now=now, planned_at=planned_at),
                overdue_since=None,
            )
            .execution_options(synchronize_session=False)
        )
        if await change(session, statement) != 1:
            raise _stale()
        await session.refresh(row)
        _tell(session, row, deed, viewer.account_id, now, text=wanted.text)
    return row


def _name_deed(wanted: schemas.OrderMove) -> Deed:
    if wanted.move != "rate":
        return Deed(wanted.move)
    if wanted.score is None:
        raise InputError(
            "score: is needed here", field="score", status=422, title_zh="请选择满意程度"
        )
    return policy.name_rating(wanted.score)


def _stale() -> ConflictError:
    return ConflictError(
        "the order was moved meanwhile", title_zh="这个点单刚被别人处理过，请刷新后再操作"
    )


async def _find_values(
    session: AsyncSession,
    row: Order,
    deed: Deed,
    wanted: schemas.OrderMove,
    *,
    viewer: Viewer,
    now: datetime,
) -> dict[str, Any]:
    """What a step writes besides the state."""
    if deed is Deed.ASSIGN:
        return await _find_assignment(session, row, wanted, viewer=viewer, now=now)
    if deed is Deed.COMPLETE:
        policy.check_delivery(wanted.delivery, wanted.delivered_id, held_on=wanted.held_on)
        await _require_delivered(session, wanted, viewer)
    written: dict[Deed, dict[str, Any]] = {
        Deed.ACCEPT: {"planned_at": wanted.planned_at},
        Deed.RETURN: {"assignee_id": None, "instructor_id": None, "planned_at": None},
        Deed.COMPLETE: {
            "reply": wanted.text,
            "delivered": wanted.delivery,
            "delivered_id": wanted.delivered_id,
            "held_on": wanted.held_on,
        },
        Deed.RATE: {"score": wanted.score, "comment": wanted.text},
        Deed.REOPEN: {
            "comment": wanted.text,
            "reopened_count": row.reopened_count + 1,
            "assignee_id": None,
            "planned_at": None,
        },
    }
    return written.get(deed, {})


async def _find_assignment(
    session: AsyncSession,
    row: Order,
    wanted: schemas.OrderMove,
    *,
    viewer: Viewer,
    now: datetime,
) -> dict[str, Any]:
    """Who shall do it, and who teaches: whoever is given it, when they are in the pool."""
    teacher = None
    if wanted.instructor_id is not None:
        teacher = await _require_teacher(session, wanted.instructor_id, "instructor_id", now)
    by_teacher = teacher.account_id if teacher else None
    assignee_id = wanted.assignee_id or by_teacher or viewer.account_id
    if assignee_id not in {viewer.account_id, by_teacher}:
        unit = await session.get(OrgUnit, row.unit_id) if row.unit_id else None
        is_fit = queries.build_handlers(unit.path if unit else None)
        found = select(Account.id).where(Account.id == assignee_id, is_fit)
        if await session.scalar(found) is None:
            raise InputError(
                "assignee_id: cannot be given orders", field="assignee_id", status=422,
                title_zh="这个人不能接单",
            )  # fmt: skip
    if teacher is None:
        is_own = Instructor.account_id == assignee_id
        teacher = await session.scalar(select(Instructor).where(is_own))
    return {
        "assignee_id": assignee_id,
        "instructor_id": teacher.id if teacher else None,
        "planned_at": None,
    }


async def _require_delivered(
    session: AsyncSession, wanted: schemas.OrderMove, viewer: Viewer
) -> None:
    if wanted.delivered_id is None:
        return
    is_there: Base | str | None = None
    if wanted.delivery is Delivery.LIVE:
        is_there = await session.get(LiveClass, wanted.delivered_id)
    elif wanted.delivery is Delivery.REPLAY:
        seen = (Lecture.id == wanted.delivered_id, Lecture.deleted_at.is_(None))
        is_there = await session.scalar(select(Lecture.id).where(*seen, build_visible(viewer)))
    elif wanted.delivery is Delivery.ON_SITE:
        is_there = await session.get(Venue, wanted.delivered_id)
    if is_there is None:
        raise InputError(
            "delivered_id: nothing like that", field="delivered_id", status=422,
            title_zh="没有找到所选的课或教学点",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Late:
    order_id: str
    due_at: datetime
    desk_unit_id: str | None
    overdue_since: datetime | None


async def carry_up(database: Database, *, now: datetime) -> int:
    """Carry what is late one desk up the tree; at the top it stays, marked. Returns how many.

    Idempotent over several vods: one UPDATE has one winner.
    """
    is_late = (Order.state.in_(policy.OPEN), Order.due_at <= now)
    async with database.read() as session:
        if await session.scalar(select(Order.id).where(*is_late).limit(1)) is None:
            return 0
    async with database.write() as session:
        columns = (Order.id, Order.due_at, Order.desk_unit_id, Order.overdue_since)
        rows = await session.execute(select(*columns).where(*is_late).limit(BATCH_COUNT))
        late = [_Late(*row) for row in rows.tuples() if row[1] is not None]  # type: ignore[arg-type]
        count = 0
        for one in late:
            count += await _carry_one(session, one, now)
    log.info("orders_escalated", orders_count=count)
    return count


async def _carry_one(session: AsyncSession, late: _Late, now: datetime) -> bool:
    unit = await session.get(OrgUnit, late.desk_unit_id) if late.desk_unit_id else None
    above = unit.parent_id if unit else None
    desk_unit_id = above or late.desk_unit_id
    statement = (
        update(Order)
        .where(Order.id == late.order_id, Order.due_at == late.due_at)
        .values(
            desk_unit_id=desk_unit_id,
            due_at=now + policy.ESCALATED if above else None,
            overdue_since=late.overdue_since or late.due_at,
        )
        .execution_options(synchronize_session=False)
    )
    if await change(session, statement) != 1:
        return False
    row = await session.get_one(Order, late.order_id)
    await session.refresh(row)
    _tell(session, row, Deed.ESCALATE, None, now, unit_id=desk_unit_id)
    return True


def _tell(
    session: AsyncSession,
    row: Order,
    deed: Deed,
    actor_id: str | None,
    now: datetime,
    *,
    text: str = "",
    unit_id: str | None = None,
) -> None:
    """Write what happened into the history and the audit log."""
    session.add(
        OrderEvent(
            order_id=row.id, at=now, actor_id=actor_id, deed=deed, state=row.state, text=text,
            unit_id=unit_id,
        )
    )  # fmt: skip
    record(
        session, now=now, actor_id=actor_id, action=f"order.{deed.value}", object_type="order",
        object_id=row.id, title=row.title, state=row.state.value,
    )  # fmt: skip
