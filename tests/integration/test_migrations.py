"""The schema: up, down and up again on both databases, and nothing left to generate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from tests.support.vod import Databases, databases
from vod.db.engine import build_engine, migrate
from vod.db.migrate import build_config, is_modelled, run_migrations_blocking
from vod.db.models import Base

__all__ = ["databases"]  # Fixtures.


def inspect_blocking(url: str, work: Any) -> Any:
    async def run() -> Any:
        engine = build_engine(url)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def list_tables(connection: Connection) -> set[str]:
    """Those that models describe."""
    names = inspect(connection).get_table_names()
    return {name for name in names if is_modelled(name, "table", None)}


def find_differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection,
        opts={"compare_type": True, "compare_server_default": True, "include_name": is_modelled},
    )
    return list(compare_metadata(context, Base.metadata))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_up_down_up_leaves_exactly_the_models(databases: Databases, kind: str) -> None:
    url = databases.make_empty(kind)
    migrate(url)
    assert inspect_blocking(url, find_differences) == []
    assert inspect_blocking(url, list_tables) == {*Base.metadata.tables, "alembic_version"}
    run_migrations_blocking(url, revision="base", is_downgrade=True)
    assert inspect_blocking(url, list_tables) == {"alembic_version"}
    migrate(url)
    migrate(url)  # Nothing to do is fine.
    assert inspect_blocking(url, find_differences) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_several_at_once_migrate_in_turn(databases: Databases, kind: str) -> None:
    url = await asyncio.to_thread(databases.make_empty, kind)
    await asyncio.gather(*(asyncio.to_thread(migrate, url) for _ in range(3)))
    tables = await asyncio.to_thread(inspect_blocking, url, list_tables)
    assert tables == {*Base.metadata.tables, "alembic_version"}


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(build_config()).get_heads()) == 1


def test_every_constraint_has_a_name() -> None:
    unnamed = [
        (table.name, constraint)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if not constraint.name
    ]
    assert unnamed == []
