"""Open accounts for identities, list and unlink them. Owns its transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from kernel.ids import hash_secret, new_id
from vod.accounts import sessions
from vod.accounts.models import Account
from vod.accounts.roles import Role
from vod.accounts.service import SignInResult
from vod.audit.service import record
from vod.db.engine import Database
from vod.db.upsert import insert_if_absent
from vod.identities.attempts import LIFETIME
from vod.identities.config import ProviderConfig
from vod.identities.models import IdentityLink, UsedState
from vod.identities.policy import Identity, Refusal, RefusedError, require_open

MAX_FOUND = 2  # More than one is too many already.


async def use_state(database: Database, state: str, now: datetime) -> None:
    """Use up a ``state``; forget those whose attempts are over.

    Raises:
        RefusedError: ``EXPIRED``: it came back before.
    """
    async with database.write() as session:
        await session.execute(delete(UsedState).where(UsedState.used_at < now - 2 * LIFETIME))
        values = {"state": hash_secret(state), "used_at": now}
        is_new = await insert_if_absent(session, UsedState, values, conflict="state")
    if not is_new:
        raise RefusedError(Refusal.EXPIRED, "the state was used before")


async def sign_in(
    database: Database, identity: Identity, config: ProviderConfig, *, now: datetime
) -> SignInResult:
    """Start a session for whom the identity belongs to; the first time link it to an account.

    Raises:
        RefusedError: No account opens for it, see :class:`Refusal`.
    """
    try:
        return await _sign_in(database, identity, config, now=now)
    except IntegrityError:
        # The same person came twice at once: by now there is what the other made.
        return await _sign_in(database, identity, config, now=now)


async def _sign_in(
    database: Database, identity: Identity, config: ProviderConfig, *, now: datetime
) -> SignInResult:
    async with database.write() as session:
        link = await session.scalar(
            select(IdentityLink).where(
                IdentityLink.issuer == identity.issuer, IdentityLink.subject == identity.subject
            )
        )
        if link is None:
            account = await _find_account(session, identity, config, now)
            await _link(session, account, identity, now)
        else:
            account = await session.get_one(Account, link.account_id, with_for_update=True)
            require_open(role=account.role, is_disabled=account.is_disabled, is_linked=True)
            link.last_sign_in_at = now
        if not account.password_hash:
            # The provider knows them: whoever never had a password need not choose one, and the
            # one-time code that was to lead to it ends.
            account.must_change_password = False
            account.code_hash = account.code_expires_at = None
        token, binding = sessions.start_session(session, account, now)
    return SignInResult(account, token, binding)


async def _find_account(
    session: AsyncSession, identity: Identity, config: ProviderConfig, now: datetime
) -> Account:
    if not identity.value:
        raise RefusedError(Refusal.UNKNOWN, f"no usable claim {config.claim}")
    column = {"staff_no": Account.staff_no, "phone": Account.phone, "login": Account.login}
    rows = await session.scalars(
        select(Account)
        .where(column[config.match] == identity.value)
        .limit(MAX_FOUND)
        .with_for_update()
    )
    found = rows.all()
    if len(found) > 1:
        raise RefusedError(Refusal.AMBIGUOUS)
    if not found and not config.may_create:
        raise RefusedError(Refusal.UNKNOWN)
    account = found[0] if found else await _create(session, identity, config, now)
    require_open(role=account.role, is_disabled=account.is_disabled, is_linked=False)
    return account


async def _create(
    session: AsyncSession, identity: Identity, config: ProviderConfig, now: datetime
) -> Account:
    """Make a member of no unit, without a password; the roster finds them by the same value."""
    account = Account(
        id=new_id(),
        login=f"sso.{new_id()}",
        display_name=identity.name or identity.value,
        role=Role.MEMBER,
        password_hash="",
        created_at=now,
    )
    setattr(account, config.match, identity.value)
    session.add(account)
    await session.flush()
    record(
        session,
        now=now,
        actor_id=None,
        action="account.created",
        object_type="account",
        object_id=account.id,
        issuer=identity.issuer,
    )
    return account


async def _link(session: AsyncSession, account: Account, identity: Identity, now: datetime) -> None:
    taken = await session.scalar(
        select(IdentityLink.id).where(
            IdentityLink.account_id == account.id, IdentityLink.issuer == identity.issuer
        )
    )
    if taken is not None:
        raise RefusedError(Refusal.TAKEN)
    session.add(
        IdentityLink(
            account_id=account.id,
            issuer=identity.issuer,
            subject=identity.subject,
            created_at=now,
            last_sign_in_at=now,
        )
    )
    await session.flush()
    record(
        session,
        now=now,
        actor_id=account.id,
        action="identity.linked",
        object_type="account",
        object_id=account.id,
        issuer=identity.issuer,
    )


async def load_identities(session: AsyncSession, account_id: str) -> Sequence[IdentityLink]:
    """Load the identities of an account, oldest first."""
    rows = await session.scalars(
        select(IdentityLink)
        .where(IdentityLink.account_id == account_id)
        .order_by(IdentityLink.created_at, IdentityLink.id)
    )
    return rows.all()


async def unlink(database: Database, identity_id: str, *, account_id: str, now: datetime) -> None:
    """Unlink one of one's own identities.

    Raises:
        NotFoundError: There is none, or it is somebody else's.
    """
    async with database.write() as session:
        link = await session.get(IdentityLink, identity_id)
        if link is None or link.account_id != account_id:
            raise NotFoundError("no such identity")
        await session.delete(link)
        record(
            session,
            now=now,
            actor_id=account_id,
            action="identity.unlinked",
            object_type="account",
            object_id=account_id,
            issuer=link.issuer,
        )
