"""Write menus: drafts, versions, what members may see. Owns its transactions.

A draft is saved over the version that its editor saw, never over another: whoever comes second
merges first (``vod.menus.merge``). Versions are only ever added.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InputError
from vod.accounts.roles import Viewer
from vod.audience.service import check_rules
from vod.audit.service import record
from vod.db.engine import Database
from vod.menus import schemas
from vod.menus.content import MenuContent, build_empty, find_gap, iter_rules
from vod.menus.merge import Merged, merge
from vod.menus.models import Menu, MenuVersion
from vod.menus.queries import load_menu, load_recent_versions, load_version, require_owner

AUDIT_EVERY: Final = timedelta(minutes=10)  # Autosaves of one editor leave one trace in that time.


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and when."""

    viewer: Viewer
    now: datetime


async def create_menu(database: Database, wanted: schemas.NewMenu, actor: Actor) -> str:
    """Create an empty menu, the last in order; returns its identifier.

    Raises:
        NotAllowedError: The viewer does not curate for that unit.
    """
    async with database.write() as session:
        await require_owner(session, actor.viewer, wanted.unit_id)
        last = await session.scalar(select(func.max(Menu.position)))
        menu = Menu(
            unit_id=wanted.unit_id,
            title=wanted.title,
            draft=build_empty(wanted.title).model_dump(mode="json"),
            position=0 if last is None else last + 1,
            saved_at=actor.now,
            saved_by=actor.viewer.account_id,
            created_at=actor.now,
        )
        session.add(menu)
        await session.flush()
        _record(session, actor, "menu.created", menu.id, title=menu.title)
        return menu.id


async def save_draft(
    database: Database, wanted: schemas.DraftSave, *, menu_id: str, actor: Actor
) -> bool:
    """Save a draft if nobody else saved meanwhile; tells whether it was.

    Raises:
        InputError: 422, a rule names what is not there.
        NotFoundError, NotAllowedError: As ``load_menu`` says.
    """
    async with database.write() as session:
        menu = await load_menu(session, menu_id, actor.viewer, is_locked=True)
        if menu.draft_version != wanted.version:
            return False
        await check_rules(session, iter_rules(wanted.content), field="content.audience")
        is_new_hand = menu.saved_by != actor.viewer.account_id
        if is_new_hand or actor.now - menu.saved_at > AUDIT_EVERY or menu.draft_version == 1:
            _record(session, actor, "menu.changed", menu_id, version=wanted.version + 1)
        _write_draft(menu, wanted.content, actor)
        return True


def _write_draft(menu: Menu, content: MenuContent, actor: Actor) -> None:
    menu.draft = content.model_dump(mode="json")
    menu.title = content.title
    menu.draft_version += 1
    menu.saved_at, menu.saved_by = actor.now, actor.viewer.account_id


async def merge_draft(
    session: AsyncSession, wanted: schemas.DraftMerge, *, menu_id: str, viewer: Viewer
) -> tuple[Menu, Merged]:
    """Merge what an editor wrote with the draft as it is now; nothing is stored.

    Raises:
        InputError: 422, together they are more than a menu holds.
        NotFoundError, NotAllowedError: As ``load_menu`` says.
    """
    menu = await load_menu(session, menu_id, viewer)
    try:
        merged = merge(wanted.base, wanted.mine, MenuContent.model_validate(menu.draft))
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]["msg"]
        raise InputError(
            f"mine: {detail}", field="mine", status=422, title_zh="两份修改合在一起超出了菜单的限制"
        ) from error
    return menu, merged


