"""What search asks of a database: the port, and what goes through it.

Two adapters hold the same tokens in what their database is good at, ``fts5`` and ``postgres``;
``tests/integration/test_search_index.py`` holds both to the same answers in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.search.documents import Tokens
from vod.search.models import SearchKind
from vod.search.query import Query, Token

FIELDS: Final = ("names", "labels", "sounds", "body", "speech")
# A tier is how far one has to read to find all terms: 0 the title, 1 also who teaches it and what
# it belongs to, 2 also how they sound, 3 also descriptions, 4 also what is said.
TIERS: Final = range(len(FIELDS))
SOUND_TIER: Final = 2
SPEECH_TIER: Final = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the matching documents; ``may_see`` is a condition on ``SearchDocument``."""

    may_see: ColumnElement[bool]
    kind: SearchKind | None = None
    first: int = 0
    count: int = 20
    tiers: range = TIERS


@dataclass(frozen=True, slots=True)
class Found:
    """One document that matches, and in which tier."""

    number: int
    kind: SearchKind
    object_id: str
    tier: int


@dataclass(frozen=True, slots=True)
class Matches:
    """One page, best first, and how many there are of each kind over all pages and kinds."""

    found: Sequence[Found]
    counts: Mapping[SearchKind, int]


class SearchIndex(Protocol):
    """Tokens by document. No method commits."""

    keeps_tokens: bool
    """``remove`` must be told what was added: somebody has to keep it."""

    async def add(self, session: AsyncSession, number: int, tokens: Tokens) -> None:
        """Add a document that is not there."""

    async def remove(self, session: AsyncSession, number: int, tokens: Tokens | None) -> None:
        """Take a document out; ``tokens`` exactly as they were added, if they are kept."""

    async def clear(self, session: AsyncSession) -> None:
        """Take all documents out."""

    def select_tier(self, query: Query, tier: int) -> Select[tuple[int]]:
        """Select the numbers of documents in which all terms are found up to ``tier``."""

    def select_token(self, token: Token) -> Select[tuple[int]]:
        """Select the numbers of documents whose title, labels or sounds hold one token."""
