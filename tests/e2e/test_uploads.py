"""Uploads through the gate of a whole hall: killed in the middle, imported, watched for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hall.sending import Sender
from tests.support.cli import run_cli
from tests.support.hall import Api, Hall
from tests.support.tus_client import OCTETS, TUS, encode_metadata, make_bytes
from tests.support.waiting import eventually
from vod.uploads.digest import PART_BYTES

pytestmark = [pytest.mark.timeout(200)]


async def create(admin: Api, size_bytes: int, filename: str) -> str:
    headers = {
        **admin.headers, **TUS, "Upload-Length": str(size_bytes),
        "Upload-Metadata": encode_metadata(filename=filename),
    }  # fmt: skip
    async with admin.session.post(f"{admin.origin}/api/v1/uploads", headers=headers) as response:
        assert response.status == 201, await response.text()
        return admin.origin + response.headers["Location"]


async def offset_of(admin: Api, url: str) -> int:
    async with admin.session.head(url, headers={**admin.headers, **TUS}) as response:
        return int(response.headers.get("Upload-Offset", -1))


async def send(admin: Api, url: str, offset: int, data: Any) -> int:
    headers = {**admin.headers, **TUS, "Content-Type": OCTETS, "Upload-Offset": str(offset)}
    body = io.BytesIO(data) if isinstance(data, bytes) else data
    async with admin.session.patch(url, headers=headers, data=body) as response:
        await response.read()
        return response.status


async def test_a_vod_killed_in_the_middle_of_a_body_loses_less_than_a_part(hall: Hall) -> None:
    admin = await hall.admin()
    multipart = hall.data / "blobs" / ".multipart"
    others = set(multipart.iterdir()) if multipart.exists() else set()
    data = make_bytes(3 * PART_BYTES)
    url = await create(admin, len(data), "long.mp4")
    may_go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for offset in range(0, len(data), 65_536):
            if offset == PART_BYTES + PART_BYTES // 2:
                await may_go_on.wait()
            yield data[offset : offset + 65_536]

    sending = asyncio.create_task(send(admin, url, 0, body()))
    await eventually(lambda: _is_at(admin, url, PART_BYTES), timeout_s=30)
    killed = hall.child("vod")
    killed.kill()
    may_go_on.set()
    with contextlib.suppress(aiohttp.ClientError):  # The gate may as well break the line.
        assert await sending in {499, 500, 502, 504}
    await eventually(lambda: hall.is_back("vod", killed), timeout_s=20)
    await eventually(hall.is_ready, timeout_s=30)
    offset = await offset_of(admin, url)
    assert PART_BYTES <= offset < 2 * PART_BYTES
    # At once: nobody waits for the lease of a vod that is dead.
    assert await send(admin, url, offset, data[offset : offset + 1000]) == 204
    offset += 1000
    assert await send(admin, url, offset, data[offset:]) == 204
    stored = hall.data / "blobs" / "uploads" / url.rpartition("/")[2]
    assert _hash(stored.read_bytes()) == _hash(data)
    assert set(multipart.iterdir()) <= others


async def _is_at(admin: Api, url: str, offset: int) -> bool:
    return await offset_of(admin, url) >= offset


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_import_and_inbox_make_lectures_or_say_why_not(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    env = {"HALL_INBOX": str(inbox), "HALL_INBOX_SETTLE_S": "1"}
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "课.mp4").write_bytes(make_bytes(2_000_000))  # By its name only.
    async with Hall(tmp_path / "hall", env=env) as hall:
        admin = await hall.admin()
        here = {"HALL_DATA": str(hall.data), "HALL_HTTP_PORT": str(hall.http_port)}
        done = await run_cli("import", str(folder), "--series", "党史", env=here)
        assert done.code == 0, done.out + done.err
        assert "新导入 1 个" in done.out
        again = await run_cli("import", str(folder / "课.mp4"), env=here)
        (lecture,) = (await admin.get("/lectures"))["items"]
        assert (lecture["title"], lecture["series"][0]["title"]) == ("课", "党史")
        failed = await eventually(
            lambda: _find_failed(admin, lecture["id"]), timeout_s=60, message="it is still planned"
        )
        assert failed["jobs"][0]["reason"], "a person is told why"
        (upload,) = (await admin.get("/uploads?state=refused"))["items"]
        assert upload["reason"] == failed["jobs"][0]["reason"]
        assert (again.code, "已经有了,就是课程《课》" in again.out) == (0, True), again.out

        (inbox / "坏的.mp4").write_bytes(b"this is no film" * 100)
        await eventually(
            (inbox / "refused" / "坏的.mp4.txt").exists, timeout_s=60,
            message=f"the inbox has {sorted(path.name for path in inbox.rglob('*'))}",
        )  # fmt: skip
        reason = (inbox / "refused" / "坏的.mp4.txt").read_text()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in reason), reason
    nowhere = await run_cli("import", str(folder / "missing.mp4"), env=here)
    assert nowhere.code == 2


async def _find_failed(admin: Api, lecture_id: str) -> Any:
    lecture = await admin.get(f"/lectures/{lecture_id}")
    return lecture if lecture["state"] == "failed" else None


async def test_an_uploaded_film_becomes_ready_and_another_takes_its_place(
    hall: Hall, tmp_path: Path, ffmpeg_path: str
) -> None:
    admin = await hall.admin()
    first = await _make_film(ffmpeg_path, tmp_path / "一.mp4", "testsrc2")
    lecture_id = await _upload(admin, first)
    ready = await _wait_ready(admin, lecture_id, "")
    assert ready["title"] == "一"
    assert abs(ready["duration_s"] - 4) < 0.1
    status, body = await admin.fetch(ready["playback"]["hls_url"])
    assert (status, b"#EXTM3U" in body) == (200, True)
    second = await _make_film(ffmpeg_path, tmp_path / "二.mp4", "smptebars")
    assert await _upload(admin, second, lecture_id=lecture_id) == lecture_id
    between = await admin.get(f"/lectures/{lecture_id}")
    assert (between["state"], between["playback"]) == ("ready", ready["playback"])
    replaced = await _wait_ready(admin, lecture_id, ready["poster_url"])
    assert replaced["title"] == "一"


async def _make_film(ffmpeg_path: str, path: Path, picture: str) -> Path:
    process = await asyncio.create_subprocess_exec(
        ffmpeg_path, "-v", "error", "-f", "lavfi", "-i", f"{picture}=size=320x180:rate=25",
        "-f", "lavfi", "-i", "sine=frequency=440", "-t", "4", "-c:v", "libx264", "-pix_fmt",
        "yuv420p", "-c:a", "aac", str(path), stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    return path


async def _upload(admin: Api, path: Path, **metadata: str) -> str:
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    sender = Sender(admin.session, admin.origin, token=token)
    sent = await sender.send(path, on_progress=lambda _count: None, **metadata)
    assert sent.state == "done", sent
    return sent.lecture_id or ""


async def _wait_ready(admin: Api, lecture_id: str, old_poster: str) -> Any:
    async def look() -> Any:
        lecture = await admin.get(f"/lectures/{lecture_id}")
        assert lecture["state"] != "failed", lecture["jobs"]
        is_new = lecture["poster_url"] not in {None, old_poster}
        return lecture if lecture["state"] == "ready" and is_new else None

    return await eventually(look, timeout_s=120, message="the lecture is not ready")
