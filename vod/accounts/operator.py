"""A short session for whoever has the machine itself: the command line acts as an administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import select

from kernel.errors import NotFoundError
from kernel.ids import hash_secret
from vod.accounts.models import Account, AccountSession
from vod.accounts.roles import Role
from vod.accounts.sessions import end_session, start_session
from vod.db.engine import Database, log_dependency


@asynccontextmanager
async def open_operator_session(database: Database) -> AsyncIterator[str]:
    """Yield a bearer token of the oldest administrator; it ends with the block.

    Raises:
        NotFoundError: There is no administrator.
    """
    async with database.write() as session:
        account = await session.scalar(
            select(Account)
            .where(Account.role == Role.ADMIN, Account.is_disabled.is_(False))
            .order_by(Account.created_at)
            .limit(1)
        )
        if account is None:
            raise NotFoundError("there is no administrator; `hall setup` makes one")
        token, _ = start_session(session, account, datetime.now(UTC))
    try:
        yield token
    finally:
        # Whoever is cancelled stays cancelled, also with the database away; the session runs out.
        with log_dependency("operator_session_stays"):
            await _end(database, token)


async def _end(database: Database, token: str) -> None:
    async with database.write() as session:
        row_id = await session.scalar(
            select(AccountSession.id).where(AccountSession.token_hash == hash_secret(token))
        )
        if row_id is not None:
            await end_session(session, row_id)
