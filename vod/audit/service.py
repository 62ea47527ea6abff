"""Write and read the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.models import Account
from vod.audit.models import AuditEntry
from vod.http.pagination import PageQuery, load_page


def record(
    session: AsyncSession,
    *,
    now: datetime,
    actor_id: str | None,
    action: str,
    object_type: str,
    object_id: str,
    **detail: Any,
) -> None:
    """Add an entry to the caller's transaction: the change and its trace commit together.

    Args:
        actor_id: Account that acted; ``None`` for the system.
        action: Past tense with a dot, ``account.created``.
        detail: JSON values only, no secrets.
    """
    session.add(
        AuditEntry(
            at=now,
            actor_id=actor_id,
            action=action,
            object_type=object_type,
            object_id=object_id,
            detail=detail,
        )
    )


async def load_entries(
    session: AsyncSession, page: PageQuery
) -> tuple[list[AuditEntry], dict[str, str], int]:
    """Load one page, newest first, with the display names of the actors by id."""
    query = select(AuditEntry).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    entries, total = await load_page(session, query, page)
    actors = {entry.actor_id for entry in entries if entry.actor_id}
    names = await session.execute(
        select(Account.id, Account.display_name).where(Account.id.in_(actors))
    )
    return entries, dict(names.tuples().all()), total
