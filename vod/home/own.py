"""What the first page shows of a member's own: going on, required, recommended. Only reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from vod.http.pagination import PageQuery
from vod.menus.places import Place
from vod.menus.recommendations import load_recommended
from vod.menus.schemas import ItemShown
from vod.watching.lists import Asker, load_required, load_watched
from vod.watching.schemas import RequiredPage, Watched

GOING_ON_COUNT: Final = 4
REQUIRED_COUNT: Final = 4


@dataclass(frozen=True, slots=True)
class OwnBlocks:
    """Empty for who is not signed in."""

    going_on: list[Watched] = field(default_factory=list)
    required: RequiredPage | None = None
    recommended: list[ItemShown] = field(default_factory=list)


async def load_own(session: AsyncSession, asker: Asker, now: datetime) -> OwnBlocks:
    """Load the blocks of a member in a fixed number of questions."""
    begun, _ = await load_watched(
        session, PageQuery(page=1, page_size=GOING_ON_COUNT), asker, "unfinished"
    )
    return OwnBlocks(
        going_on=begun,
        required=await load_required(session, PageQuery(page=1, page_size=REQUIRED_COUNT), asker),
        recommended=await load_recommended(
            session, Place.HOME, asker.viewer, now, origin=asker.origin
        ),
    )
