"""Read menus: as one member sees them, as editors do. A fixed number of queries each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kernel.errors import InputError, NotFoundError
from vod.accounts.models import Account
from vod.accounts.rights import Action, find_reach
from vod.accounts.roles import MemberFacts, Role, Viewer
from vod.audience.service import build_reach
from vod.http.pagination import PageQuery
from vod.menus import present, schemas
from vod.menus.content import MenuContent, build_empty, iter_items
from vod.menus.diff import diff
from vod.menus.layout import find_meant, prune
from vod.menus.models import Menu, MenuVersion
from vod.menus.queries import (
    find_current,
    load_current,
    load_menu,
    load_menu_page,
    load_recent_versions,
    load_version,
    load_version_page,
    require_curator,
    select_current,
)
from vod.menus.targets import Ref, Targets, collect_refs, is_there, load_targets
from vod.units.models import OrgUnit

MAX_REPORTED_COUNT: Final = 200  # Menus that one report looks through.


@dataclass(frozen=True, slots=True)
class Shown:
    """A menu as one member sees it: pruned, with what its items lead to."""

    menu: Menu
    number: int | None
    content: MenuContent
    targets: Targets


async def load_shown(
    session: AsyncSession,
    viewer: Viewer,
    now: datetime,
    *,
    menu_id: str | None = None,
    origin: str | None = None,
) -> list[Shown]:
    """Load the menus that are for a member, without what leads to nothing.

    Args:
        menu_id: Only this one.
        origin: Where pictures come from, if there shall be any.
    """
    rows = await load_current(session, viewer.member, now, menu_id=menu_id)
    meant = [
        (menu, version.number, content)
        for menu, version in rows
        if (content := find_meant(_read(version.content), viewer.member, now))
    ]
    return await _prune_all(session, meant, viewer, origin)


async def _prune_all(
    session: AsyncSession,
    meant: Sequence[tuple[Menu, int | None, MenuContent]],
    viewer: Viewer,
    origin: str | None,
) -> list[Shown]:
    targets = await load_targets(
        session, _collect(content for _, _, content in meant), viewer, origin=origin
    )
    return [
        Shown(menu, number, content, targets)
        for menu, number, whole in meant
        if (content := prune(whole, lambda item: is_there(item, targets)))
    ]


def _read(content: dict[str, Any]) -> MenuContent:
    return MenuContent.model_validate(content)


def _collect(contents: Iterable[MenuContent]) -> set[Ref]:
    return collect_refs(item for content in contents for _, item in iter_items(content))


async def load_facts(
    session: AsyncSession, viewer: Viewer, *, account_id: str | None, facts: MemberFacts
) -> Viewer:
    """Describe the member that an editor wants to see as.

    Args:
        account_id: A real one, below the units that the editor curates; else ``facts`` count.

    Raises:
        NotFoundError: There is no such member there.
    """
    if account_id is None:
        return Viewer(account_id="preview", role=Role.MEMBER, member=facts)
    account = await session.scalar(
        select(Account)
        .outerjoin(OrgUnit, OrgUnit.id == Account.unit_id)
        .where(Account.id == account_id, build_reach(find_reach(viewer, Action.CURATE)))
        .options(joinedload(Account.unit))
    )
    if account is None:
        raise NotFoundError("no such member")
    path = account.unit.path if account.unit else None
    member = MemberFacts(unit_path=path, category=account.category, level=account.level)
    return Viewer(account_id=account.id, role=Role.MEMBER, member=member)


async def find_unit_path(session: AsyncSession, unit_id: str | None, viewer: Viewer) -> str | None:
    """Find where the member would be whom ``viewer`` wants to see as.

    Raises:
        InputError: 422, there is no such unit.
        NotAllowedError: It is not at or below a unit that the viewer curates.
    """
    if unit_id is None:
        return None
    path: str | None = await session.scalar(select(OrgUnit.path).where(OrgUnit.id == unit_id))
    if path is None:
        raise InputError("unit_id: no such unit", field="unit_id", status=422)
    require_curator(viewer, path)
    return path


async def load_preview(
    session: AsyncSession, menu: Menu, member: Viewer, now: datetime, *, origin: str
) -> list[Shown]:
    """What a member would see of a draft if it were published now."""
    path = menu.unit.path if menu.unit else ""
    if not ((member.member and member.member.unit_path) or "").startswith(path):
        return []
    meant = find_meant(_read(menu.draft), member.member, now)
    found = [(menu, None, meant)] if meant else []
    return await _prune_all(session, found, member, origin)


async def load_draft(
    session: AsyncSession, menu_id: str, viewer: Viewer, now: datetime
) -> schemas.MenuDraft:
    """Load a draft for its editors.

    Raises:
        NotFoundError, NotAllowedError: As ``load_menu`` says.
    """
    menu = await load_menu(session, menu_id, viewer)
    content = _read(menu.draft)
    targets = await load_targets(session, _collect([content]), viewer)
    versions = (await load_recent_versions(session, [menu_id]))[menu_id]
    broken = present.list_broken(menu, content, targets, is_published=False)
    row = present.present_row(menu, versions, now, broken_count=len(broken))
    return present.present_draft(row, content, targets)


async def load_rows(
    session: AsyncSession, page: PageQuery, viewer: Viewer, now: datetime, *, words: str
) -> tuple[list[schemas.MenuRow], int]:
    """Load one page of the menus that a viewer curates."""
    menus, total = await load_menu_page(session, page, viewer, words=words)
    versions = await load_recent_versions(session, [menu.id for menu in menus])
    contents = {menu.id: _read(menu.draft) for menu in menus}
    targets = await load_targets(session, _collect(contents.values()), viewer)
    rows = []
    for menu in menus:
        broken = present.list_broken(menu, contents[menu.id], targets, is_published=False)
        rows.append(present.present_row(menu, versions[menu.id], now, broken_count=len(broken)))
    return rows, total


async def load_broken(
    session: AsyncSession, viewer: Viewer, now: datetime
) -> list[schemas.BrokenLink]:
    """List what leads to nothing in the drafts and present versions of a viewer's menus."""
    query = PageQuery(page=1, page_size=MAX_REPORTED_COUNT)
    menus, _ = await load_menu_page(session, query, viewer)
    ids = [menu.id for menu in menus]
    shown = await session.execute(select_current(now).where(Menu.id.in_(ids)))
    published = {menu.id: _read(version.content) for menu, version in shown.tuples()}
    drafts = {menu.id: _read(menu.draft) for menu in menus}
    targets = await load_targets(session, _collect([*published.values(), *drafts.values()]), viewer)
    broken = []
    for menu in menus:
        for contents, is_published in ((published, True), (drafts, False)):
            content = contents.get(menu.id)
            if content is not None and (is_published or content != published.get(menu.id)):
                broken += present.list_broken(menu, content, targets, is_published=is_published)
    return broken


