"""Answer a search: strictly first, then loosely, then with what may have been meant."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from vod.http.pagination import PageQuery
from vod.search import schemas
from vod.search.finding import build_may_see, find_documents
from vod.search.hits import Asking, load_hits
from vod.search.models import SearchKind
from vod.search.port import Matches, SearchIndex, Wanted
from vod.search.query import Query, relax
from vod.search.suggesting import suggest


async def search(
    session: AsyncSession,
    index: SearchIndex,
    words: str,
    *,
    kind: SearchKind | None,
    page: PageQuery,
    asking: Asking,
) -> schemas.SearchPage:
    """Find one page; whoever finds nothing hears what may have been meant.

    Args:
        asking: Its query is ``words``, read strictly.
    """
    may_see = build_may_see(asking.viewer)
    first = (page.page - 1) * page.page_size
    wanted = Wanted(may_see, kind=kind, first=first, count=page.page_size)
    matches = await _find(session, index, asking.query, wanted)
    loose = relax(words)
    is_loose = not matches.counts and loose != asking.query
    if is_loose:
        asking = replace(asking, query=loose)
        matches = await _find(session, index, loose, wanted)
    counts = matches.counts
    items = await load_hits(session, matches.found, asking)
    return schemas.SearchPage(
        items=items,
        page=page.page,
        page_size=page.page_size,
        total=sum(counts.values()) if kind is None else counts.get(kind, 0),
        counts=schemas.SearchCounts(**{one.value: counts.get(one, 0) for one in SearchKind}),
        is_loose=is_loose and bool(counts),
        suggestions=[] if counts else await suggest(session, index, words, asking.viewer),
    )


async def _find(session: AsyncSession, index: SearchIndex, query: Query, wanted: Wanted) -> Matches:
    if not query:
        return Matches([], {})
    return await find_documents(session, index, query, wanted)
