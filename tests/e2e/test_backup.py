"""Restore is a test: a hall that is teaching is copied, lost, and brought back elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import m3u8
import pytest

from tests.support.cli import run_cli
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300)]
LOST_AT_MOST_S = 2.0


async def test_hall_restored_onto_an_empty_folder_replays_and_goes_on(
    own_hall: Hall, tmp_path: Path
) -> None:
    hall = own_hall
    admin = await hall.admin()
    finished = await _teach_to_the_end(hall, admin)
    made = await admin.make_class("备份时正在讲的课")
    key, backup = made["publish"]["stream_key"], tmp_path / "backup"
    async with publish(f"{hall.rtmp}/{key}"):
        await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _stored_s(admin, made["id"], 4), timeout_s=40)
        before = await _recorded_s(admin, made["id"])
        done = await run_cli("backup", str(backup), env={"HALL_DATA": str(hall.data)})
        assert done.code == 0, done.err
        assert "Backup complete" in done.out
        again = await run_cli("backup", str(backup), env={"HALL_DATA": str(hall.data)})
        assert again.code == 1, "a backup never writes over another"
    await hall.stop()
    shutil.rmtree(hall.data)

    for private in ("secret", "hall.db"):
        assert (backup / private).stat().st_mode & 0o077 == 0, f"others can read {private}"
    async with _restored(tmp_path / "elsewhere", backup) as elsewhere:
        admin = await elsewhere.admin()
        found = await admin.wait_for_state(made["id"], "interrupted")
        assert found["recording"]["recorded_s"] >= before - LOST_AT_MOST_S
        old = await admin.get(f"/live-classes/{finished}")
        assert (await _play(admin, old["replay"]["playback"]["hls_url"]))[0] > 3

        # The key that OBS still holds is good, and the class goes on as one recording.
        async with publish(f"{elsewhere.rtmp}/{key}"):
            await admin.wait_for_state(made["id"], "live")
            await eventually(lambda: _recorded_more(admin, made["id"], before + 3), timeout_s=30)
        await admin.post(f"/live-classes/{made['id']}/end")
        ended = await eventually(lambda: _with_replay(admin, made["id"]), timeout_s=20)
        length_s, discontinuities = await _play(admin, ended["replay"]["playback"]["hls_url"])
        assert length_s >= before + 3 - LOST_AT_MOST_S
        assert discontinuities == 1
        lecture_id = ended["replay"]["lecture_id"]
        await eventually(lambda: _is_ready(admin, lecture_id), timeout_s=120)


async def test_restore_refuses_what_would_lose_something(tmp_path: Path) -> None:
    incomplete, full = tmp_path / "incomplete", tmp_path / "full"
    incomplete.mkdir()
    refused = await run_cli("restore", str(incomplete), env={"HALL_DATA": str(tmp_path / "new")})
    assert refused.code == 1
    assert "no complete backup" in refused.err
    assert "Traceback" not in refused.err
    assert not (tmp_path / "new").exists()

    (incomplete / "backup.json").write_text(json.dumps({"format": 1}))
    full.mkdir()
    (full / "something").write_text("mine")
    refused = await run_cli("restore", str(incomplete), env={"HALL_DATA": str(full)})
    assert refused.code == 1
    assert "is not empty" in refused.err
    assert [path.name for path in full.iterdir()] == ["something"]

    (incomplete / "backup.json").write_text(json.dumps({"format": 99}))
    refused = await run_cli("restore", str(incomplete), env={"HALL_DATA": str(tmp_path / "new")})
    assert refused.code == 1
    assert "format 99" in refused.err


@asynccontextmanager
async def _restored(folder: Path, backup: Path) -> AsyncIterator[Hall]:
    elsewhere = Hall(folder)
    done = await run_cli("restore", str(backup), env={"HALL_DATA": str(elsewhere.data)})
    assert done.code == 0, done.err
    async with elsewhere:
        yield elsewhere


async def _teach_to_the_end(hall: Hall, admin: Api) -> str:
    made = await admin.make_class("早先讲完的课")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _recorded_more(admin, made["id"], 4), timeout_s=30)
    await admin.post(f"/live-classes/{made['id']}/end")
    await eventually(lambda: _with_replay(admin, made["id"]), timeout_s=20)
    return str(made["id"])


async def _play(api: Api, hls_url: str) -> tuple[float, int]:
    """Read every segment; the length in seconds and the discontinuities."""
    status, body = await api.fetch(hls_url)
    assert status == 200
    variant = m3u8.loads(body.decode(), uri=hls_url).playlists[0].absolute_uri
    status, body = await api.fetch(variant)
    assert status == 200
    playlist = m3u8.loads(body.decode(), uri=variant)
    assert playlist.is_endlist
    for segment in playlist.segments:
        status, media = await api.fetch(segment.absolute_uri)
        assert status == 200, segment.uri
        assert media
    length_s = sum(segment.duration for segment in playlist.segments)
    return length_s, sum(segment.discontinuity for segment in playlist.segments)


async def _recorded_s(api: Api, class_id: str) -> float:
    found = await api.get(f"/live-classes/{class_id}")
    return float(found["recording"]["recorded_s"]) if found["recording"] else 0.0


async def _recorded_more(api: Api, class_id: str, seconds: float) -> bool:
    return await _recorded_s(api, class_id) >= seconds


async def _stored_s(api: Api, class_id: str, seconds: float) -> bool:
    """Some of it is in the blob store, some only in the spool: a backup must hold both."""
    found = await api.get(f"/live-classes/{class_id}")
    return bool(found["recording"] and found["recording"]["stored_s"] >= seconds)


async def _with_replay(api: Api, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    return found if found["replay"] and found["replay"]["playback"] else None


async def _is_ready(api: Api, lecture_id: str) -> bool:
    found = await api.get(f"/lectures/{lecture_id}")
    assert found["state"] != "failed", found
    return bool(found["state"] == "ready")
