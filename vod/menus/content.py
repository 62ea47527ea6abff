"""What a menu holds: sections, and in them items. Drafts may be unfinished. Pure.

The same document is a draft, a version, and the body that saves it. Identifiers of sections and
items are made by the editor's page and stay with them through all versions.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from vod.audience.rule import AudienceRule
from vod.http.types import Body, Identifier, Moment, Title, refuse_breaks, refuse_controls

MAX_SECTIONS_COUNT: Final = 60
MAX_ITEMS_COUNT: Final = 1000  # In all sections together; a longer menu is a library.
MAX_BODY_BYTES: Final = 2 * 1024 * 1024  # A thousand items with their rules are about 400 kB.
MAX_URL_CHARS: Final = 2000


class ItemKind(enum.Enum):
    """What an item leads to; a heading leads nowhere, it names the items below it."""

    LECTURE = "lecture"
    SERIES = "series"
    LIVE_CLASS = "live_class"
    CHANNEL = "channel"
    LINK = "link"
    HEADING = "heading"


TARGET_KINDS: Final = frozenset(
    {ItemKind.LECTURE, ItemKind.SERIES, ItemKind.LIVE_CLASS, ItemKind.CHANNEL}
)


def check_url(url: str) -> str:
    """Links lead to web pages: nothing that runs in ours, nothing without a host."""
    refuse_breaks(url)
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise ValueError("this is no address of a web page") from error
    if parts.scheme not in {"http", "https"} or not host or " " in url:
        raise ValueError("give an address that begins with http:// or https://")
    return url


NodeId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{4,20}$")]
Link = Annotated[str, StringConstraints(max_length=MAX_URL_CHARS), AfterValidator(check_url)]
OwnTitle = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=200),
    AfterValidator(refuse_breaks),
]
Note = Annotated[str, StringConstraints(max_length=2000), AfterValidator(refuse_controls)]


class Node(Body):
    """What menu, sections and items share.

    Attributes:
        audience: Whom it is for, of those whom the one around it is for.
        shows_from: Members see nothing of it before; ``None`` is always.
        shows_until: Nor from then on; it expires by itself.
    """

    audience: AudienceRule
    shows_from: Moment | None
    shows_until: Moment | None

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.shows_from and self.shows_until and self.shows_until <= self.shows_from:
            raise ValueError("shows_until is not after shows_from")
        return self


class MenuItem(Node):
    """One line of a section.

    Attributes:
        title: Instead of the target's own title; links and headings have no other.
        target_id: Of the lecture, series, class or channel.
        url: Of a link.
    """

    id: NodeId
    kind: ItemKind
    title: OwnTitle
    note: Note
    target_id: Identifier | None
    url: Link | None
    is_required: bool

    @model_validator(mode="after")
    def _leads_to_one_thing(self) -> Self:
        if self.target_id is not None and self.kind not in TARGET_KINDS:
            raise ValueError(f"a {self.kind.value} has no target_id")
        if self.url is not None and self.kind is not ItemKind.LINK:
            raise ValueError(f"a {self.kind.value} has no url")
        return self


class MenuSection(Node):
    id: NodeId
    title: OwnTitle
    note: Note
    items: Annotated[tuple[MenuItem, ...], Field(max_length=MAX_ITEMS_COUNT)]


class MenuContent(Node):
    """A whole menu."""

    title: Title
    note: Note
    sections: Annotated[tuple[MenuSection, ...], Field(max_length=MAX_SECTIONS_COUNT)]

    @model_validator(mode="after")
    def _names_each_node_once(self) -> Self:
        ids = [section.id for section in self.sections]
        ids += [item.id for section in self.sections for item in section.items]
        if len(ids) != len(set(ids)):
            raise ValueError("two sections or items have the same id")
        if len(ids) - len(self.sections) > MAX_ITEMS_COUNT:
            raise ValueError(f"more than {MAX_ITEMS_COUNT} items")
        return self


def build_empty(title: str) -> MenuContent:
    """A menu as it begins: for everybody, with nothing in it."""
    return MenuContent(
        title=title,
        note="",
        audience=AudienceRule(),
        shows_from=None,
        shows_until=None,
        sections=(),
    )


def iter_items(content: MenuContent) -> Iterator[tuple[MenuSection, MenuItem]]:
    for section in content.sections:
        for item in section.items:
            yield section, item


def iter_rules(content: MenuContent) -> Iterator[AudienceRule]:
    """All rules of a menu that ask for something."""
    nodes: list[Node] = [content, *content.sections, *(item for _, item in iter_items(content))]
    return (node.audience for node in nodes if not node.audience.is_everybody)


def find_gap(content: MenuContent) -> tuple[str, str] | None:
    """Find the first thing that is missing before a draft can be shown to members.

    Returns:
        Where it is (``sections.0.items.2.url``) and a Chinese sentence; ``None`` when complete.
    """
    if not content.sections:
        return "sections", "菜单里还没有栏目"
    for place, section in enumerate(content.sections):
        if not section.title:
            return f"sections.{place}.title", f"第 {place + 1} 个栏目还没有名称"
        for row, item in enumerate(section.items):
            if gap := _find_gap_of_item(item):
                name, sentence = gap
                where = f"栏目“{section.title}”第 {row + 1} 项"
                return f"sections.{place}.items.{row}.{name}", where + sentence
    return None


def _find_gap_of_item(item: MenuItem) -> tuple[str, str] | None:
    if item.kind in TARGET_KINDS:
        return None if item.target_id else ("target_id", "还没有选定内容")
    if item.kind is ItemKind.LINK and item.url is None:
        return "url", "还没有填写链接地址"
    return None if item.title else ("title", "还没有名称")
