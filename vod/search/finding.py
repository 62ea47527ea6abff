"""Find documents: one page in one order on every database, and how many there are of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
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
from vod.search.port import SOUND_TIER, Found, Matches, SearchIndex, Wanted
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
) -> Matches:
    """Find one page, and count what there is over all pages.

    Order: the title itself, titles that begin so, then by tier (``port.FIELDS``), newest first.
    """
    hits = _select_hits(index, query, wanted).cte("hits")
    counts = [
        select(func.count()).select_from(hits).where(hits.c.kind == kind).scalar_subquery()
        for kind in SearchKind
    ]
    page = (
        select(hits.c.number, hits.c.kind, hits.c.object_id, hits.c.tier, *counts)
        .order_by(hits.c.closeness, hits.c.sorted_at.desc(), hits.c.object_id.desc())
        .limit(wanted.count)
        .offset(wanted.first)
    )
    if wanted.kind is not None:
        page = page.where(hits.c.kind == wanted.kind)
    rows = (await session.execute(page)).all()
    if not rows:  # Of that kind, or on that page; there may be others.
        rows_of_counts = (await session.execute(select(*counts))).all()
        return Matches([], _read_counts(rows_of_counts[0]))
    return Matches([Found(*row[:4]) for row in rows], _read_counts(rows[0][4:]))


def _select_hits(
    index: SearchIndex, query: Query, wanted: Wanted
) -> Select[tuple[int, SearchKind, str, int, float, datetime]]:
    """Select all that matches and may be seen, each in its best tier."""
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
    return (
        select(
            SearchDocument.number,
            SearchDocument.kind,
            SearchDocument.object_id,
            best.c.tier,
            _build_closeness(query, best.c.tier).label("closeness"),
            SearchDocument.sorted_at,
        )
        .join(best, best.c.number == SearchDocument.number)
        .where(wanted.may_see)
    )


def _read_counts(row: Sequence[int]) -> dict[SearchKind, int]:
    counts = zip(SearchKind, row, strict=True)
    return {kind: count for kind, count in counts if count}


def _build_closeness(query: Query, tier: ColumnElement[int]) -> ColumnElement[float]:
    begins = func.substr(SearchDocument.title_key, 1, len(query.key)) == query.key
    return case(
        (and_(tier == 0, SearchDocument.title_key == query.key), 0),
        (and_(tier == 0, begins), 1),
        # Who types sounds mostly looks for somebody.
        (and_(tier == SOUND_TIER, SearchDocument.kind == SearchKind.INSTRUCTOR), 3.5),
        else_=tier + 2,
    )


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
