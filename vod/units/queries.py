"""Read the tree. Queries only; nothing is committed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, Select, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InputError, NotFoundError
from vod.accounts.models import Account
from vod.accounts.rights import ROOT_PATH
from vod.db.base import Base
from vod.http.pagination import PageQuery, build_like, load_page
from vod.units.models import OrgUnit
from vod.units.tree import build_full_names, split_path, sum_subtrees

FULL_NAME_SEPARATOR = " / "


def build_reach(reach: Iterable[str]) -> ColumnElement[bool]:
    """Build the condition that a unit lies at or below one of the paths ``reach``."""
    paths = tuple(reach)
    if ROOT_PATH in paths:
        return true()
    # Identifiers hold nothing that LIKE reads as its own.
    return or_(false(), *(OrgUnit.path.like(f"{path}%") for path in paths))


def build_members_reach(reach: Iterable[str]) -> ColumnElement[bool]:
    """Build the condition that an account belongs to a unit at or below one of ``reach``."""
    paths = tuple(reach)
    if ROOT_PATH in paths:
        return true()
    return Account.unit_id.in_(select(OrgUnit.id).where(build_reach(paths)))


async def load_unit(session: AsyncSession, unit_id: str) -> OrgUnit:
    """Raises ``NotFoundError`` when there is none."""
    unit = await session.get(OrgUnit, unit_id)
    if unit is None:
        raise NotFoundError("no such unit", title_zh="没有这个组织")
    return unit


async def require_unit(session: AsyncSession, unit_id: str, *, field: str) -> OrgUnit:
    """Load a unit that a body or query names.

    Raises:
        InputError: 422, there is no such unit.
    """
    unit = await session.get(OrgUnit, unit_id)
    if unit is None:
        raise InputError(f"{field}: no such unit", field=field, status=422, title_zh="没有这个组织")
    return unit


async def load_paths(session: AsyncSession, unit_ids: Collection[str]) -> dict[str, str]:
    """Load the paths of units by identifier; unknown ones are left out."""
    rows = await session.execute(
        select(OrgUnit.id, OrgUnit.path).where(OrgUnit.id.in_(set(unit_ids)))
    )
    return dict(rows.tuples().all())


async def load_children_page(
    session: AsyncSession, page: PageQuery, *, parent_id: str | None, tops: Sequence[str]
) -> tuple[list[OrgUnit], int]:
    """Load one page of the units below ``parent_id``, or of the tops of what may be seen."""
    query: Select[tuple[OrgUnit]] = select(OrgUnit).order_by(OrgUnit.position, OrgUnit.id)
    if parent_id is not None:
        query = query.where(OrgUnit.parent_id == parent_id)
    elif ROOT_PATH in tops:
        query = query.where(OrgUnit.parent_id.is_(None))
    else:
        query = query.where(OrgUnit.path.in_(tops))
    return await load_page(session, query, page)


async def find_units_page(
    session: AsyncSession, page: PageQuery, *, words: str, reach: Sequence[str]
) -> tuple[list[OrgUnit], int]:
    """Load one page of the units whose name holds ``words``, in the order of the tree."""
    query = (
        select(OrgUnit)
        .where(OrgUnit.name.ilike(build_like(words), escape="\\"), build_reach(reach))
        .order_by(OrgUnit.name, OrgUnit.id)
    )
    return await load_page(session, query, page)


async def load_full_names(session: AsyncSession, paths: Iterable[str]) -> dict[str, str]:
    """Load the full names of the units at ``paths``, by identifier, in one query."""
    wanted = {unit_id for path in paths for unit_id in split_path(path)}
    if not wanted:
        return {}
    rows = await session.execute(
        select(OrgUnit.id, OrgUnit.parent_id, OrgUnit.name).where(OrgUnit.id.in_(wanted))
    )
    names = build_full_names(rows.tuples())
    return {unit_id: FULL_NAME_SEPARATOR.join(parts) for unit_id, parts in names.items()}


async def count_members(
    session: AsyncSession, paths: Sequence[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Count members below each of the units at ``paths``, in one query.

    Returns:
        By identifier: of the unit and all below it, and of the unit itself.
    """
    if not paths:
        return {}, {}
    parents = {path[: path.rstrip("/").rfind("/") + 1] for path in paths}
    below = parents if len(parents) < len(paths) else set(paths)
    rows = await session.execute(
        select(OrgUnit.path, func.count())
        .join(Account, Account.unit_id == OrgUnit.id)
        .where(build_reach(below), Account.is_disabled.is_(False))
        .group_by(OrgUnit.path)
    )
    counts = dict(rows.tuples().all())
    return sum_subtrees(counts), {split_path(path)[-1]: count for path, count in counts.items()}


async def count_children(session: AsyncSession, unit_ids: Collection[str]) -> dict[str, int]:
    rows = await session.execute(
        select(OrgUnit.parent_id, func.count())
        .where(OrgUnit.parent_id.in_(set(unit_ids)))
        .group_by(OrgUnit.parent_id)
    )
    return {parent_id: count for parent_id, count in rows.tuples() if parent_id is not None}


async def holds_any(session: AsyncSession, model: type[Base], unit_id: str) -> bool:
    """Tell whether a table with a ``unit_id`` refers to the unit."""
    column = model.__table__.c["unit_id"]
    return await session.scalar(select(column).where(column == unit_id).limit(1)) is not None