async def load_versions(
    session: AsyncSession, page: PageQuery, menu_id: str, viewer: Viewer, now: datetime
) -> tuple[list[schemas.VersionRow], int]:
    """Load one page of a menu's versions."""
    await load_menu(session, menu_id, viewer)
    rows, total = await load_version_page(session, page, menu_id)
    current = await _find_current_number(session, menu_id, now)
    return [present.present_version(row, current, now) for row in rows], total


async def load_one_version(
    session: AsyncSession, menu_id: str, number: int, viewer: Viewer, now: datetime
) -> schemas.VersionShown:
    await load_menu(session, menu_id, viewer)
    row = await load_version(session, menu_id, number)
    current = await _find_current_number(session, menu_id, now)
    shown = present.present_version(row, current, now)
    return schemas.VersionShown(**shown.model_dump(), content=_read(row.content))


async def _find_current_number(session: AsyncSession, menu_id: str, now: datetime) -> int | None:
    versions: dict[str, list[MenuVersion]] = await load_recent_versions(session, [menu_id])
    current = find_current(versions[menu_id], now)
    return current.number if current else None


async def load_diff(
    session: AsyncSession,
    menu_id: str,
    viewer: Viewer,
    now: datetime,
    *,
    before: int | None,
    after: int | None,
) -> schemas.MenuDiff:
    """Compare two versions; without ``before`` the present one, without ``after`` the draft."""
    menu = await load_menu(session, menu_id, viewer)
    if before is None:
        before = await _find_current_number(session, menu_id, now)
    old = await _load_content(session, menu, before, default=build_empty(menu.title))
    new = await _load_content(session, menu, after, default=_read(menu.draft))
    targets = await load_targets(session, _collect([old, new]), viewer)
    changes = [present.present_change(change, targets) for change in diff(old, new)]
    return schemas.MenuDiff(before=before, after=after, changes=changes)


async def _load_content(
    session: AsyncSession, menu: Menu, number: int | None, *, default: MenuContent
) -> MenuContent:
    if number is None:
        return default
    return _read((await load_version(session, menu.id, number)).content)
