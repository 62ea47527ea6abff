"""``INSERT ... ON CONFLICT DO NOTHING`` for both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from vod.db.base import Base


async def insert_if_absent(
    session: AsyncSession,
    model: type[Base],
    values: Mapping[str, Any],
    *,
    conflict: str | Sequence[str],
) -> bool:
    """Insert a row unless one with the same unique column(s) ``conflict`` is there.

    Returns:
        Whether a row was inserted; of several at once exactly one is.
    """
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert(model) if is_sqlite else postgresql.insert(model)
    columns = [conflict] if isinstance(conflict, str) else list(conflict)
    statement = insert.values(**values).on_conflict_do_nothing(index_elements=columns)
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - what SQLAlchemy promises for DML
    return result.rowcount == 1
