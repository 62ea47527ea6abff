"""Change the tree. Owns its transactions.

Whoever changes the shape first counts the tree's version up, and so holds its one row until the
end of the transaction: shapes are changed one after the other, reads never wait. ``path`` is
rewritten in the same transaction, so that a sub-tree is always a prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, NotAllowedError
from kernel.ids import new_id
from vod.accounts.models import Account, RoleScope
from vod.accounts.rights import Action, may
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.menus.models import Menu, Recommendation
from vod.units import schemas
from vod.units.models import OrgTree, OrgUnit
from vod.units.queries import count_children, holds_any, load_unit, require_unit
from vod.units.tree import (
    MAX_UNITS_COUNT,
    build_path,
    check_move,
    check_name,
    check_place,
    measure_height,
    place,
)


async def create_unit(
    database: Database, wanted: schemas.NewOrgUnit, *, viewer: Viewer, now: datetime
) -> OrgUnit:
    """Create a unit as the last of its siblings.

    Raises:
        NotAllowedError: Not below a unit of the viewer's.
        ConflictError: The name is taken there, or the tree is full or too deep.
    """
    name = check_name(wanted.name)
    async with database.write() as session:
        await lock_tree(session)
        parent_path = await _find_parent(session, wanted.parent_id)
        require_right(viewer, parent_path)
        await _check_room(session)
        check_place(parent_path, height=1)
        await _check_siblings(session, wanted.parent_id, name, unit_id=None)
        unit_id = new_id()
        siblings = await _load_siblings(session, wanted.parent_id)
        unit = OrgUnit(
            id=unit_id,
            parent_id=wanted.parent_id,
            name=name,
            kind=wanted.kind,
            position=len(siblings),
            path=build_path(parent_path, unit_id),
            created_at=now,
        )
        session.add(unit)
        _record(session, viewer, "unit.created", unit_id, now=now, name=name)
    return unit


async def change_unit(
    database: Database,
    change: schemas.OrgUnitChange,
    *,
    unit_id: str,
    viewer: Viewer,
    now: datetime,
) -> OrgUnit:
    """Rename, move or order a unit; ordering numbers its siblings anew from 0.

    Raises:
        NotFoundError: No such unit.
        NotAllowedError: It does not lie truly below a unit of the viewer's, here or there.
        ConflictError: It would lie below itself, too deep, or beside its namesake.
    """
    async with database.write() as session:
        await lock_tree(session)
        unit = await load_unit(session, unit_id)
        require_right(viewer, find_parent_path(unit.path))
        if change.name is not None:
            unit.name = check_name(change.name)
        unit.kind = change.kind or unit.kind
        is_moved = "parent_id" in change.model_fields_set and change.parent_id != unit.parent_id
        if is_moved:
            await _move(session, unit, change.parent_id, viewer)
        await _check_siblings(session, unit.parent_id, unit.name, unit_id=unit.id)
        if is_moved or change.position is not None:
            await _order(session, unit, change.position)
        detail = change.model_dump(mode="json", exclude_unset=True)
        _record(session, viewer, "unit.changed", unit_id, now=now, **detail)
    return unit


async def delete_unit(database: Database, *, unit_id: str, viewer: Viewer, now: datetime) -> None:
    """Delete an empty unit.

    Raises:
        NotFoundError: No such unit.
        NotAllowedError: It does not lie truly below a unit of the viewer's.
        ConflictError: It has units, members, menus or other things, or somebody has a role in it.
    """
    try:
        async with database.write() as session:
            await lock_tree(session)
            unit = await load_unit(session, unit_id)
            require_right(viewer, find_parent_path(unit.path))
            if await count_children(session, [unit_id]):
                raise ConflictError("it has units below it", title_zh="请先移走或删除下级组织")
            if await holds_any(session, Account, unit_id):
                raise ConflictError("it has members", title_zh="请先移走这个组织的成员")
            if await holds_any(session, RoleScope, unit_id):
                raise ConflictError(
                    "somebody has a role in it", title_zh="请先撤销这个组织的管理员"
                )
            await _release_menus(session, unit_id)
            await session.delete(unit)
            _record(session, viewer, "unit.deleted", unit_id, now=now, name=unit.name)
    except IntegrityError as error:  # Somebody joined it meanwhile, or another room refers to it.
        raise ConflictError(
            "something belongs to it", title_zh="还有成员或内容属于这个组织,请先移走或删除"
        ) from error


async def _release_menus(session: AsyncSession, unit_id: str) -> None:
    """Let go of menus that were deleted before; those that are shown keep the unit.

    Raises:
        ConflictError: It has menus or recommendations.
    """
    is_shown = select(Menu.id).where(Menu.unit_id == unit_id, Menu.deleted_at.is_(None))
    if await session.scalar(is_shown.limit(1)) is not None:
        raise ConflictError("it has menus", title_zh="请先删除这个组织的菜单")
    if await holds_any(session, Recommendation, unit_id):
        raise ConflictError("it has recommendations", title_zh="请先撤下这个组织的推荐")
    await session.execute(
        update(Menu)
        .where(Menu.unit_id == unit_id)
        .values(unit_id=None)
        .execution_options(synchronize_session=False)
    )


async def lock_tree(session: AsyncSession) -> None:
    """Let nobody else change the shape of the tree until the transaction ends."""
    await session.execute(
        update(OrgTree).where(OrgTree.id == 1).values(version=OrgTree.version + 1)
    )


def find_parent_path(path: str) -> str | None:
    """Return the path above; ``None`` at the top."""
    above = path[: path.rstrip("/").rfind("/") + 1]
    return None if above == "/" else above


def require_right(viewer: Viewer, parent_path: str | None) -> None:
    """Check that ``viewer`` may change what lies directly below ``parent_path``.

    Raises:
        NotAllowedError: No; at the top (``None``) only roles of the whole city may.
    """
    if not may(viewer, Action.CHANGE_UNITS, parent_path):
        raise NotAllowedError("this unit is not below yours", title_zh="只能管理本单位的下级组织")


async def _find_parent(session: AsyncSession, parent_id: str | None) -> str | None:
    if parent_id is None:
        return None
    return (await require_unit(session, parent_id, field="parent_id")).path


async def _move(
    session: AsyncSession, unit: OrgUnit, parent_id: str | None, viewer: Viewer
) -> None:
    parent_path = await _find_parent(session, parent_id)
    require_right(viewer, parent_path)
    check_move(unit.path, parent_path)
    old_path, new_path = unit.path, build_path(parent_path, unit.id)
    below = await session.scalars(select(OrgUnit.path).where(OrgUnit.path.like(f"{old_path}%")))
    check_place(parent_path, height=measure_height(old_path, below))
    unit.parent_id = parent_id
    await session.flush()
    await session.execute(
        update(OrgUnit)
        .where(OrgUnit.path.like(f"{old_path}%"))
        .values(path=new_path + func.substr(OrgUnit.path, len(old_path) + 1))
        .execution_options(synchronize_session=False)
    )
    await session.refresh(unit)


async def _order(session: AsyncSession, unit: OrgUnit, position: int | None) -> None:
    siblings = await _load_siblings(session, unit.parent_id)
    rows = [
        {"b_id": sibling_id, "b_position": index}
        for index, sibling_id in enumerate(place(siblings, unit.id, position))
    ]
    units = cast("Table", OrgUnit.__table__)
    connection = await session.connection()  # Rows, not objects: one statement for all of them.
    await connection.execute(
        update(units)
        .where(units.c.id == bindparam("b_id"), units.c.position != bindparam("b_position"))
        .values(position=bindparam("b_position")),
        rows,
    )
    await session.refresh(unit)


async def _load_siblings(session: AsyncSession, parent_id: str | None) -> Sequence[str]:
    query = select(OrgUnit.id).order_by(OrgUnit.position, OrgUnit.id)
    is_sibling = (
        OrgUnit.parent_id.is_(None) if parent_id is None else OrgUnit.parent_id == parent_id
    )
    return (await session.scalars(query.where(is_sibling))).all()


async def _check_room(session: AsyncSession) -> None:
    count = await session.scalar(select(func.count()).select_from(OrgUnit)) or 0
    if count >= MAX_UNITS_COUNT:
        raise ConflictError(
            f"there are {count} units, at most {MAX_UNITS_COUNT}",
            title_zh=f"组织最多 {MAX_UNITS_COUNT} 个",
        )


async def _check_siblings(
    session: AsyncSession, parent_id: str | None, name: str, *, unit_id: str | None
) -> None:
    is_sibling = (
        OrgUnit.parent_id.is_(None) if parent_id is None else OrgUnit.parent_id == parent_id
    )
    query = select(OrgUnit.id).where(is_sibling, OrgUnit.name == name)
    if unit_id is not None:
        query = query.where(OrgUnit.id != unit_id)
    if await session.scalar(query.limit(1)) is not None:
        raise ConflictError("a sibling has this name", title_zh="同一上级下已有同名组织")


def _record(
    session: AsyncSession,
    viewer: Viewer,
    action: str,
    unit_id: str,
    *,
    now: datetime,
    **detail: object,
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="unit",
        object_id=unit_id,
        **detail,
    )
