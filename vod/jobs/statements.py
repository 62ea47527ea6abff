"""Run a statement and say how many rows it met."""

from __future__ import annotations

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncSession


async def change(session: AsyncSession, statement: Executable) -> int:
    """Run an UPDATE or DELETE; return how many rows it met."""
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)  # noqa: S101 - narrows what execute() declares
    return int(result.rowcount)
