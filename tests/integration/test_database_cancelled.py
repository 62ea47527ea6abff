"""A task that is cancelled inside a transaction leaves no lock behind."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from vod.db.engine import Database, open_database


@pytest.fixture
def no_collector() -> Iterator[None]:
    """As in a server, whose collector seldom comes round: what is forgotten stays a while."""
    gc.disable()
    yield
    gc.enable()


async def write(database: Database) -> None:
    async with database.write() as session:
        for value in range(3):
            await session.execute(text("INSERT INTO things VALUES (:value)"), {"value": value})
            await session.execute(text("SELECT value FROM things"))


@pytest.mark.usefixtures("no_collector")
async def test_a_writer_cancelled_at_any_point_gives_its_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    with sqlite3.connect(path) as setup:
        setup.executescript("PRAGMA journal_mode=WAL; CREATE TABLE things (value);")
    setup.close()
    cancelled_count = 0
    async with open_database(f"sqlite+aiosqlite:///{path}") as database:
        for turns in range(600):
            task = asyncio.create_task(write(database))
            for _ in range(turns % 60):
                await asyncio.sleep(0)
            if turns % 3 == 0:
                await asyncio.sleep(0.0005 * (turns % 7))  # Cut at other points of the thread's.
            task.cancel()
            await asyncio.wait({task})
            cancelled_count += task.cancelled()
            other = sqlite3.connect(path, timeout=1, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")  # Raises "database is locked" after the time-out.
            other.execute("ROLLBACK")
            other.close()
    assert cancelled_count > 200
