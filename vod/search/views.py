"""``/search`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from pydantic import Field

from vod.http.origin import read_origin
from vod.http.pagination import PageQuery
from vod.http.view import ApiView, respond
from vod.search import schemas, service
from vod.search.hits import Asking
from vod.search.models import SearchKind
from vod.search.opening import open_search_index
from vod.search.query import parse_query
from vod.search.suggesting import suggest

MAX_QUERY_CHARS: Final = 200
# Any text is a query: what is no letter or digit parts words.
QueryText = Annotated[str, Field(max_length=MAX_QUERY_CHARS, description="What to look for")]


class SearchView(ApiView):
    async def get(
        self,
        page: PageQuery,
        q: QueryText = "",
        kind: Annotated[SearchKind | None, Field(description="Only of this kind")] = None,
    ) -> r200[schemas.SearchPage]:
        """Find lectures, series, live classes and instructors by their words and how these sound.

        Captions are looked through, too; a lecture's moments say where to jump. All words must be
        there; traditional and simplified characters, full and half width, capitals are the same.

        Tags: search
        """
        asking = Asking(parse_query(q), self.viewer, read_origin(self.request))
        index = open_search_index(self.database)
        async with self.database.read() as session:
            found = await service.search(session, index, q, kind=kind, page=page, asking=asking)
        return respond(found)


class SuggestView(ApiView):
    async def get(self, q: QueryText = "") -> r200[schemas.SearchSuggestions]:
        """Suggest titles and names for what was typed so far, mistakes forgiven.

        Tags: search
        """
        index = open_search_index(self.database)
        async with self.database.read() as session:
            items = await suggest(session, index, q, self.viewer)
        return respond(schemas.SearchSuggestions(items=items))


ROUTES: Final = (
    web.view("/api/v1/search", SearchView),
    web.view("/api/v1/search/suggest", SuggestView),
)