async def publish(
    database: Database, wanted: schemas.Publishing, *, menu_id: str, actor: Actor
) -> bool:
    """Make a version of the draft if it is the one that was seen; tells whether it was.

    Raises:
        InputError: 422, something is missing in the draft, or a rule names what is not there.
        NotFoundError, NotAllowedError: As ``load_menu`` says.
    """
    async with database.write() as session:
        menu = await load_menu(session, menu_id, actor.viewer, is_locked=True)
        if menu.draft_version != wanted.version:
            return False
        content = MenuContent.model_validate(menu.draft)
        if gap := find_gap(content):
            field, sentence = gap
            raise InputError(f"{field} is missing", field=field, status=422, title_zh=sentence)
        await check_rules(session, iter_rules(content), field="content.audience")
        begins_at = max(wanted.begins_at or actor.now, actor.now)
        number = await _add_version(
            session, menu, menu.draft, actor, begins_at=begins_at, note=wanted.note,
            draft_version=menu.draft_version,
        )  # fmt: skip
        menu.withdrawn_at = None
        _record(
            session, actor, "menu.published", menu_id, number=number, note=wanted.note,
            begins_at=begins_at.isoformat(),
        )  # fmt: skip
        return True


async def roll_back(
    database: Database, wanted: schemas.Rollback, *, menu_id: str, actor: Actor
) -> None:
    """Show an old version again, as a new one, at once.

    The draft follows unless it holds changes that are not published: those stay.

    Raises:
        NotFoundError: There is no such menu or version.
        NotAllowedError: As ``load_menu`` says.
    """
    async with database.write() as session:
        menu = await load_menu(session, menu_id, actor.viewer, is_locked=True)
        old = await load_version(session, menu_id, wanted.number)
        newest = (await load_recent_versions(session, [menu_id]))[menu_id][0]
        draft_version = None
        if newest.draft_version == menu.draft_version:
            _write_draft(menu, MenuContent.model_validate(old.content), actor)
            draft_version = menu.draft_version
        number = await _add_version(
            session, menu, old.content, actor, begins_at=actor.now, note=wanted.note,
            draft_version=draft_version, restored_from=old.number,
        )  # fmt: skip
        menu.withdrawn_at = None
        _record(
            session, actor, "menu.rolled_back", menu_id, number=number, restored_from=old.number
        )


async def _add_version(
    session: AsyncSession,
    menu: Menu,
    content: dict[str, Any],
    actor: Actor,
    *,
    begins_at: datetime,
    note: str,
    draft_version: int | None,
    restored_from: int | None = None,
) -> int:
    last = await session.scalar(
        select(func.max(MenuVersion.number)).where(MenuVersion.menu_id == menu.id)
    )
    number = (last or 0) + 1
    session.add(
        MenuVersion(
            menu_id=menu.id,
            number=number,
            content=content,
            begins_at=begins_at,
            note=note,
            draft_version=draft_version,
            restored_from=restored_from,
            published_at=actor.now,
            published_by=actor.viewer.account_id,
        )
    )
    return number


async def change_menu(
    database: Database, change: schemas.MenuChange, *, menu_id: str, actor: Actor
) -> None:
    """Change a menu's place among the others, or whether members see it at all.

    Raises:
        NotFoundError, NotAllowedError: As ``load_menu`` says.
    """
    async with database.write() as session:
        menu = await load_menu(session, menu_id, actor.viewer, is_locked=True)
        if change.position is not None:
            menu.position = change.position
        if change.is_withdrawn is not None:
            menu.withdrawn_at = actor.now if change.is_withdrawn else None
        _record(session, actor, "menu.arranged", menu_id, **change.model_dump(exclude_unset=True))


async def delete_menu(database: Database, *, menu_id: str, actor: Actor) -> None:
    """Hide a menu from everybody; its versions stay in the database.

    Raises:
        NotFoundError, NotAllowedError: As ``load_menu`` says.
    """
    async with database.write() as session:
        menu = await load_menu(session, menu_id, actor.viewer, is_locked=True)
        menu.deleted_at = actor.now
        _record(session, actor, "menu.deleted", menu_id, title=menu.title)


def _record(session: AsyncSession, actor: Actor, action: str, menu_id: str, **detail: Any) -> None:
    record(
        session, now=actor.now, actor_id=actor.viewer.account_id, action=action,
        object_type="menu", object_id=menu_id, **detail,
    )  # fmt: skip
