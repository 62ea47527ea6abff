"""Create, change and reset members, grant roles in sub-trees. Owns its transactions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotAllowedError
from kernel.ids import new_id
from vod.accounts import sessions
from vod.accounts.codes import CODE_LIFETIME, generate_code, hash_code
from vod.accounts.models import Account, RoleScope
from vod.accounts.rights import SCOPED_ROLES, Action, Target, may, may_change_member
from vod.accounts.roles import Role, Scope, Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.people import schemas
from vod.people.lists import require_keys
from vod.people.queries import load_member
from vod.units.queries import require_unit

_LOGIN: Final = re.compile(r"[0-9a-z][0-9a-z._@-]{1,63}")


def build_login(staff_no: str | None, account_id: str) -> str:
    """Make the login of somebody who brings none: the staff number, else the identifier."""
    login = (staff_no or "").lower()
    return login if _LOGIN.fullmatch(login) else f"m{account_id}"


def describe_target(account: Account) -> Target:
    """Describe an account loaded with ``MEMBER_OPTIONS`` for ``rights.may_change_member``."""
    return Target(
        unit_path=account.unit.path if account.unit else None,
        role=account.role,
        scopes=tuple(Scope(scope.role, scope.unit.path) for scope in account.scopes),
    )


async def create_member(
    database: Database,
    wanted: schemas.NewMember,
    *,
    viewer: Viewer,
    secret: bytes,
    now: datetime,
) -> tuple[str, schemas.OneTimeCode]:
    """Create a member of a unit, who signs in with the code answered.

    Raises:
        NotAllowedError: The unit is not the viewer's.
        ConflictError: Login or staff number are taken.
    """
    account_id, code = new_id(), generate_code()
    login = wanted.login or build_login(wanted.staff_no, account_id)
    with _translate_conflicts():
        async with database.write() as session:
            unit = await require_unit(session, wanted.unit_id, field="unit_id")
            _require_reach(viewer, unit.path)
            await require_keys(session, category=wanted.category, level=wanted.level)
            account = Account(
                id=account_id,
                login=login,
                role=Role.MEMBER,
                password_hash="",
                created_at=now,
                **wanted.model_dump(exclude={"login"}),
            )
            _issue_code(account, code, secret=secret, now=now)
            session.add(account)
            _record(session, viewer, "member.created", account_id, now=now, unit_id=unit.id)
    return account_id, _describe_code(account, code)


async def change_member(
    database: Database,
    change: schemas.MemberChange,
    *,
    account_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Change a member; disabling signs them out at once.

    Raises:
        NotFoundError: No such member.
        NotAllowedError: They, or the unit they shall go to, are not the viewer's.
        ConflictError: The staff number is taken, or it is the last administrator.
    """
    values = change.model_dump(exclude_unset=True)
    if values.get("display_name", "") is None or values.get("is_disabled", True) is None:
        raise InputError("display_name and is_disabled cannot be null", status=422)
    with _translate_conflicts():
        async with database.write() as session:
            account = await _load_changeable(session, account_id, viewer)
            if "unit_id" in values:
                await _require_goal(session, viewer, change.unit_id)
            await require_keys(session, category=change.category, level=change.level)
            if change.is_disabled:
                await _disable(session, account)
            for name, value in values.items():
                setattr(account, name, value)
            # Which fields, not what they hold: the log keeps no phone numbers.
            _record(session, viewer, "member.changed", account_id, now=now, fields=sorted(values))


async def reset_member(
    database: Database, *, account_id: str, viewer: Viewer, secret: bytes, now: datetime
) -> schemas.OneTimeCode:
    """Take away a password: a one-time code signs in to choose another.

    Raises:
        NotFoundError: No such member.
        NotAllowedError: They are not the viewer's, or the viewer.
    """
    if account_id == viewer.account_id:
        raise NotAllowedError("change your own password", title_zh="请在“我的账号”里修改自己的密码")
    code = generate_code()
    async with database.write() as session:
        account = await _load_changeable(session, account_id, viewer)
        _issue_code(account, code, secret=secret, now=now)
        account.password_hash = ""
        await sessions.end_sessions_of(session, account_id)
        _record(session, viewer, "member.reset", account_id, now=now)
    return _describe_code(account, code)


