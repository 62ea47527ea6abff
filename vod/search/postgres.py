"""The index in PostgreSQL: a ``tsvector`` per tier with a GIN index; no extension.

Vectors are made of our tokens as they are (no parser, no dictionary, no positions). Each holds its
own field and those before it, so one index answers a tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import add as concatenate
from typing import Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession

from vod.search.documents import Tokens
from vod.search.port import FIELDS, SPEECH_TIER
from vod.search.query import Query, Term, Token

VECTORS: Final = ("names", "labels", "sounds", "body", "whole")
_TABLE: Final = table("search_tokens", column("number", Integer), *map(column, VECTORS))
_ADD: Final = text(
    f"INSERT INTO search_tokens (number, {', '.join(VECTORS)}) VALUES (:number, "  # noqa: S608 - constants
    + ", ".join(f"array_to_tsvector(:{vector})" for vector in VECTORS)
    + ")"
).bindparams(*(bindparam(vector, type_=ARRAY(Text())) for vector in VECTORS))
_REMOVE: Final = text("DELETE FROM search_tokens WHERE number = :number")
_CLEAR: Final = text("DELETE FROM search_tokens")


class PostgresSearchIndex:
    """``SearchIndex`` in PostgreSQL."""

    keeps_tokens = False

    async def add(self, session: AsyncSession, number: int, tokens: Tokens) -> None:
        fields = (getattr(tokens, field) for field in FIELDS)
        vectors = zip(VECTORS, accumulate(fields, concatenate), strict=True)
        values = {vector: sorted(set(held)) for vector, held in vectors}
        await session.execute(_ADD, {"number": number, **values})

    async def remove(self, session: AsyncSession, number: int, _tokens: Tokens | None) -> None:
        await session.execute(_REMOVE, {"number": number})

    async def clear(self, session: AsyncSession) -> None:
        await session.execute(_CLEAR)

    def select_tier(self, query: Query, tier: int) -> Select[tuple[int]]:
        statement = select(_TABLE.c.number)
        for vector, expression in render_tier(query, tier):
            statement = statement.where(_match(vector, expression))
        return statement

    def select_token(self, token: Token) -> Select[tuple[int]]:
        return select(_TABLE.c.number).where(_match("sounds", _render_token(token)))


def _match(vector: str, expression: str) -> ColumnElement[bool]:
    return _TABLE.c[vector].op("@@", is_comparison=True)(cast(expression, TSQUERY))


def render_tier(query: Query, tier: int) -> list[tuple[str, str]]:
    """Render a query in PostgreSQL's language, as what each vector must match."""
    if tier < SPEECH_TIER:
        return [(VECTORS[tier], _render_all(query.terms))]
    short = [term for term in query.terms if not term.in_speech]
    long = [term for term in query.terms if term.in_speech]
    parts = ((VECTORS[SPEECH_TIER - 1], short), (VECTORS[SPEECH_TIER], long))
    return [(vector, _render_all(terms)) for vector, terms in parts if terms]


def _render_all(terms: Iterable[Term]) -> str:
    return " & ".join(_render_term(term) for term in terms)


def _render_term(term: Term) -> str:
    return "(" + " | ".join(_render_way(way) for way in term.ways) + ")"


def _render_way(way: Sequence[Token]) -> str:
    return "(" + " & ".join(map(_render_token, way)) + ")"


def _render_token(token: Token) -> str:
    return f"'{token.text}'" + (":*" if token.is_prefix else "")
