"""Sessions: a random token in a cookie or a header, its hash in the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, joinedload

from kernel.ids import derive_token, hash_secret, new_secret
from vod.accounts.models import Account, AccountSession, RoleScope
from vod.accounts.roles import MemberFacts, Role, Scope, Viewer

LIFETIME: Final = timedelta(days=30)  # Without a visit; each visit renews it.
TOUCH_AFTER: Final = timedelta(hours=6)  # A renewal is a write: not on every request.
SESSION_COOKIE: Final = "hall_session"
VIEWER_COOKIE: Final = "hall_viewer"
MAX_TOKEN_CHARS: Final = 256
# What ``describe_account`` reads of an account, in the query that loads it.
MEMBER_OPTIONS: Final = (
    joinedload(Account.unit),
    joinedload(Account.scopes).joinedload(RoleScope.unit),
)


def start_session(session: AsyncSession, account: Account, now: datetime) -> tuple[str, str]:
    """Add a session for ``account``; return its identifier and the token, which is shown once."""
    token = new_secret()
    row = AccountSession(
        account_id=account.id,
        token_hash=hash_secret(token),
        created_at=now,
        last_seen_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(row)
    return token, row.token_hash


async def load_session(session: AsyncSession, token: str, now: datetime) -> AccountSession | None:
    """Find the session of a token; none if unknown, expired or disabled.

    One query brings the account, its unit and its scopes along.
    """
    if not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
        return None
    rows = await session.scalars(
        select(AccountSession)
        .join(AccountSession.account)
        .where(
            AccountSession.token_hash == hash_secret(token),
            AccountSession.expires_at > now,
            Account.is_disabled.is_(False),
        )
        .options(contains_eager(AccountSession.account).options(*MEMBER_OPTIONS))
    )
    return rows.unique().one_or_none()


def is_due_for_renewal(row: AccountSession, now: datetime) -> bool:
    return now - row.last_seen_at >= TOUCH_AFTER


async def renew_session(session: AsyncSession, session_id: str, now: datetime) -> None:
    """Note the visit; the session lives on for ``LIFETIME``."""
    await session.execute(
        update(AccountSession)
        .where(AccountSession.id == session_id)
        .values(last_seen_at=now, expires_at=now + LIFETIME)
    )


async def end_session(session: AsyncSession, session_id: str) -> None:
    await session.execute(delete(AccountSession).where(AccountSession.id == session_id))


async def end_sessions_of(
    session: AsyncSession, account_id: str, *, keep_session_id: str | None = None
) -> None:
    """Sign an account out everywhere, except in the session that asked for it."""
    query = delete(AccountSession).where(AccountSession.account_id == account_id)
    if keep_session_id is not None:
        query = query.where(AccountSession.id != keep_session_id)
    await session.execute(query)


async def forget_expired(session: AsyncSession, now: datetime) -> None:
    await session.execute(delete(AccountSession).where(AccountSession.expires_at <= now))


def build_viewer(row: AccountSession, secret: bytes) -> Viewer:
    """Describe who a session belongs to; the viewer's id says nothing about the account."""
    return describe_account(row.account, viewer_id=derive_token(secret, "viewer", row.id))


def describe_account(account: Account, *, viewer_id: str = "") -> Viewer:
    """Describe an account loaded with ``MEMBER_OPTIONS``.

    A role that the account has in sub-trees only is not one of the whole city.
    """
    scopes = tuple(
        sorted(
            (Scope(scope.role, scope.unit.path) for scope in account.scopes),
            key=lambda scope: (scope.role.value, scope.unit_path),
        )
    )
    is_limited = account.role is Role.EDITOR and any(scope.role is Role.EDITOR for scope in scopes)
    return Viewer(
        account_id=account.id,
        role=Role.MEMBER if is_limited else account.role,
        viewer_id=viewer_id,
        member=MemberFacts(
            unit_path=account.unit.path if account.unit else None,
            category=account.category,
            level=account.level,
        ),
        scopes=scopes,
    )


def build_csrf_token(secret: bytes, binding: str) -> str:
    """Derive the CSRF token of a session (its token's hash) or an anonymous viewer."""
    return derive_token(secret, "csrf", binding)
