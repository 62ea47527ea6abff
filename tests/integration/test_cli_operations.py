"""`hall worker` and `hall storage` as black boxes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kernel.ids import new_id
from tests.support.cli import run_cli


@pytest.fixture
def env(short_dir: Path) -> dict[str, str]:
    return {"HALL_DATA": str(short_dir / "data")}


async def test_orphans_are_listed_first_and_deleted_on_request(env: dict[str, str]) -> None:
    outcome = await run_cli("migrate", env=env)
    assert outcome.code == 0, outcome.err
    nothing = await run_cli("storage", "orphans", env=env)
    assert (nothing.code, "belongs to somebody" in nothing.out) == (0, True), nothing.err
    upload_id = new_id()
    old = Path(env["HALL_DATA"]) / "blobs" / "uploads" / upload_id
    old.parent.mkdir(parents=True)
    young = old.with_name(new_id())
    for path in (old, young):
        path.write_bytes(b"x" * 2048)
    yesterday_s = time.time() - 25 * 3600
    os.utime(old, (yesterday_s, yesterday_s))
    listed = await run_cli("storage", "orphans", env=env)
    assert listed.code == 0, listed.err
    assert f"uploads/{upload_id}  1 objects  2.0 KiB  没有对应的上传记录" in listed.out
    assert "Nothing was deleted" in listed.out
    assert old.exists()
    gone = await run_cli("storage", "orphans", "--delete", env=env)
    assert "deleted 1 objects, 2.0 KiB" in gone.out, gone.err
    assert not old.exists()
    assert young.exists(), "nothing of today is touched"


@pytest.mark.parametrize("queues", ["odd", "live,odd", "", ","])
async def test_a_worker_refuses_queues_that_do_not_exist(env: dict[str, str], queues: str) -> None:
    outcome = await run_cli("worker", "--queues", queues, env=env)
    assert outcome.code == 2
    assert "the queues are live, short, long" in outcome.err
    assert "Traceback" not in outcome.err
