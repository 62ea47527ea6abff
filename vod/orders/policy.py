"""The loop of an order: who moves it where, by when, and what counts as the same wish. Pure.

::

    ordered -> assigned -> accepted -> done -> rated
       ^          |           |         |
       +--return--+-----------+         |
       +--------- reopen (1 or 2 points)+
    ordered, assigned -> declined (by the desk), withdrawn (by whoever ordered)
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from kernel.errors import ConflictError, InputError
from vod.accounts.rights import Action, may
from vod.accounts.roles import Viewer
from vod.orders.models import DEMAND_CHARS, Deed, Delivery, OrderKind, OrderState

MAX_OPEN_COUNT: Final = 20  # Of one person: more is a mistake, or not meant well.
SATISFIED_SCORE: Final = 3
ESCALATED: Final = timedelta(days=2)  # What the next desk up has.
LATE: Final = timedelta(days=3)  # After the day that was promised.
_TIMES: Final = {
    OrderState.ORDERED: timedelta(days=3),
    OrderState.ASSIGNED: timedelta(days=2),
    OrderState.ACCEPTED: timedelta(days=30),
}
OPEN: Final = frozenset(_TIMES)


class Part(enum.Enum):
    """What somebody is to an order."""

    ORDERER = "orderer"
    MATE = "mate"  # Of the unit that it was ordered for.
    ASSIGNEE = "assignee"
    DESK = "desk"  # May handle orders of its unit.


_S = OrderState
_MOVES: Final[dict[tuple[OrderState, Deed], OrderState]] = {
    (_S.ORDERED, Deed.ASSIGN): _S.ASSIGNED,
    (_S.ASSIGNED, Deed.ASSIGN): _S.ASSIGNED,
    (_S.ACCEPTED, Deed.ASSIGN): _S.ASSIGNED,
    (_S.ASSIGNED, Deed.ACCEPT): _S.ACCEPTED,
    (_S.ASSIGNED, Deed.RETURN): _S.ORDERED,
    (_S.ACCEPTED, Deed.RETURN): _S.ORDERED,
    (_S.ORDERED, Deed.DECLINE): _S.DECLINED,
    (_S.ASSIGNED, Deed.DECLINE): _S.DECLINED,
    (_S.ACCEPTED, Deed.COMPLETE): _S.DONE,
    (_S.DONE, Deed.RATE): _S.RATED,
    (_S.DONE, Deed.REOPEN): _S.ORDERED,
    (_S.ORDERED, Deed.WITHDRAW): _S.WITHDRAWN,
    (_S.ASSIGNED, Deed.WITHDRAW): _S.WITHDRAWN,
}
_WHO: Final[dict[Deed, frozenset[Part]]] = {
    Deed.ASSIGN: frozenset({Part.DESK}),
    Deed.DECLINE: frozenset({Part.DESK}),
    Deed.ACCEPT: frozenset({Part.DESK, Part.ASSIGNEE}),
    Deed.RETURN: frozenset({Part.DESK, Part.ASSIGNEE}),
    Deed.COMPLETE: frozenset({Part.DESK, Part.ASSIGNEE}),
    Deed.RATE: frozenset({Part.ORDERER}),
    Deed.REOPEN: frozenset({Part.ORDERER}),
    Deed.WITHDRAW: frozenset({Part.ORDERER}),
}


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whom an order concerns; ``unit_path`` is ``None`` when it is the whole city's."""

    created_by: str | None
    assignee_id: str | None
    unit_path: str | None
    is_for_unit: bool


def find_parts(viewer: Viewer, order: Belonging) -> frozenset[Part]:
    """Find what ``viewer`` is to an order; nothing at all may not know of it."""
    if viewer.account_id is None:
        return frozenset()
    unit_path = viewer.member.unit_path if viewer.member else None
    said = {
        Part.ORDERER: order.created_by == viewer.account_id,
        Part.ASSIGNEE: order.assignee_id == viewer.account_id,
        Part.MATE: order.is_for_unit and unit_path is not None and unit_path == order.unit_path,
        Part.DESK: may(viewer, Action.HANDLE_ORDERS, order.unit_path),
    }
    return frozenset(part for part, is_so in said.items() if is_so)


def list_moves(state: OrderState, parts: Collection[Part]) -> list[Deed]:
    """List what somebody may do now, in the order of the loop."""
    return [
        deed
        for deed in Deed
        if (state, deed) in _MOVES and not _WHO.get(deed, frozenset()).isdisjoint(parts)
    ]


def is_anybodys(deed: Deed, parts: Collection[Part]) -> bool:
    """Tell whether somebody with these parts may ever do ``deed``."""
    return not _WHO.get(deed, frozenset()).isdisjoint(parts)


def find_next(state: OrderState, deed: Deed) -> OrderState:
    """Find where a move leads.

    Raises:
        ConflictError: There is no such move from here.
    """
    try:
        return _MOVES[state, deed]
    except KeyError:
        raise ConflictError(
            f"{deed.value}: not while it is {state.value}", title_zh="点单的状态已经变了，请刷新"
        ) from None


def name_rating(score: int) -> Deed:
    """A rating ends an order, or opens it again."""
    return Deed.RATE if score >= SATISFIED_SCORE else Deed.REOPEN


def find_due(
    state: OrderState, *, now: datetime, planned_at: datetime | None = None
) -> datetime | None:
    """Find by when an order has to move on; ``None`` where it is at rest."""
    if state is OrderState.ACCEPTED and planned_at is not None:
        return max(planned_at, now) + LATE
    wait = _TIMES.get(state)
    return None if wait is None else now + wait


def check_named(kind: OrderKind, target_id: str | None, title: str | None) -> None:
    """Check that an order names one thing: a wish by its title, all else by its identifier.

    Raises:
        InputError: 422, it names none, or two.
    """
    is_wish = kind is OrderKind.WISH
    if is_wish and (title is None or target_id is not None):
        raise _lacks("title", "请写明想学什么")
    if not is_wish and (target_id is None or title is not None):
        raise _lacks("target_id", "请选择一门课或一位老师")


def check_delivery(
    delivery: Delivery | None, delivered_id: str | None, *, held_on: date | None
) -> None:
    """Check what is said of a delivery before its things are looked up.

    Raises:
        InputError: 422, something is missing.
    """
    if delivery is None:
        raise _lacks("delivery", "请说明是怎样完成的")
    if delivery in {Delivery.LIVE, Delivery.REPLAY} and delivered_id is None:
        raise _lacks("delivered_id", "请选择对应的直播课或回看课")
    if delivery is Delivery.ON_SITE and held_on is None:
        raise _lacks("held_on", "请填写授课日期")


def require_text(deed: Deed, text: str) -> None:
    """Check that whoever sends an order away says why, and nothing is closed without a reply.

    Raises:
        InputError: 422, there are no words.
    """
    wanted = {Deed.DECLINE, Deed.RETURN, Deed.COMPLETE, Deed.REOPEN}
    if deed in wanted and not text.strip():
        raise _lacks("text", "请写一句说明")


def _lacks(field: str, title_zh: str) -> InputError:
    return InputError(f"{field}: is needed here", field=field, status=422, title_zh=title_zh)


def build_demand_key(kind: OrderKind, target_id: str | None, title: str) -> str:
    """Name what is wanted: equal wishes in other spelling are one."""
    if target_id is not None:
        return f"{kind.value}:{target_id}"
    plain = unicodedata.normalize("NFKC", title).casefold()
    words = "".join(char for char in plain if char.isalnum())
    return f"wish:{words or plain.strip()}"[:DEMAND_CHARS]
