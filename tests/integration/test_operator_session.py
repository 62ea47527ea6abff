"""The operator's session ends with its block, and never hides what ended the block."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel.errors import DependencyError
from kernel.ids import new_id
from vod.accounts.models import Account
from vod.accounts.operator import open_operator_session
from vod.accounts.roles import Role
from vod.db.engine import Database, open_database
from vod.db.models import Base


async def test_a_database_that_is_away_does_not_take_the_place_of_a_cancellation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the watched folder would outlive its cancellation, and `hall up` would never end."""

    def fail(_self: Database) -> None:
        raise DependencyError("the database is away")

    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'hall.db'}") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with database.write() as session:
            session.add(
                Account(
                    id=new_id(),
                    login="admin",
                    display_name="A",
                    role=Role.ADMIN,
                    password_hash="-",
                    created_at=datetime.now(UTC),
                )
            )

        async def be_cancelled() -> None:
            async with open_operator_session(database):
                monkeypatch.setattr(Database, "write", fail)
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await be_cancelled()
        monkeypatch.undo()
