"""The index in SQLite: a contentless FTS5 table, one column per field.

Tokens are cut by us, so the tokenizer only splits at spaces (``ascii`` takes everything above 127
for a letter, whatever the SQLite). ``detail=column`` keeps which column a token is in, not where;
SQLite before 3.43 takes a row out of a contentless table only if it is told what was in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import (
    BindParameter,
    Integer,
    Select,
    bindparam,
    column,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from vod.search.documents import Tokens
from vod.search.port import FIELDS, SPEECH_TIER
from vod.search.query import Query, Term, Token

_TABLE: Final = table("search_tokens", column("rowid", Integer))
_COLUMNS: Final = ", ".join(FIELDS)
_VALUES: Final = ", ".join(f":{field}" for field in FIELDS)
_ADD: Final = text(f"INSERT INTO search_tokens (rowid, {_COLUMNS}) VALUES (:number, {_VALUES})")  # noqa: S608 - constants
_REMOVE: Final = text(
    f"INSERT INTO search_tokens (search_tokens, rowid, {_COLUMNS}) "  # noqa: S608 - constants
    f"VALUES ('delete', :number, {_VALUES})"
)
_CLEAR: Final = text("INSERT INTO search_tokens (search_tokens) VALUES ('delete-all')")


class Fts5SearchIndex:
    """``SearchIndex`` in SQLite."""

    keeps_tokens = True

    async def add(self, session: AsyncSession, number: int, tokens: Tokens) -> None:
        await session.execute(_ADD, {"number": number, **_join(tokens)})

    async def remove(self, session: AsyncSession, number: int, tokens: Tokens | None) -> None:
        if tokens is not None:
            await session.execute(_REMOVE, {"number": number, **_join(tokens)})

    async def clear(self, session: AsyncSession) -> None:
        await session.execute(_CLEAR)

    def select_tier(self, query: Query, tier: int) -> Select[tuple[int]]:
        return _select(render_tier(query, tier))

    def select_token(self, token: Token) -> Select[tuple[int]]:
        return _select(f"{_scope(2)} : {_render_token(token)}")


def _select(expression: str) -> Select[tuple[int]]:
    # Each has a parameter of its own name: several stand in one statement.
    wanted: BindParameter[str] = bindparam(None, expression, unique=True)
    matches = literal_column("search_tokens").op("MATCH", is_comparison=True)(wanted)
    return select(_TABLE.c.rowid.label("number")).where(matches)


def _join(tokens: Tokens) -> dict[str, str]:
    return {field: " ".join(getattr(tokens, field)) for field in FIELDS}


def render_tier(query: Query, tier: int) -> str:
    """Render a query in FTS5's language; all its tokens are quoted letters and digits."""
    if tier < SPEECH_TIER:
        return f"{_scope(tier)} : {_render_all(query.terms)}"
    short = [term for term in query.terms if not term.in_speech]
    long = [term for term in query.terms if term.in_speech]
    parts = [f"({_scope(SPEECH_TIER - 1)} : {_render_all(short)})"] if short else []
    return " AND ".join([*parts, _render_all(long)] if long else parts)


def _scope(tier: int) -> str:
    return "{" + " ".join(FIELDS[: tier + 1]) + "}"


def _render_all(terms: Iterable[Term]) -> str:
    return "(" + " AND ".join(_render_term(term) for term in terms) + ")"


def _render_term(term: Term) -> str:
    return "(" + " OR ".join(_render_way(way) for way in term.ways) + ")"


def _render_way(way: Sequence[Token]) -> str:
    return "(" + " AND ".join(map(_render_token, way)) + ")"


def _render_token(token: Token) -> str:
    return f'"{token.text}"' + (" *" if token.is_prefix else "")
