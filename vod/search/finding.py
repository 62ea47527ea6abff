"""Find documents: one page in one order on every database, and how many there are of each kind."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.roles import Viewer, Visibility
from vod.audience.rule import build_fitting
from vod.lectures.policy import may_edit_lectures
from vod.search.models import SearchDocument, SearchKind
from vod.search.port import TIERS, Found, SearchIndex, Wanted
from vod.search.query import Query, Token


def build_may_see(viewer: Viewer) -> ColumnElement[bool]:
    """Build the condition on documents: what members see, to editors also what they do not yet.

    A change of rights is in the document within seconds; what is shown is checked on its own rows
    before (``hits``).
    """
    if may_edit_lectures(viewer):
        return true()
    audience = SearchDocument.audience
    if not viewer.is_signed_in:
        return and_(
            SearchDocument.visibility == Visibility.PUBLIC,
            SearchDocument.is_published.is_(True),
            audience.is_(None),
        )
    fitting = or_(audience.is_(None), build_fitting(audience, viewer.member))
    return and_(SearchDocument.is_published.is_(True), fitting)


async def find_documents(
    session: AsyncSession, index: SearchIndex, query: Query, wanted: Wanted
) -> list[Found]:
    """Find one page.

    Order: the title itself, titles that begin so, then by tier (``port.FIELDS``), newest first.
    """
    tiers = union_all(
        *(
            index.select_tier(query, tier).add_columns(literal(tier).label("tier"))
            for tier in wanted.tiers
        )
    ).subquery()
    best = (
        select(tiers.c.number, func.min(tiers.c.tier).label("tier"))
        .group_by(tiers.c.number)
        .subquery()
    )
    page = (
        select(SearchDocument.number, SearchDocument.kind, SearchDocument.object_id, best.c.tier)
        .join(best, best.c.number == SearchDocument.number)
        .where(wanted.may_see)
        .order_by(
            _build_closeness(query, best.c.tier),
            SearchDocument.sorted_at.desc(),
            SearchDocument.object_id.desc(),
        )
        .limit(wanted.count)
        .offset(wanted.first)
    )
    if wanted.kind is not None:
        page = page.where(SearchDocument.kind == wanted.kind)
    rows = await session.execute(page)
    return [Found(*row) for row in rows.tuples()]


def _build_closeness(query: Query, tier: ColumnElement[int]) -> ColumnElement[int]:
    begins = func.substr(SearchDocument.title_key, 1, len(query.key)) == query.key
    return case(
        (and_(tier == 0, SearchDocument.title_key == query.key), 0),
        (and_(tier == 0, begins), 1),
        else_=tier + 2,
    )


async def count_documents(
    session: AsyncSession, index: SearchIndex, query: Query, may_see: ColumnElement[bool]
) -> dict[SearchKind, int]:
    """Count all that :func:`find_documents` finds, by kind."""
    widest = index.select_tier(query, TIERS[-1]).subquery()
    rows = await session.execute(
        select(SearchDocument.kind, func.count())
        .join(widest, widest.c.number == SearchDocument.number)
        .where(may_see)
        .group_by(SearchDocument.kind)
    )
    return dict(rows.tuples().all())


async def find_alike(
    session: AsyncSession,
    index: SearchIndex,
    tokens: Sequence[Token],
    *,
    may_see: ColumnElement[bool],
    limit: int,
) -> list[SearchDocument]:
    """Find those whose title, labels or sounds hold most of ``tokens``, newest first."""
    if not tokens:
        return []
    each = union_all(*(index.select_token(token) for token in tokens)).subquery()
    counted = select(each.c.number, func.count().label("held")).group_by(each.c.number).subquery()
    rows = await session.scalars(
        select(SearchDocument)
        .join(counted, counted.c.number == SearchDocument.number)
        .where(may_see)
        .order_by(
            counted.c.held.desc(),
            SearchDocument.sorted_at.desc(),
            SearchDocument.object_id.desc(),
        )
        .limit(limit)
    )
    return list(rows)
