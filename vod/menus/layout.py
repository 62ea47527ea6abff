"""What of a menu one member sees at a moment. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from vod.audience.rule import Facts, fits
from vod.menus.content import ItemKind, MenuContent, MenuItem, MenuSection, Node

IsThere = Callable[[MenuItem], bool]


def is_shown(node: Node, member: Facts | None, now: datetime) -> bool:
    """The node's own rule and dates let this member see it; the interval is half-open."""
    has_begun = node.shows_from is None or node.shows_from <= now
    has_ended = node.shows_until is not None and node.shows_until <= now
    return has_begun and not has_ended and fits(node.audience, member)


def find_meant(content: MenuContent, member: Facts | None, now: datetime) -> MenuContent | None:
    """Keep what rules and dates let this member see; ``None`` when the menu is not for them."""
    if not is_shown(content, member, now):
        return None
    sections = tuple(
        section.model_copy(
            update={"items": tuple(i for i in section.items if is_shown(i, member, now))}
        )
        for section in content.sections
        if is_shown(section, member, now)
    )
    return content.model_copy(update={"sections": sections})


def prune(content: MenuContent, is_there: IsThere) -> MenuContent | None:
    """Drop items that lead to nothing, then headings and sections without items.

    Returns:
        ``None`` when nothing is left.
    """
    sections = []
    for section in content.sections:
        items = _drop_idle_headings(tuple(item for item in section.items if is_there(item)))
        if items:
            sections.append(section.model_copy(update={"items": items}))
    return content.model_copy(update={"sections": tuple(sections)}) if sections else None


def _drop_idle_headings(items: tuple[MenuItem, ...]) -> tuple[MenuItem, ...]:
    """A heading names what follows; before another heading or the end it names nothing."""
    kept: list[MenuItem] = []
    for item in reversed(items):
        is_idle = not kept or kept[-1].kind is ItemKind.HEADING
        if item.kind is not ItemKind.HEADING or not is_idle:
            kept.append(item)
    return tuple(reversed(kept))


def count_items(section: MenuSection) -> int:
    """Headings are no items."""
    return sum(item.kind is not ItemKind.HEADING for item in section.items)
