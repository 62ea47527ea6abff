"""The editable lists of categories and levels. Owns its transactions."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError
from kernel.ids import new_id
from vod.accounts.models import Account
from vod.audit.service import record
from vod.db.engine import Database
from vod.people import schemas
from vod.people.models import ListEntry, MemberCategory, MemberLevel


class MemberList(enum.Enum):
    """Which list."""

    CATEGORIES = "categories"
    LEVELS = "levels"


Entry = MemberCategory | MemberLevel
_MODELS: dict[MemberList, type[MemberCategory | MemberLevel]] = {
    MemberList.CATEGORIES: MemberCategory,
    MemberList.LEVELS: MemberLevel,
}
_COLUMNS = {MemberList.CATEGORIES: Account.category, MemberList.LEVELS: Account.level}


async def load_lists(session: AsyncSession) -> schemas.MemberLists:
    """Load both lists with the number of members per entry."""
    found = {which: await _load_counted(session, which) for which in MemberList}
    return schemas.MemberLists(
        categories=found[MemberList.CATEGORIES], levels=found[MemberList.LEVELS]
    )


async def load_entries(session: AsyncSession, which: MemberList) -> Sequence[ListEntry]:
    model = _MODELS[which]
    return (await session.scalars(select(model).order_by(model.position, model.key))).all()


async def require_keys(
    session: AsyncSession, *, category: str | None = None, level: str | None = None
) -> None:
    """Check keys that a body or query names.

    Raises:
        InputError: 422, the list has no such entry.
    """
    for field, which, key in (
        ("category", MemberList.CATEGORIES, category),
        ("level", MemberList.LEVELS, level),
    ):
        if key is not None and await session.get(_MODELS[which], key) is None:
            raise InputError(
                f"{field}: no such entry", field=field, status=422, title_zh="没有这个选项"
            )


async def replace_list(
    database: Database,
    which: MemberList,
    wanted: schemas.MemberListChange,
    *,
    actor_id: str,
    now: datetime,
) -> schemas.MemberLists:
    """Write a whole list: order, names, additions and removals.

    Raises:
        InputError: A key that is not there, or a name or key twice.
        ConflictError: What was left out is in use.
    """
    _check_distinct(wanted.items)
    try:
        async with database.write() as session:
            await _replace(session, which, wanted.items)
            record(
                session,
                now=now,
                actor_id=actor_id,
                action="member_list.changed",
                object_type="member_list",
                object_id=which.value,
                names=[item.name for item in wanted.items],
            )
            await session.flush()
            return await load_lists(session)
    except IntegrityError as error:
        raise ConflictError(
            "an entry that was left out is in use", title_zh="删去的选项还有成员在使用"
        ) from error


async def _replace(
    session: AsyncSession, which: MemberList, items: Sequence[schemas.NewListEntry]
) -> None:
    model = _MODELS[which]
    known = {entry.key: entry for entry in await load_entries(session, which)}
    kept = {item.key for item in items if item.key is not None}
    if unknown := kept - known.keys():
        raise InputError(f"items: no entry {min(unknown)}", field="items", status=422)
    for key in known.keys() - kept:
        await session.delete(known[key])
    for key in kept:  # Names are unique: no new one may meet an old one on its way.
        known[key].name = f"\x7f{key}"
    await session.flush()
    for position, item in enumerate(items):
        if item.key is None:
            session.add(model(key=new_id(), name=item.name, position=position))
        else:
            known[item.key].name, known[item.key].position = item.name, position


async def _load_counted(session: AsyncSession, which: MemberList) -> list[schemas.MemberListEntry]:
    column = _COLUMNS[which]
    rows = await session.execute(
        select(column, func.count()).where(column.is_not(None)).group_by(column)
    )
    counts = dict(rows.tuples().all())
    return [
        schemas.MemberListEntry(
            key=entry.key, name=entry.name, members_count=counts.get(entry.key, 0)
        )
        for entry in await load_entries(session, which)
    ]


def _check_distinct(items: Sequence[schemas.NewListEntry]) -> None:
    names = [item.name for item in items]
    keys = [item.key for item in items if item.key is not None]
    if len(set(names)) < len(names) or len(set(keys)) < len(keys):
        raise InputError(
            "items: a name or key is there twice",
            field="items",
            status=422,
            title_zh="列表中有重复的名称",
        )
