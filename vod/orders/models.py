"""Tables of orders and of what happened to them. No queries."""

from __future__ import annotations

import enum
from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId, short_enum

DEMAND_CHARS = 128
TITLE_CHARS = 200
CONTACT_CHARS = 64


class OrderKind(enum.Enum):
    """What was ordered: something of the catalogue, a teacher, or what is not there yet."""

    LECTURE = "lecture"
    SERIES = "series"
    INSTRUCTOR = "instructor"
    WISH = "wish"


class OrderState(enum.Enum):
    """Where an order is; the moves between are in ``vod.orders.policy``."""

    ORDERED = "ordered"  # 点单
    ASSIGNED = "assigned"  # 派单
    ACCEPTED = "accepted"  # 接单
    DONE = "done"  # 完成
    RATED = "rated"  # 评价
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Delivery(enum.Enum):
    """How a lesson comes to whoever ordered it; ``any`` leaves it open."""

    ANY = "any"
    LIVE = "live"
    REPLAY = "replay"
    ON_SITE = "on_site"


class Deed(enum.Enum):
    """What somebody, or the clock, did to an order."""

    ORDER = "order"
    ASSIGN = "assign"
    ACCEPT = "accept"
    RETURN = "return"
    DECLINE = "decline"
    COMPLETE = "complete"
    RATE = "rate"
    REOPEN = "reopen"
    WITHDRAW = "withdraw"
    ESCALATE = "escalate"


def _account() -> ForeignKey:
    return ForeignKey("accounts.id", ondelete="SET NULL")


def _unit() -> ForeignKey:
    return ForeignKey("org_units.id", ondelete="SET NULL")


class Order(HasId, Base):
    """An order.

    Attributes:
        title: What is wanted, as the thing was called then.
        target_id: Lecture, series or teacher; ``None`` of a wish. It may be gone since.
        demand_key: Equal for orders of the same thing, see ``policy.build_demand_key``.
        unit_id: Whose order it is: of the orderer, or the one that it was ordered for; ``None``
            is the whole city's.
        is_for_unit: Its members see it; else it is the orderer's own.
        desk_unit_id: Where it waits: moves up the tree when it is overdue; ``None`` is the city.
        due_at: By when it has to move on; ``None`` when nothing more will happen by itself.
        overdue_since: Of the wait that goes on now.
        planned_at: When it will be delivered, as whoever accepted it said.
        delivered_id: Live class, lecture or venue, by ``delivered``.
        version: Raised by every move; a move must name the one that it began with.
    """

    __tablename__ = "orders"
    __table_args__ = (
        Index(None, "created_by", "created_at"),
        Index(None, "unit_id", "created_at"),
        Index(None, "assignee_id", "state"),
        Index(None, "state", "due_at"),
        Index(None, "demand_key"),
        Index(None, "instructor_id", "score"),
        CheckConstraint("attendees_count >= 1", name="attendees"),
        CheckConstraint("score IS NULL OR score BETWEEN 1 AND 5", name="score"),
    )

    kind: Mapped[OrderKind] = mapped_column(short_enum(OrderKind, "kind"))
    title: Mapped[str] = mapped_column(String(TITLE_CHARS))
    target_id: Mapped[str | None] = mapped_column(String(ID_CHARS))
    demand_key: Mapped[str] = mapped_column(String(DEMAND_CHARS))
    note: Mapped[str] = mapped_column(default="")
    contact: Mapped[str] = mapped_column(String(CONTACT_CHARS), default="")
    wished: Mapped[Delivery] = mapped_column(short_enum(Delivery, "wished"))
    wished_on: Mapped[date | None]
    attendees_count: Mapped[int] = mapped_column(default=1)
    is_for_unit: Mapped[bool] = mapped_column(default=False)
    unit_id: Mapped[str | None] = mapped_column(String(ID_CHARS), _unit())
    desk_unit_id: Mapped[str | None] = mapped_column(String(ID_CHARS), _unit())
    state: Mapped[OrderState] = mapped_column(
        short_enum(OrderState, "state"), default=OrderState.ORDERED
    )
    due_at: Mapped[datetime | None]
    overdue_since: Mapped[datetime | None]
    assignee_id: Mapped[str | None] = mapped_column(String(ID_CHARS), _account())
    instructor_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("instructors.id", ondelete="SET NULL")
    )
    planned_at: Mapped[datetime | None]
    reply: Mapped[str] = mapped_column(default="")
    delivered: Mapped[Delivery | None] = mapped_column(short_enum(Delivery, "delivered"))
    delivered_id: Mapped[str | None] = mapped_column(String(ID_CHARS))
    held_on: Mapped[date | None]
    score: Mapped[int | None]
    comment: Mapped[str] = mapped_column(default="")
    reopened_count: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(ID_CHARS), _account())


class OrderEvent(HasId, Base):
    """One deed of an order's history. Rows are only ever added.

    Attributes:
        actor_id: ``None`` for the clock.
        unit_id: Where it waits since, of an escalation.
    """

    __tablename__ = "order_events"
    __table_args__ = (Index(None, "order_id", "at"),)

    order_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("orders.id", ondelete="CASCADE")
    )
    at: Mapped[datetime]
    actor_id: Mapped[str | None] = mapped_column(String(ID_CHARS), _account())
    deed: Mapped[Deed] = mapped_column(short_enum(Deed, "deed"))
    state: Mapped[OrderState] = mapped_column(short_enum(OrderState, "state"))
    text: Mapped[str] = mapped_column(default="")
    unit_id: Mapped[str | None] = mapped_column(String(ID_CHARS), _unit())
