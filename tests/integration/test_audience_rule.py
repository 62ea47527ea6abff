"""One sentence, read three ways: an audience rule in Python and as SQL on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, select

from tests.support.vod import Databases, databases
from vod.audience.rule import AudienceRule, build_condition, build_fitting, fits
from vod.db.base import JSON_DOCUMENT
from vod.db.engine import build_engine

__all__ = ["databases"]  # Fixtures.

META = MetaData()
MEMBERS = Table(
    "rule_members", META,
    Column("id", Integer, primary_key=True),
    Column("unit_path", String), Column("category", String), Column("level", String),
    prefixes=["TEMPORARY"],
)  # fmt: skip
RULES = Table(
    "rule_rules", META,
    Column("id", Integer, primary_key=True), Column("rule", JSON_DOCUMENT, nullable=True),
    prefixes=["TEMPORARY"],
)  # fmt: skip
UNITS_COUNT = 7
# Keys that are parts of each other, of other scripts, and differ by case only.
KEYS = ("a", "A", "a-a", "农牧民", "牧民", "é", "𠀀", "_", "null", "units")


@dataclass(frozen=True)
class Member:
    unit_path: str | None
    category: str | None
    level: str | None


def unit_id(number: int) -> str:
    return f"{number:020d}"


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[int, int | None], list[tuple[int | None, Member]], Any]:
    """A tree of units, members somewhere in it, rules on all of it and on what is not there."""
    parents = {
        number: draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None
        for number in range(UNITS_COUNT)
    }
    homes = draw(st.lists(st.one_of(st.none(), st.integers(0, UNITS_COUNT - 1)), max_size=12))
    keys = st.one_of(st.none(), st.sampled_from(KEYS))
    members = [(home, Member(path_of(home, parents), draw(keys), draw(keys))) for home in homes]
    words = st.lists(st.sampled_from(KEYS), max_size=3).map(tuple)
    units = st.lists(st.integers(0, UNITS_COUNT).map(unit_id), max_size=3).map(tuple)
    rules = st.builds(AudienceRule, units=units, categories=words, levels=words)
    return parents, members, draw(st.lists(rules, min_size=1, max_size=8))


def walk_up(unit: int | None, parents: dict[int, int | None]) -> list[int]:
    units = []
    while unit is not None:
        units.append(unit)
        unit = parents[unit]
    return units


def path_of(unit: int | None, parents: dict[int, int | None]) -> str | None:
    if unit is None:
        return None
    return "/" + "".join(f"{unit_id(number)}/" for number in reversed(walk_up(unit, parents)))


def is_meant(
    rule: AudienceRule, home: int | None, member: Member, parents: dict[int, int | None]
) -> bool:
    """The sentence of the contract, word by word."""
    above = {unit_id(number) for number in walk_up(home, parents)}
    return all(
        not wanted or bool(set(wanted) & has)
        for wanted, has in (
            (rule.units, above),
            (rule.categories, {member.category}),
            (rule.levels, {member.level}),
        )
    )


async def ask(
    url: str, members: list[Member], rules: list[AudienceRule]
) -> tuple[list[set[int]], list[set[int]]]:
    """Per rule the members it means, per member the rules that fit, both as the database says."""
    engine = build_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(META.create_all, checkfirst=False)
            if members:
                rows = [{"id": n, **vars(member)} for n, member in enumerate(members)]
                await connection.execute(MEMBERS.insert(), rows)
            await connection.execute(
                RULES.insert(), [{"id": n, "rule": rule.to_json()} for n, rule in enumerate(rules)]
            )
            await connection.execute(RULES.insert().values(id=-1, rule=None))
            columns = {name: MEMBERS.c[name] for name in ("unit_path", "category", "level")}
            meant = [
                set(await connection.scalars(
                    select(MEMBERS.c.id).where(build_condition(rule, **columns))
                ))
                for rule in rules
            ]  # fmt: skip
            fitting = [
                set(await connection.scalars(
                    select(RULES.c.id).where(build_fitting(RULES.c.rule, member))
                ))
                for member in (*members, None)
            ]  # fmt: skip
            await connection.rollback()
        return meant, fitting
    finally:
        await engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds())
def test_python_and_the_database_mean_the_same_members(
    databases: Databases, kind: str, world: Any
) -> None:
    parents, homes, rules = world
    members = [member for _, member in homes]
    meant, fitting = asyncio.run(ask(_url(databases, kind), members, rules))
    expected = [
        {n for n, (home, member) in enumerate(homes) if is_meant(rule, home, member, parents)}
        for rule in rules
    ]
    assert [{n for n, member in enumerate(members) if fits(rule, member)} for rule in rules] == (
        expected
    )
    assert meant == expected
    for member, found in zip((*members, None), fitting, strict=True):
        assert found == {-1, *(n for n, rule in enumerate(rules) if fits(rule, member))}


_urls: dict[str, str] = {}


def _url(databases: Databases, kind: str) -> str:
    """One empty database of a kind for all examples: the tables are temporary."""
    if kind not in _urls:
        _urls[kind] = databases.make_empty(kind)
    return _urls[kind]