async def replace_scopes(
    database: Database,
    wanted: schemas.ScopesChange,
    *,
    account_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Write all roles that somebody has in sub-trees.

    Raises:
        NotFoundError: No such member.
        NotAllowedError: Only administrators of the whole city grant roles.
        InputError: A role that is none of sub-trees, or an unknown unit.
    """
    if not may(viewer, Action.GRANT_ROLES, None):
        raise NotAllowedError("only administrators grant roles", title_zh="只有管理员可以授予角色")
    pairs = sorted({(item.role.value, item.unit_id) for item in wanted.scopes})
    async with database.write() as session:
        account = await load_member(session, account_id, for_update=True)
        for role, unit_id in pairs:
            if Role(role) not in SCOPED_ROLES:
                raise InputError(
                    f"scopes: {role} is not a role of units",
                    field="scopes",
                    status=422,
                    title_zh="只能授予单位管理员或编辑",
                )
            await require_unit(session, unit_id, field="scopes")
        await session.execute(delete(RoleScope).where(RoleScope.account_id == account.id))
        session.add_all(
            RoleScope(account_id=account.id, role=Role(role), unit_id=unit_id)
            for role, unit_id in pairs
        )
        _record(
            session, viewer, "member.scopes_changed", account_id, now=now,
            scopes=[list(pair) for pair in pairs],
        )  # fmt: skip


async def _load_changeable(session: AsyncSession, account_id: str, viewer: Viewer) -> Account:
    account = await load_member(session, account_id, for_update=True)
    if not may_change_member(viewer, describe_target(account)):
        raise NotAllowedError("not a member of yours", title_zh="只能管理本单位的学员")
    return account


async def _require_goal(session: AsyncSession, viewer: Viewer, unit_id: str | None) -> None:
    if unit_id is None:
        _require_reach(viewer, None)
    else:
        _require_reach(viewer, (await require_unit(session, unit_id, field="unit_id")).path)


def _require_reach(viewer: Viewer, unit_path: str | None) -> None:
    if not may(viewer, Action.CHANGE_MEMBERS, unit_path):
        raise NotAllowedError("not a unit of yours", title_zh="只能管理本单位的学员")


async def _disable(session: AsyncSession, account: Account) -> None:
    await sessions.end_sessions_of(session, account.id)
    if account.role is Role.ADMIN and not account.is_disabled:
        # Locks them, so that two administrators cannot disable each other at once.
        others = await session.scalars(
            select(Account.id)
            .where(
                Account.role == Role.ADMIN,
                Account.is_disabled.is_(False),
                Account.id != account.id,
            )
            .with_for_update()
        )
        if others.first() is None:
            raise ConflictError(
                "this is the last administrator", title_zh="不能停用或降级最后一位管理员"
            )


def _issue_code(account: Account, code: str, *, secret: bytes, now: datetime) -> None:
    account.code_hash = hash_code(secret, account.id, code)
    account.code_expires_at = now + CODE_LIFETIME
    account.must_change_password = True


def _describe_code(account: Account, code: str) -> schemas.OneTimeCode:
    if account.code_expires_at is None:
        raise ValueError("no code was issued")
    return schemas.OneTimeCode(login=account.login, code=code, expires_at=account.code_expires_at)


@contextmanager
def _translate_conflicts() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        text = str(error.orig)
        title = next(
            (title for name, title in _CONFLICTS.items() if name in text), "资料刚刚被别人修改"
        )
        raise ConflictError("somebody else has this login or number", title_zh=title) from error


# Both databases name the column or the constraint.
_CONFLICTS: Final = {"staff_no": "这个工号已经有人使用", "login": "这个账号已经存在"}


def _record(
    session: AsyncSession,
    viewer: Viewer,
    action: str,
    account_id: str,
    *,
    now: datetime,
    **detail: Any,
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="account",
        object_id=account_id,
        **detail,
    )
