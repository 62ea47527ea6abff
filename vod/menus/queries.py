"""Statements on menus and versions. They never commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, defer, joinedload

from kernel.errors import NotAllowedError, NotFoundError
from vod.accounts.rights import ROOT_PATH, Action, find_reach, may
from vod.accounts.roles import Viewer
from vod.audience.rule import Facts, split_path
from vod.audience.service import build_reach
from vod.http.pagination import PageQuery, build_like, load_page
from vod.menus.models import Menu, MenuVersion
from vod.units.models import OrgUnit

MAX_SHOWN_COUNT = 50  # Menus of one member; nobody reads more, and each is a document.


def build_owned_above(
    unit_id: InstrumentedAttribute[str | None], member: Facts | None
) -> ColumnElement[bool]:
    """Whose things a member sees: those of the city and of all units above the own one."""
    above = split_path(member.unit_path) if member else ()
    return or_(unit_id.is_(None), unit_id.in_(above))


def select_current(now: datetime) -> Select[tuple[Menu, MenuVersion]]:
    """Select the menus that members may see, each with its version of the moment."""
    newest = (
        select(func.max(MenuVersion.number))
        .where(MenuVersion.menu_id == Menu.id, MenuVersion.begins_at <= now)
        .correlate(Menu)
        .scalar_subquery()
    )
    return (
        select(Menu, MenuVersion)
        .join(MenuVersion, MenuVersion.menu_id == Menu.id)
        .where(Menu.deleted_at.is_(None), Menu.withdrawn_at.is_(None), MenuVersion.number == newest)
        .options(joinedload(Menu.unit))
        .order_by(Menu.position, Menu.id)
    )


async def load_current(
    session: AsyncSession, member: Facts | None, now: datetime, *, menu_id: str | None = None
) -> list[tuple[Menu, MenuVersion]]:
    """Load what the city and the units above a member show now; their rules are not asked yet."""
    query = select_current(now).where(build_owned_above(Menu.unit_id, member))
    if menu_id is not None:
        query = query.where(Menu.id == menu_id)
    return list((await session.execute(query.limit(MAX_SHOWN_COUNT))).tuples())


async def load_menu_page(
    session: AsyncSession, page: PageQuery, viewer: Viewer, *, words: str = ""
) -> tuple[list[Menu], int]:
    """Load one page of the menus that the viewer may curate, in the order of members."""
    query = (
        select(Menu)
        .outerjoin(OrgUnit, OrgUnit.id == Menu.unit_id)
        .where(Menu.deleted_at.is_(None), build_curated(viewer))
        .options(joinedload(Menu.unit), joinedload(Menu.saver))
        .order_by(Menu.position, Menu.id)
    )
    if words.strip():
        query = query.where(Menu.title.ilike(build_like(words), escape="\\"))
    return await load_page(session, query, page)


def build_curated(viewer: Viewer) -> ColumnElement[bool]:
    """Build the condition, on units, that the viewer curates what belongs to them."""
    reach = find_reach(viewer, Action.CURATE)
    return true() if ROOT_PATH in reach else build_reach(reach)


async def load_menu(
    session: AsyncSession, menu_id: str, viewer: Viewer, *, is_locked: bool = False
) -> Menu:
    """Load a menu for whoever curates it.

    Args:
        is_locked: Nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: There is none.
        NotAllowedError: It belongs to a unit, or the city, that the viewer does not curate.
    """
    query = (
        select(Menu)
        .where(Menu.id == menu_id, Menu.deleted_at.is_(None))
        .options(joinedload(Menu.unit), joinedload(Menu.saver))
    )
    menu = await session.scalar(query.with_for_update(of=Menu) if is_locked else query)
    if menu is None:
        raise NotFoundError("no such menu")
    require_curator(viewer, menu.unit.path if menu.unit else None)
    return menu


def require_curator(viewer: Viewer, unit_path: str | None) -> None:
    """Raises ``NotAllowedError`` for whoever does not curate what belongs to the unit."""
    if not may(viewer, Action.CURATE, unit_path):
        raise NotAllowedError("this is curated by others")


async def require_owner(session: AsyncSession, viewer: Viewer, unit_id: str | None) -> None:
    """Check whose new things are to be.

    Raises:
        NotAllowedError: The viewer does not curate for the unit, or there is none.
    """
    path = None
    if unit_id is not None:
        path = await session.scalar(select(OrgUnit.path).where(OrgUnit.id == unit_id))
        if path is None:
            raise NotAllowedError("there is no such unit")
    require_curator(viewer, path)


async def load_recent_versions(
    session: AsyncSession, menu_ids: Collection[str]
) -> dict[str, list[MenuVersion]]:
    """Load of each menu its versions, newest first, without their content."""
    rows = await session.scalars(
        _select_light()
        .where(MenuVersion.menu_id.in_(menu_ids))
        .order_by(MenuVersion.menu_id, MenuVersion.number.desc())
    )
    found: dict[str, list[MenuVersion]] = {menu_id: [] for menu_id in menu_ids}
    for row in rows:
        found[row.menu_id].append(row)
    return found


def _select_light() -> Select[tuple[MenuVersion]]:
    return select(MenuVersion).options(defer(MenuVersion.content, raiseload=True))


async def load_version_page(
    session: AsyncSession, page: PageQuery, menu_id: str
) -> tuple[list[MenuVersion], int]:
    """Load one page of versions, newest first, publishers included."""
    query = (
        select(MenuVersion)
        .where(MenuVersion.menu_id == menu_id)
        .options(joinedload(MenuVersion.publisher))
        .order_by(MenuVersion.number.desc())
    )
    return await load_page(session, query, page)


async def load_version(session: AsyncSession, menu_id: str, number: int) -> MenuVersion:
    """Raises ``NotFoundError`` when there is none."""
    row = await session.scalar(
        select(MenuVersion)
        .where(MenuVersion.menu_id == menu_id, MenuVersion.number == number)
        .options(joinedload(MenuVersion.publisher))
    )
    if row is None:
        raise NotFoundError("no such version")
    return row


def find_current(versions: Sequence[MenuVersion], now: datetime) -> MenuVersion | None:
    """The highest number of those that have begun; ``versions`` are newest first."""
    return next((row for row in versions if row.begins_at <= now), None)


def find_next(versions: Sequence[MenuVersion], now: datetime) -> MenuVersion | None:
    """The version that takes over from the current one next, if one is waiting."""
    waiting = []
    for row in versions:
        if row.begins_at <= now:
            break
        waiting.append(row)
    return min(waiting, key=lambda row: (row.begins_at, -row.number), default=None)
