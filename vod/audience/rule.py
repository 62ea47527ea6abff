"""Audience rules: whom something is for, asked of one member, of all members, of all rules. Pure.

A rule is ``{"units": [...], "categories": [...], "levels": [...]}``. One of each list that is not
empty must fit; a unit fits all of its sub-tree; the rule without lists is everybody signed in.
Here are three readings of that one sentence, held to each other by a test: :func:`fits` for one
member, :func:`build_condition` for rows of members, :func:`build_fitting` for rows that hold
rules. What does not exist (any more) fits nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Final, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, Integer, and_, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.functions import FunctionElement

from vod.http.types import Identifier

MAX_UNITS_COUNT: Final = 200  # More is better said by their parent.
MAX_KEYS_COUNT: Final = 50
MAX_KEY_CHARS: Final = 64

# A word, in Chinese too: nothing that JSON or SQL would have to quote.
Key = Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=MAX_KEY_CHARS)]


def _settle(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Equal rules are written equally: each key once, in order."""
    return tuple(sorted(set(keys)))


class AudienceRule(BaseModel):
    """Whom something is for. Equal rules compare equal and are stored as the same JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    units: Annotated[
        tuple[Identifier, ...], Field(max_length=MAX_UNITS_COUNT), AfterValidator(_settle)
    ] = ()
    categories: Annotated[
        tuple[Key, ...], Field(max_length=MAX_KEYS_COUNT), AfterValidator(_settle)
    ] = ()
    levels: Annotated[
        tuple[Key, ...], Field(max_length=MAX_KEYS_COUNT), AfterValidator(_settle)
    ] = ()

    @property
    def is_everybody(self) -> bool:
        """It asks for nothing but being signed in."""
        return not (self.units or self.categories or self.levels)

    def to_json(self) -> dict[str, Any]:
        """As it is stored: only lists that are not empty, ``{}`` for everybody."""
        return self.model_dump(mode="json", exclude_defaults=True)


EVERYBODY: Final = AudienceRule()


class Facts(Protocol):
    """What of a member a rule asks for (``vod.accounts.roles.MemberFacts`` is one)."""

    @property
    def unit_path(self) -> str | None:
        """``/{id}/{id}/`` from the root, ``None`` without a unit."""

    @property
    def category(self) -> str | None: ...

    @property
    def level(self) -> str | None: ...


def fits(rule: AudienceRule, member: Facts | None) -> bool:
    """Tell whether a member is meant; ``None`` is somebody signed in of whom nothing is known."""
    if member is None:
        return rule.is_everybody
    return (
        (not rule.units or not set(rule.units).isdisjoint(split_path(member.unit_path)))
        and (not rule.categories or member.category in rule.categories)
        and (not rule.levels or member.level in rule.levels)
    )


def split_path(path: str | None) -> tuple[str, ...]:
    """Return the units of a path from the root down: a unit's rule fits all below it."""
    return tuple(part for part in (path or "").split("/") if part)


Column = ColumnElement[Any] | InstrumentedAttribute[Any]


def build_condition(
    rule: AudienceRule, *, unit_path: Column, category: Column, level: Column
) -> ColumnElement[bool]:
    """Build the same question about rows of members.

    Args:
        unit_path: Column with the path of the member's unit; ``NULL`` without one.
        category: Column with the member's category; so ``level``.
    """
    parts: list[ColumnElement[bool]] = []
    if rule.units:
        # Identifiers hold no characters that LIKE reads as its own.
        parts.append(or_(*(unit_path.like(f"%/{unit}/%") for unit in rule.units)))
    if rule.categories:
        parts.append(category.in_(rule.categories))
    if rule.levels:
        parts.append(level.in_(rule.levels))
    return and_(true(), *parts)


def build_fitting(rule: Column, member: Facts | None) -> ColumnElement[bool]:
    """Build the question the other way round: which rows have a rule that fits this member.

    Args:
        rule: JSON column as :meth:`AudienceRule.to_json` writes it; ``NULL`` is everybody.
        member: Who asks, signed in.
    """
    units = split_path(member.unit_path) if member else ()
    category = (member.category,) if member and member.category is not None else ()
    level = (member.level,) if member and member.level is not None else ()
    return and_(
        _names_one(rule, "units", units),
        _names_one(rule, "categories", category),
        _names_one(rule, "levels", level),
    )


def _names_one(rule: Column, name: str, keys: Iterable[str]) -> ColumnElement[bool]:
    """The list is not there, or names one of ``keys``."""
    names = rule[name]
    return or_(names.as_string().is_(None), *(_holds(names, key) for key in keys))


def _holds(names: Any, key: str) -> ColumnElement[bool]:
    """The JSON text of a list holds the key between its quotation marks.

    Keys are words, so no other text than the key itself looks like it. How a database writes
    letters that are not ASCII differs, so both ways of writing are looked for.
    """
    written = {json.dumps(key), json.dumps(key, ensure_ascii=False)}
    return or_(*(_Position(names.as_string(), text) > 0 for text in sorted(written)))


class _Position(FunctionElement[int]):
    """Where a text stands in another from 1, 0 if it does not; unlike LIKE it heeds case."""

    type = Integer()
    inherit_cache = True
    name = "position_of"


@compiles(_Position)
def _compile_position(element: _Position, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


@compiles(_Position, "sqlite")
def _compile_position_sqlite(element: _Position, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"
