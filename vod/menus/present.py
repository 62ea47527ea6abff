"""Menus as the API shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from vod.menus import schemas
from vod.menus.content import ItemKind, MenuContent, MenuItem, find_gap, iter_items
from vod.menus.diff import Change
from vod.menus.layout import count_items
from vod.menus.models import Menu, MenuVersion
from vod.menus.queries import find_current, find_next
from vod.menus.targets import (
    REASONS,
    Targets,
    TargetState,
    collect_refs,
    find_state,
    find_target,
)
from vod.units.models import OrgUnit


def present_unit(unit: OrgUnit | None) -> schemas.UnitRef | None:
    return schemas.UnitRef(id=unit.id, name=unit.name) if unit else None


def present_item(item: MenuItem, targets: Targets) -> schemas.ItemShown:
    """Its own title goes before that of what it leads to."""
    target = find_target(item, targets)
    return schemas.ItemShown(
        id=item.id,
        kind=item.kind,
        title=item.title or (target.title if target else ""),
        note=item.note,
        is_required=item.is_required,
        target_id=item.target_id,
        url=item.url,
        poster_url=target.poster_url if target else None,
        duration_s=target.duration_s if target else None,
        lectures_count=target.lectures_count if target else None,
        starts_at=target.starts_at if target else None,
        class_state=target.class_state if target else None,
    )


def present_menu(
    menu: Menu, content: MenuContent, targets: Targets, *, number: int | None
) -> schemas.MenuShown:
    """Build what a member sees; ``content`` is pruned already."""
    return schemas.MenuShown(
        id=menu.id,
        title=content.title,
        note=content.note,
        unit=present_unit(menu.unit),
        number=number,
        sections=[
            schemas.SectionShown(
                id=section.id,
                title=section.title,
                note=section.note,
                items=[present_item(item, targets) for item in section.items],
            )
            for section in content.sections
        ],
    )


def present_summary(menu: Menu, content: MenuContent, *, number: int) -> schemas.MenuSummary:
    sections = [
        schemas.SectionSummary(id=row.id, title=row.title, items_count=count_items(row))
        for row in content.sections
    ]
    return schemas.MenuSummary(
        id=menu.id,
        title=content.title,
        note=content.note,
        unit=present_unit(menu.unit),
        number=number,
        items_count=sum(section.items_count for section in sections),
        sections=sections,
    )


def present_row(
    menu: Menu, versions: Sequence[MenuVersion], now: datetime, *, broken_count: int
) -> schemas.MenuRow:
    """Build a line of the editors' list; ``versions`` are newest first."""
    current, following = find_current(versions, now), find_next(versions, now)
    state: schemas.MenuState = "draft"
    if menu.withdrawn_at is not None:
        state = "withdrawn"
    elif current is not None:
        state = "published"
    elif following is not None:
        state = "scheduled"
    return schemas.MenuRow(
        id=menu.id,
        title=menu.title,
        unit=present_unit(menu.unit),
        state=state,
        version=menu.draft_version,
        saved_at=menu.saved_at,
        saved_by=menu.saver.display_name if menu.saver else None,
        number=current.number if current else None,
        next_begins_at=following.begins_at if following else None,
        has_changes=not versions or versions[0].draft_version != menu.draft_version,
        position=menu.position,
        broken_count=broken_count,
    )


def present_draft(
    row: schemas.MenuRow, content: MenuContent, targets: Targets
) -> schemas.MenuDraft:
    gap = find_gap(content)
    return schemas.MenuDraft(
        **row.model_dump(),
        content=content,
        targets=present_targets(content, targets),
        gap=gap[1] if gap else None,
    )


def present_targets(content: MenuContent, targets: Targets) -> list[schemas.TargetInfo]:
    """Build the list of all that a draft's items lead to, each once."""
    shown = []
    for kind, name in sorted(
        collect_refs(item for _, item in iter_items(content)),
        key=lambda ref: (ref[0].value, ref[1]),
    ):
        target = targets.get((kind, name))
        state = target.state if target else TargetState.MISSING
        shown.append(
            schemas.TargetInfo(
                kind=kind,
                id=name,
                title=target.title if target else "",
                state=state,
                reason=REASONS.get(state),
            )
        )
    return shown


def present_version(
    row: MenuVersion, current_number: int | None, now: datetime
) -> schemas.VersionRow:
    content = MenuContent.model_validate(row.content)
    is_waiting = row.begins_at > now and row.number > (current_number or 0)
    return schemas.VersionRow(
        number=row.number,
        state="current" if row.number == current_number else "scheduled" if is_waiting else "past",
        begins_at=row.begins_at,
        published_at=row.published_at,
        published_by=row.publisher.display_name if row.publisher else None,
        note=row.note,
        restored_from=row.restored_from,
        items_count=sum(count_items(section) for section in content.sections),
    )


def present_change(change: Change, targets: Targets) -> schemas.Difference:
    """Build a difference; an item without a title of its own has that of what it leads to."""
    title = change.title
    if not title and change.target_id is not None and change.item_kind is not None:
        kind = ItemKind(change.item_kind)
        target = targets.get((kind, change.target_id))
        title = target.title if target else ""
    return schemas.Difference(
        kind=change.kind,
        node=change.node,
        id=change.id,
        title=title,
        item_kind=ItemKind(change.item_kind) if change.item_kind else None,
        place=_present_place(change.place),
        former_place=_present_place(change.former_place),
        fields=[
            schemas.FieldDifference(name=field.name, before=field.before, after=field.after)
            for field in change.fields
        ],
    )


def _present_place(place: tuple[str, int] | None) -> schemas.PlaceInMenu | None:
    return schemas.PlaceInMenu(section=place[0], place=place[1]) if place else None


def list_broken(
    menu: Menu, content: MenuContent, targets: Targets, *, is_published: bool
) -> list[schemas.BrokenLink]:
    """List the items of a menu that lead to nothing."""
    broken = []
    for section, item in iter_items(content):
        state = find_state(item, targets)
        if state is not TargetState.THERE:
            target = find_target(item, targets)
            broken.append(
                schemas.BrokenLink(
                    menu_id=menu.id,
                    menu_title=content.title,
                    is_published=is_published,
                    section_title=section.title,
                    item_id=item.id,
                    item_title=item.title or (target.title if target else ""),
                    kind=item.kind,
                    target_id=item.target_id,
                    state=state,
                    reason=REASONS[state],
                )
            )
    return broken
