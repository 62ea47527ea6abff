"""Find members: by sub-tree, list, words; sorted by pinyin. Queries only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, joinedload, selectinload

from kernel.errors import NotFoundError
from vod.accounts.models import Account, RoleScope
from vod.http.pagination import PageQuery, build_like, load_page
from vod.people.masking import settle_phone
from vod.units.queries import build_members_reach

MIN_PHONE_DIGITS: Final = 7  # Fewer would be guessing whose number begins so.
AFTER_ASCII: Final = "\x7f"  # Sorts after everything these columns hold.


class MemberState(Enum):
    """Which accounts a list shows."""

    ACTIVE = "active"
    WAITING = "waiting"  # They never had a password.
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """What a list of members is narrowed to.

    Attributes:
        reach: Paths of sub-trees, ``("/",)`` for everybody.
    """

    reach: tuple[str, ...]
    words: str = ""
    category: str | None = None
    level: str | None = None
    state: MemberState | None = None


MEMBER_OPTIONS: Final = (
    joinedload(Account.unit),
    selectinload(Account.scopes).joinedload(RoleScope.unit),
)


def build_members(wanted: MemberFilter) -> Select[tuple[Account]]:
    """Build the query of a list, in the order of names."""
    query = select(Account).where(build_members_reach(wanted.reach))
    for word in wanted.words.split():
        query = query.where(match_word(word))
    if wanted.category is not None:
        query = query.where(Account.category == wanted.category)
    if wanted.level is not None:
        query = query.where(Account.level == wanted.level)
    if wanted.state is not None:
        query = query.where(_STATES[wanted.state])
    return query.order_by(Account.pinyin, Account.id)


_STATES: Final = {
    MemberState.ACTIVE: and_(Account.is_disabled.is_(False), Account.password_hash != ""),
    MemberState.WAITING: and_(Account.is_disabled.is_(False), Account.password_hash == ""),
    MemberState.DISABLED: Account.is_disabled.is_(True),
}


def match_word(word: str) -> ColumnElement[bool]:
    """Build the condition that somebody is called so.

    Letters and digits are the beginning of the pinyin, the initials or the staff number, found
    by indexes; a whole phone number finds its owner; everything else is part of the name.
    """
    if not word.isascii():
        return Account.display_name.like(build_like(word), escape="\\")
    plain = re.sub(r"[^0-9a-z]", "", word.lower())
    options = [_begins(Account.staff_no, text) for text in sorted({word, word.upper()})]
    if plain:
        options += [_begins(Account.pinyin_joined, plain), _begins(Account.initials, plain)]
    phone = settle_phone(word)
    if phone is not None and len(phone) >= MIN_PHONE_DIGITS:
        options.append(Account.phone == phone)
    return or_(*options)


def _begins(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    return and_(column >= text, column < text + AFTER_ASCII)


async def load_members_page(
    session: AsyncSession, page: PageQuery, wanted: MemberFilter
) -> tuple[Sequence[Account], int]:
    """Load one page with units and scopes."""
    return await load_page(session, build_members(wanted).options(*MEMBER_OPTIONS), page)


async def load_member(
    session: AsyncSession, account_id: str, *, for_update: bool = False
) -> Account:
    """Load one with unit and scopes. Raises ``NotFoundError`` when there is none."""
    query = select(Account).where(Account.id == account_id)
    if for_update:
        query = query.with_for_update(of=Account)
    account = await session.scalar(
        query.options(*MEMBER_OPTIONS), execution_options={"populate_existing": True}
    )
    if account is None:
        raise NotFoundError("no such member", title_zh="没有这位学员")
    return account
