"""Orders of the sample centre, in every state of their loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from hall.api import HallApi

WISH: Final = "宪法进牧区宣讲"
ON_SITE: Final = "防沙治沙现场教学"
# Who ordered, what, for how many people, and how far it has got.
ORDERS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("dangyuan", {"title": WISH, "attendees_count": 40, "wished": "on_site"}, "ordered"),
    ("qiguan", {"title": WISH, "attendees_count": 25, "wished": "live"}, "assigned"),
    ("tuixiu", {"title": "智能手机怎么用", "note": "老同志想学扫码和挂号。"}, "accepted"),
    ("dangyuan", {"title": ON_SITE, "attendees_count": 30, "wished": "on_site"}, "rated"),
    ("tuixiu", {"title": "长征故事", "wished": "replay"}, "done"),
)
STEPS: Final = ("ordered", "assigned", "accepted", "done", "rated")


async def place_orders(
    api: HallApi, act_as: Callable[[str], Awaitable[HallApi]], *, lecture_id: str
) -> int:
    """Order as members do, and handle some of it, unless there are orders already.

    Args:
        api: Signed in as an administrator.
        act_as: Signs somebody in by login.
        lecture_id: What the recorded one is answered with.

    Returns:
        How many there are.
    """
    found = await api.call("GET", "/orders?scope=desk")
    if found["total"]:
        return int(found["total"])
    people: dict[str, HallApi] = {}
    for login, wanted, state in ORDERS:
        if login not in people:
            people[login] = await act_as(login)
        order = await people[login].call("POST", "/orders", {"kind": "wish", **wanted})
        await _handle(api, people[login], order, state, lecture_id)
    return len(ORDERS)


async def _handle(
    api: HallApi, orderer: HallApi, order: dict[str, Any], state: str, lecture_id: str
) -> None:
    is_recorded = order["wished"] == "replay"
    moves = (
        (api, {"move": "assign"}),
        (api, {"move": "accept", "text": "已经在安排。"}),
        (
            api,
            {
                "move": "complete",
                "text": "已经可以学了，欢迎提意见。",
                "delivery": "replay" if is_recorded else "on_site",
                "delivered_id": lecture_id if is_recorded else None,
                "held_on": None if is_recorded else order["created_at"][:10],
            },
        ),
        (orderer, {"move": "rate", "score": 5, "text": "讲得实在，看得明白。"}),
    )
    for who, move in moves[: STEPS.index(state)]:
        path = f"/orders/{order['id']}/moves"
        order = await who.call("POST", path, {"version": order["version"], **move})
