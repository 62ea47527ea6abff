"""Answer a search: strictly first, then loosely, then with what may have been meant."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from vod.http.pagination import PageQuery
from vod.search import schemas
from vod.search.finding import build_may_see, count_documents, find_documents
from vod.search.hits import Asking, load_hits
from vod.search.models import SearchKind
from vod.search.port import SearchIndex, Wanted
from vod.search.query import relax
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
    query = asking.query
    counts = await count_documents(session, index, query, may_see) if query else {}
    is_loose = not counts and relax(words) != query
    if is_loose:
        query = relax(words)
        counts = await count_documents(session, index, query, may_see)
        asking = replace(asking, query=query)
    found = await find_documents(session, index, query, wanted) if counts else []
    items = await load_hits(session, found, asking)
    return schemas.SearchPage(
        items=items,
        page=page.page,
        page_size=page.page_size,
        total=sum(counts.values()) if kind is None else counts.get(kind, 0),
        counts=schemas.SearchCounts(**{one.value: counts.get(one, 0) for one in SearchKind}),
        is_loose=is_loose and bool(counts),
        suggestions=[] if counts else await suggest(session, index, words, asking.viewer),
    )
