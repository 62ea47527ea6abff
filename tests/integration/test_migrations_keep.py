"""From the previous release: a database with something in every table loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.support.filled_rows import Rows, fill_all, read_all, reflect
from tests.support.vod import Databases, databases
from vod.db.engine import build_engine
from vod.db.migrate import run_migrations_blocking

__all__ = ["databases"]  # Fixtures.

PREVIOUS = "0012"  # Its schema never changes any more, so neither does what is said of it here.
SPECIAL: dict[str, dict[str, Any]] = {
    "role_scopes": {"role": "editor"},
    "channel_runs": {"start_ticks": 0},
    "units": {"progress": 0.5},
    "uploads": {"received_bytes": 0},
}


def work_blocking(url: str, work: Callable[[Connection], Any]) -> Any:
    async def run() -> Any:
        engine = build_engine(url, is_writer=True)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_the_previous_release_stored_is_all_there(databases: Databases, kind: str) -> None:
    url = databases.make_empty(kind)
    run_migrations_blocking(url, revision=PREVIOUS)
    meta = work_blocking(url, reflect)
    work_blocking(url, lambda connection: fill_all(connection, meta, SPECIAL))
    before: Rows = work_blocking(url, lambda connection: read_all(connection, meta))
    del before["alembic_version"]
    assert [name for name, rows in before.items() if not rows] == []
    run_migrations_blocking(url)
    # Every column is asked for by its name of then: none is gone, and nothing in it.
    after: Rows = work_blocking(url, lambda connection: read_all(connection, meta))
    lost = [(name, row) for name, rows in before.items() for row in rows if row not in after[name]]
    assert lost == []
    assert {n: len(after[n]) for n in before} == {n: len(rows) for n, rows in before.items()}
    run_migrations_blocking(url, revision=PREVIOUS, is_downgrade=True)
    again: Rows = work_blocking(url, lambda connection: read_all(connection, meta))
    assert {name: again[name] for name in before} == before
