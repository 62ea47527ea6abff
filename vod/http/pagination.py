"""Pages of lists: ``?page=1&page_size=20`` in, ``{items, page, page_size, total}`` out."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from aiohttp_pydantic.injectors import Group
from pydantic import Field
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.http.types import View

MAX_PAGE: Final = 100_000  # Keeps OFFSET within what every database takes.
MAX_PAGE_SIZE: Final = 100

Row = TypeVar("Row")


class PageQuery(Group):  # type: ignore[misc]  # The library ships no types.
    """Query parameters of every list."""

    page: Annotated[int, Field(ge=1, le=MAX_PAGE, description="From 1")] = 1
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 20


class Page(View):
    """Base of list answers; a subclass adds ``items``.

    Attributes:
        total: Rows over all pages.
    """

    page: int
    page_size: int
    total: int


async def load_page(
    session: AsyncSession, query: Select[tuple[Row]], page: PageQuery
) -> tuple[list[Row], int]:
    """Load one page of ``query`` (already ordered) and the number of rows without paging."""
    total = await session.scalar(
        select(func.count()).select_from(query.order_by(None).options().subquery())
    )
    rows = await session.scalars(
        query.limit(page.page_size).offset((page.page - 1) * page.page_size)
    )
    return list(rows.unique()), total or 0


def page_members(page: PageQuery, total: int) -> dict[str, Any]:
    """Keyword arguments every :class:`Page` takes."""
    return {"page": page.page, "page_size": page.page_size, "total": total}


def build_like(text: str) -> str:
    r"""Build a LIKE pattern (escape character ``\\``) that finds ``text`` anywhere, literally."""
    escaped = text.strip().replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
