"""Recommendation slots 推荐位: what a page puts first, with dates of its own. Owns transactions.

Home and library call :func:`load_recommended`. What has ended, or leads to nothing, is not shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kernel.errors import InputError, NotFoundError
from vod.accounts.roles import Viewer
from vod.audience.service import check_rule
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, load_page
from vod.menus import schemas
from vod.menus.content import ItemKind, MenuItem
from vod.menus.layout import is_shown
from vod.menus.models import Recommendation
from vod.menus.places import Place
from vod.menus.present import present_item, present_unit
from vod.menus.queries import build_curated, build_owned_above, require_curator, require_owner
from vod.menus.service import Actor
from vod.menus.targets import (
    REASONS,
    Targets,
    TargetState,
    collect_refs,
    find_state,
    find_target,
    is_there,
    load_targets,
)
from vod.units.models import OrgUnit

MAX_SHOWN_COUNT: Final = 12  # Of one slot; more is a list.
MAX_ASKED_COUNT: Final = 100


async def load_recommended(
    session: AsyncSession, place: Place, viewer: Viewer, now: datetime, *, origin: str
) -> list[schemas.ItemShown]:
    """Load what a slot shows this member now, in order."""
    rows = await session.scalars(
        select(Recommendation)
        .where(
            Recommendation.place == place,
            or_(Recommendation.starts_at.is_(None), Recommendation.starts_at <= now),
            or_(Recommendation.ends_at.is_(None), Recommendation.ends_at > now),
            build_owned_above(Recommendation.unit_id, viewer.member),
        )
        .order_by(Recommendation.position, Recommendation.id)
        .limit(MAX_ASKED_COUNT)
    )
    items = [MenuItem.model_validate(row.item) for row in rows]
    meant = [item for item in items if is_shown(item, viewer.member, now)]
    targets = await load_targets(session, collect_refs(meant), viewer, origin=origin)
    shown = [present_item(item, targets) for item in meant if is_there(item, targets)]
    return shown[:MAX_SHOWN_COUNT]


async def load_rows(
    session: AsyncSession, page: PageQuery, viewer: Viewer, now: datetime, place: Place | None
) -> tuple[list[schemas.RecommendationRow], int]:
    """Load one page of what a viewer curates, by slot and place in it, ended ones included."""
    query = (
        select(Recommendation)
        .outerjoin(OrgUnit, OrgUnit.id == Recommendation.unit_id)
        .where(build_curated(viewer))
        .options(joinedload(Recommendation.unit))
        .order_by(Recommendation.place, Recommendation.position, Recommendation.id)
    )
    if place is not None:
        query = query.where(Recommendation.place == place)
    rows, total = await load_page(session, query, page)
    items = [MenuItem.model_validate(row.item) for row in rows]
    targets = await load_targets(session, collect_refs(items), viewer)
    return [_present(row, targets, now) for row in rows], total


def _present(row: Recommendation, targets: Targets, now: datetime) -> schemas.RecommendationRow:
    item = MenuItem.model_validate(row.item)
    target, found = find_target(item, targets), find_state(item, targets)
    state: str = "active"
    if row.ends_at is not None and row.ends_at <= now:
        state = "expired"
    elif found is not TargetState.THERE:
        state = "broken"
    elif row.starts_at is not None and row.starts_at > now:
        state = "waiting"
    return schemas.RecommendationRow.model_validate(
        {
            "id": row.id,
            "place": row.place,
            "unit": present_unit(row.unit),
            "item": item,
            "title": item.title or (target.title if target else ""),
            "position": row.position,
            "version": row.version,
            "state": state,
            "reason": REASONS.get(found),
        }
    )


async def create(
    database: Database, wanted: schemas.RecommendationBody, actor: Actor
) -> schemas.RecommendationRow:
    """Put something into a slot.

    Raises:
        NotAllowedError: The viewer does not curate for that unit.
        InputError: 422, it leads nowhere, or its rule names what is not there.
    """
    async with database.write() as session:
        await require_owner(session, actor.viewer, wanted.unit_id)
        await _check(session, wanted.item)
        row = Recommendation(
            place=wanted.place,
            unit_id=wanted.unit_id,
            position=wanted.position,
            created_at=actor.now,
        )
        _write(row, wanted.item, actor)
        session.add(row)
        await session.flush()
        _record(session, actor, "recommendation.created", row.id)
        return await _show(session, row.id, actor)


async def change(
    database: Database, wanted: schemas.RecommendationSave, *, row_id: str, actor: Actor
) -> tuple[schemas.RecommendationRow, bool]:
    """Change one if nobody else did meanwhile; returns it as it is now, and whether it took.

    Raises:
        NotFoundError, NotAllowedError: As ``create``; there is none.
        InputError: As ``create``.
    """
    async with database.write() as session:
        row = await _load(session, row_id, actor.viewer)
        if row.version != wanted.version:
            return await _show(session, row_id, actor), False
        await _check(session, wanted.item)
        row.position = wanted.position
        row.version += 1
        _write(row, wanted.item, actor)
        _record(session, actor, "recommendation.changed", row_id)
        await session.flush()
        return await _show(session, row_id, actor), True


async def remove(database: Database, *, row_id: str, actor: Actor) -> None:
    """Take something out of its slot.

    Raises:
        NotFoundError, NotAllowedError: As ``change``.
    """
    async with database.write() as session:
        await session.delete(await _load(session, row_id, actor.viewer))
        _record(session, actor, "recommendation.removed", row_id)


async def _load(session: AsyncSession, row_id: str, viewer: Viewer) -> Recommendation:
    row = await session.scalar(
        select(Recommendation)
        .where(Recommendation.id == row_id)
        .options(joinedload(Recommendation.unit))
        .with_for_update(of=Recommendation)
    )
    if row is None:
        raise NotFoundError("no such recommendation")
    require_curator(viewer, row.unit.path if row.unit else None)
    return row


async def _show(session: AsyncSession, row_id: str, actor: Actor) -> schemas.RecommendationRow:
    row = await session.scalar(
        select(Recommendation)
        .where(Recommendation.id == row_id)
        .options(joinedload(Recommendation.unit))
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFoundError("no such recommendation")
    item = MenuItem.model_validate(row.item)
    targets = await load_targets(session, collect_refs([item]), actor.viewer)
    return _present(row, targets, actor.now)


async def _check(session: AsyncSession, item: MenuItem) -> None:
    is_empty = item.kind is ItemKind.HEADING or (item.target_id is None and item.url is None)
    if is_empty or (item.kind is ItemKind.LINK and not item.title):
        raise InputError(
            "item: it leads nowhere", field="item", status=422, title_zh="请先选定要推荐的内容"
        )
    await check_rule(session, item.audience, field="item.audience")


def _write(row: Recommendation, item: MenuItem, actor: Actor) -> None:
    row.item = item.model_dump(mode="json")
    row.starts_at, row.ends_at = item.shows_from, item.shows_until
    row.changed_by = actor.viewer.account_id


def _record(session: AsyncSession, actor: Actor, action: str, row_id: str) -> None:
    record(
        session, now=actor.now, actor_id=actor.viewer.account_id, action=action,
        object_type="recommendation", object_id=row_id,
    )  # fmt: skip
