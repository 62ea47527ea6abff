"""Sign in and out, create and change accounts. Owns its transactions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    NotSignedInError,
    ThrottledError,
)
from kernel.ids import is_id, new_id
from vod.accounts import schemas, sessions, throttle
from vod.accounts.codes import is_right_code
from vod.accounts.models import Account
from vod.accounts.names import build_name_keys
from vod.accounts.passwords import Passwords, generate_password
from vod.accounts.roles import Role
from vod.audit.service import record
from vod.db.engine import Database
from vod.db.upsert import insert_if_absent
from vod.http.pagination import PageQuery, build_like, load_page

ADMIN_LOGIN: Final = "admin"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignInResult:
    """``csrf_binding`` is what the CSRF token of the new session is derived from."""

    account: Account
    token: str
    csrf_binding: str


async def sign_in(
    database: Database,
    passwords: Passwords,
    wanted: schemas.SignIn,
    *,
    address: str,
    secret: bytes,
    now: datetime,
) -> SignInResult:
    """Check a name and a password or one-time code; start a session.

    The counters are asked before argon2 is, and the attempt counts before it is checked.

    Raises:
        ThrottledError: Too many failures of this name or address lately.
        NotSignedInError: Wrong, unknown or disabled: one text and one duration for all three.
        CapacityError: Too many sign-ins at once.
    """
    keys = throttle.build_keys(wanted.login, address)
    async with database.read() as session:
        wait = await throttle.load_wait(session, keys, now)
        account = await session.scalar(select(Account).where(Account.login == wanted.login))
    _refuse_if_waiting(wait)
    async with database.write() as session:
        wait = await throttle.reserve_attempt(session, keys, now)
    _refuse_if_waiting(wait)
    # Whoever has no password takes as long as everybody else.
    password_hash = (account.password_hash or None) if account else None
    is_password = await passwords.verify(wanted.password, password_hash)
    if account is None or account.is_disabled:
        raise _refuse_sign_in(address)
    if not is_password and not _fits_code(account, wanted.password, secret=secret, now=now):
        raise _refuse_sign_in(address)
    new_hash = None
    if is_password and passwords.is_outdated(account.password_hash):
        new_hash = await passwords.hash(wanted.password)
    async with database.write() as session:
        await throttle.forgive(session, keys)
        current = await session.get_one(Account, account.id, with_for_update=True)
        # Checking takes a while: the password may have been changed, or the account disabled.
        checked = (account.password_hash, account.code_hash)
        if current.is_disabled or (current.password_hash, current.code_hash) != checked:
            raise _refuse_sign_in(address)
        if new_hash:
            current.password_hash = new_hash
        token, binding = sessions.start_session(session, current, now)
    return SignInResult(current, token, binding)


def _fits_code(account: Account, given: str, *, secret: bytes, now: datetime) -> bool:
    return is_right_code(
        given,
        secret=secret,
        account_id=account.id,
        code_hash=account.code_hash,
        expires_at=account.code_expires_at,
        now=now,
    )


def _refuse_sign_in(address: str) -> NotSignedInError:
    log.info("sign_in_failed", address=address)
    return NotSignedInError("wrong login or password", title_zh="账号或密码不正确")


def _refuse_if_waiting(wait: timedelta) -> None:
    if wait > timedelta(0):
        raise ThrottledError(
            "too many failed sign-ins, wait", retry_after_s=math.ceil(wait.total_seconds())
        )


async def change_own_account(
    database: Database,
    passwords: Passwords,
    change: schemas.OwnAccountChange,
    *,
    account_id: str,
    session_id: str,
    is_choosing: bool,
    now: datetime,
) -> Account:
    """Change the display name or the password; a new password signs out everywhere else.

    Whoever must choose a password, since they came with a one-time code, need not repeat it.

    Raises:
        InputError: The current password is wrong or missing.
        ThrottledError: It was wrong too often.
    """
    new_hash = None
    if change.new_password is not None:
        if not is_choosing:
            await _check_current_password(
                database, passwords, change, account_id=account_id, now=now
            )
        new_hash = await passwords.hash(change.new_password)
    async with database.write() as session:
        account = await session.get_one(Account, account_id, with_for_update=True)
        if change.display_name is not None:
            account.display_name = change.display_name
        if new_hash is not None:
            if is_choosing and not account.must_change_password:
                raise ConflictError("a password was chosen meanwhile")
            _set_password(account, new_hash, must_change=False)
            await sessions.end_sessions_of(session, account_id, keep_session_id=session_id)
            record(
                session,
                now=now,
                actor_id=account_id,
                action="account.password_changed",
                object_type="account",
                object_id=account_id,
            )
    return account


def _set_password(account: Account, password_hash: str, *, must_change: bool) -> None:
    account.password_hash = password_hash
    account.must_change_password = must_change
    account.code_hash = account.code_expires_at = None


async def _check_current_password(
    database: Database,
    passwords: Passwords,
    change: schemas.OwnAccountChange,
    *,
    account_id: str,
    now: datetime,
) -> None:
    keys = throttle.build_password_keys(account_id)
    async with database.write() as session:
        account = await session.get_one(Account, account_id)
        wait = await throttle.reserve_attempt(session, keys, now)
    _refuse_if_waiting(wait)
    given, known = change.current_password or "", account.password_hash or None
    if not await passwords.verify(given, known):
        raise InputError(
            "current_password is wrong",
            field="current_password",
            status=422,
            title_zh="当前密码不正确",
        )
    async with database.write() as session:
        await throttle.forgive(session, keys)


async def create_account(
    database: Database,
    passwords: Passwords,
    wanted: schemas.NewAccount,
    *,
    actor_id: str | None,
    now: datetime,
) -> tuple[Account, str | None]:
    """Create an account; returns it with the password when that was generated here.

    Raises:
        ConflictError: The login is taken.
    """
    generated = None if wanted.password is not None else generate_password()
    password_hash = await passwords.hash(wanted.password or generated or "")
    async with database.write() as session:
        account_id = new_id()
        keys = build_name_keys(wanted.display_name)
        is_new = await insert_if_absent(
            session,
            Account,
            {
                "id": account_id,
                "login": wanted.login,
                "display_name": wanted.display_name,
                "role": wanted.role,
                "password_hash": password_hash,
                "is_disabled": False,
                "created_at": now,
                "pinyin": keys.pinyin,
                "pinyin_joined": keys.joined,
                "initials": keys.initials,
            },
            conflict="login",
        )
        if not is_new:
            raise ConflictError(f"login {wanted.login!r} is taken", title_zh="这个账号已经存在")
        record(
            session,
            now=now,
            actor_id=actor_id,
            action="account.created",
            object_type="account",
            object_id=account_id,
            login=wanted.login,
            role=wanted.role.value,
        )
        account = await session.get_one(Account, account_id)
    return account, generated


async def ensure_admin(
    database: Database, password: str, *, passwords: Passwords | None = None
) -> bool:
    """Create ``admin`` when there is no administrator yet; returns whether it did."""
    async with database.read() as session:
        count = await session.scalar(
            select(func.count()).select_from(Account).where(Account.role == Role.ADMIN)
        )
    if count:
        return False
    hasher = passwords or Passwords()
    wanted = schemas.NewAccount(
        login=ADMIN_LOGIN, display_name="管理员", role=Role.ADMIN, password=password
    )
    try:
        await create_account(database, hasher, wanted, actor_id=None, now=datetime.now(UTC))
    except ConflictError:
        return False  # Another vod was first.
    finally:
        if passwords is None:
            hasher.close()
    return True


async def change_account(
    database: Database,
    passwords: Passwords,
    change: schemas.AccountChange,
    *,
    account_id: str,
    actor_id: str,
    now: datetime,
) -> Account:
    """Change somebody's account; a new password or a disabling signs them out at once.

    Raises:
        NotFoundError: No such account.
        ConflictError: It would leave the house without an administrator.
    """
    new_hash = await passwords.hash(change.new_password) if change.new_password else None
    async with database.write() as session:
        account = await session.get(Account, account_id, with_for_update=True)
        if account is None:
            raise NotFoundError("no such account")
        before = (account.role, account.is_disabled)
        account.display_name = change.display_name or account.display_name
        account.role = change.role or account.role
        if change.is_disabled is not None:
            account.is_disabled = change.is_disabled
        if new_hash is not None:
            _set_password(account, new_hash, must_change=account_id != actor_id)
        await session.flush()
        if before == (Role.ADMIN, False):
            await _require_an_admin(session)
        if account.is_disabled or new_hash is not None:
            await sessions.end_sessions_of(session, account_id)
        record(
            session,
            now=now,
            actor_id=actor_id,
            action="account.changed",
            object_type="account",
            object_id=account_id,
            **_describe_change(change),
        )
    return account


async def _require_an_admin(session: AsyncSession) -> None:
    # Locks the remaining administrators, so that two of them cannot demote each other at once.
    left = await session.scalars(
        select(Account.id)
        .where(Account.role == Role.ADMIN, Account.is_disabled.is_(False))
        .with_for_update()
    )
    if left.first() is None:
        raise ConflictError(
            "this is the last administrator", title_zh="不能停用或降级最后一位管理员"
        )


def _describe_change(change: schemas.AccountChange) -> dict[str, object]:
    detail = change.model_dump(mode="json", exclude_unset=True, exclude={"new_password"})
    if change.new_password is not None:
        detail["is_password_changed"] = True
    return detail


async def load_account(session: AsyncSession, account_id: str) -> Account:
    """Raises ``NotFoundError`` when there is none."""
    account = await session.get(Account, account_id) if is_id(account_id) else None
    if account is None:
        raise NotFoundError("no such account")
    return account


async def load_accounts(
    session: AsyncSession, page: PageQuery, *, words: str, role: Role | None
) -> tuple[list[Account], int]:
    """Load one page of accounts by login."""
    query = select(Account).order_by(Account.login)
    if words.strip():
        like = build_like(words)
        query = query.where(
            or_(
                Account.login.ilike(like, escape="\\"),
                Account.display_name.ilike(like, escape="\\"),
            )
        )
    if role is not None:
        query = query.where(Account.role == role)
    return await load_page(session, query, page)
