"""Bring a database to the newest schema. Configured here, so there is no ``alembic.ini``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text

from vod.db.engine import build_engine

MIGRATIONS: Final = Path(__file__).parent / "migrations"
UNMODELLED: Final = "search_tokens"  # An index that each database has in its own way.
ADVISORY_LOCK: Final = 0x68616C6C  # "hall": several vods starting at once migrate in turn.


def build_config(connection: Connection | None = None) -> Config:
    """Build Alembic's configuration; ``connection`` is what the scripts run on."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def is_modelled(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether a model describes what is called so; the rest is not compared with them."""
    return kind != "table" or not (name or "").startswith(UNMODELLED)


def run_migrations_blocking(
    url: str, *, revision: str = "head", is_downgrade: bool = False
) -> None:
    """Run the migration scripts up or down to ``revision``, in a loop of its own.

    Runs on: any thread without a running loop.
    """

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        step = command.downgrade if is_downgrade else command.upgrade
        step(build_config(connection), revision)
        if connection.dialect.name == "sqlite":
            broken = connection.execute(text("PRAGMA foreign_key_check")).all()
            if broken:
                raise RuntimeError(f"rows without their parents after migrating: {broken[:5]}")

    async def run_once() -> None:
        engine = build_engine(url, is_writer=True)
        if engine.dialect.name == "sqlite":
            # A table is changed by copying it; dropping the old one must not take its children.
            event.listen(engine.sync_engine, "connect", _release_children)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(run)
        finally:
            await engine.dispose()

    asyncio.run(run_once())


def _release_children(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()
