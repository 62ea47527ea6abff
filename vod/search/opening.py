"""Which index a database has."""

from __future__ import annotations

from vod.db.engine import Database
from vod.search.fts5 import Fts5SearchIndex
from vod.search.port import SearchIndex
from vod.search.postgres import PostgresSearchIndex


def open_search_index(database: Database) -> SearchIndex:
    """Return the adapter for a database; it holds no state."""
    return Fts5SearchIndex() if database.is_sqlite else PostgresSearchIndex()
