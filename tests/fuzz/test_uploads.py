"""Bodies of any size, broken anywhere, by vods that die: what is acknowledged is stored."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from kernel.blobs.directory import DirectoryBlobStore
from kernel.clock import FakeClock
from kernel.config import Settings
from kernel.errors import ConflictError
from kernel.layout import upload_key
from tests.support.tus_client import make_bytes
from tests.support.vod import Databases, databases
from vod.accounts.models import Account
from vod.accounts.roles import Role, Viewer
from vod.db.engine import Database, open_database
from vod.uploads import receiving, service
from vod.uploads.metrics import UploadMetrics
from vod.uploads.service import NewUpload, Uploads
from vod.uploads.wishes import read_wish

__all__ = ["databases"]  # Fixture.
PART: Final = 100
VIEWER: Final = Viewer(account_id="a", role=Role.EDITOR)


@dataclass(frozen=True)
class Body:
    """One request: pieces as they arrive, and how it ends."""

    pieces: tuple[int, ...]
    end: str  # whole, broken (the line is cut), wrong (its checksum), killed (vod is)


BODIES = st.lists(
    st.builds(
        Body,
        pieces=st.lists(st.integers(0, 3 * PART), max_size=4).map(tuple),
        end=st.sampled_from(["whole", "whole", "broken", "wrong", "killed"]),
    ),
    max_size=8,
)


class World:
    """Uploads over real adapters; ``restart`` is what kill -9 and a new start are to them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder, self._clock = database, folder, FakeClock()
        self.start()

    def start(self) -> None:
        self.blobs = DirectoryBlobStore(self._folder / "blobs")
        values = Settings(data=self._folder, secret="x")
        metrics = UploadMetrics(CollectorRegistry())
        self.uploads = Uploads(values, self._database, self.blobs, self._clock, metrics=metrics)

    async def restart(self) -> None:
        await self.close()
        self._clock.advance(receiving.LEASE.total_seconds())
        self.start()

    async def close(self) -> None:
        await self.uploads.close()
        await self.blobs.close()


async def send(world: World, upload_id: str, data: bytes, offset: int, body: Body) -> None:
    """Send one body from ``offset`` on, as the HTTP handler does."""
    is_checked = body.end == "wrong"
    async with world.uploads.receive(
        upload_id, VIEWER, offset=offset, is_checked=is_checked
    ) as receiver:
        for size_bytes in body.pieces:
            wanted = min(size_bytes, receiver.left_bytes)
            start = receiver.offset
            await receiver.add(data[start : start + wanted])
        if body.end == "whole":
            await receiver.settle()
        elif body.end == "broken":
            await receiver.settle_broken()


async def play(url: str, folder: Path, size_bytes: int, bodies: list[Body]) -> None:
    data = make_bytes(size_bytes)
    async with open_database(url) as database:
        async with database.write() as session:
            session.add(
                Account(
                    id="a", login="a", display_name="a", role=Role.EDITOR, password_hash="",
                    created_at=FakeClock().now(),
                )
            )  # fmt: skip
        world = World(database, folder)
        wish = NewUpload(read_wish({"filename": "a"}), size_bytes, "")
        upload_id = (await world.uploads.create(wish, VIEWER)).id
        acknowledged = 0
        for body in [*bodies, Body((size_bytes,), "whole")]:
            before = (await world.uploads.load(upload_id, VIEWER)).received_bytes
            with pytest.raises(ConflictError):
                await send(world, upload_id, data, before + 1, body)
            with contextlib.suppress(ConflictError):
                await send(world, upload_id, data, before, body)
            after = (await world.uploads.load(upload_id, VIEWER)).received_bytes
            sent = min(sum(body.pieces), size_bytes - before)
            acknowledged = max(acknowledged, check(body, before, after, sent))
            if body.end == "killed":
                await world.restart()
            assert (await world.uploads.load(upload_id, VIEWER)).received_bytes >= acknowledged
        await world.uploads.finish_if_complete(upload_id)
        stored = await world.blobs.get_bytes(upload_key(upload_id))
        left = [info.key async for info in world.blobs.list_keys("uploads/")]
        await world.close()
    assert stored == data
    assert left == [upload_key(upload_id)], "no tail stays behind"


def check(body: Body, before: int, after: int, sent: int) -> int:
    """Judge the offset after a body; return what its sender may rely on."""
    if body.end in {"whole", "broken"}:
        assert after == before + sent
    elif body.end == "wrong":
        assert after == before
    else:
        assert before <= after <= before + sent
        assert before + sent - after < PART, "a whole part was lost"
    return after


@settings(max_examples=15)
@given(size_bytes=st.integers(1, 1000), bodies=BODIES)
def test_what_was_acknowledged_is_stored(
    databases: Databases, size_bytes: int, bodies: list[Body]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="up-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service, "choose_part_bytes", lambda _size: PART)
        patched.setattr(receiving, "MAX_TAIL_PIECES", 3)
        try:
            asyncio.run(play(databases.make("sqlite"), folder, size_bytes, bodies))
        finally:
            shutil.rmtree(folder)
