"""Uploads that want more than to be watched: other addresses, other files, time, privacy."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kernel.errors import EncodeError
from tests.support.synthetic_recording import FFPROBE, run_ffmpeg
from tests.support.upload_run import UploadRun, run_file

SECRET = "SECRET-OF-THIS-MACHINE"
PLAYLISTS = {
    "playlist.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n",
    "padded.mp4": '\n\n \t#EXTM3U\n#EXT-X-MAP:URI="{url}"\n#EXTINF:2,\n{url}\n',
    "dash.mp4": '<?xml version="1.0"?><MPD type="static" mediaPresentationDuration="PT2S"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "concat.mkv": "ffconcat version 1.0\nfile '{url}'\nfile '{file}'\n",
    "session.mp4": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
    "picture.mp4": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
    "filter.mp4": "lavfi:movie={file}",
    "reference.mp4": "RTSPtext\n{url}\n",
}  # fmt: skip


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that only notes who came."""
    visits: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(repr(await reader.read(100)))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/segment.ts", visits


@pytest.mark.parametrize("name", PLAYLISTS)
async def test_a_text_that_names_other_media_is_refused_and_nothing_is_opened(
    name: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET, "utf-8")
    async with listening() as (url, visits):
        source = tmp_path / name
        source.write_text(PLAYLISTS[name].format(url=url, file=secret), "utf-8")
        run = await run_file(source, tmp_path / "job", plan_only=True)
    assert run.outcome == "refused", run.reason
    assert not visits
    assert SECRET not in run.reason


async def test_a_playlist_behind_the_head_of_an_mp4_is_no_playlist(tmp_path: Path) -> None:
    source = tmp_path / "both.mp4"
    async with listening() as (url, visits):
        source.write_bytes(
            b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42"
            + f"\n#EXTM3U\n#EXTINF:2,\n{url}\n".encode()
        )
        run = await run_file(source, tmp_path / "job", plan_only=True)
    assert run.outcome == "refused"
    assert not visits


def make_tagged(folder: Path) -> Path:
    """A film that says where, when and with what it was made, in every place there is."""
    path = folder / "tagged.mov"
    place = "+39.9042+116.4074/"
    run_ffmpeg(
        *["-f", "lavfi", "-t", "2", "-i", "testsrc2=s=160x90:r=25"],
        *["-f", "lavfi", "-t", "2", "-i", "sine=r=48000"],
        *["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0"],
        *["-c:a", "aac", "-metadata", f"location={place}", "-metadata", "make=PhoneMaker"],
        *["-metadata", f"com.apple.quicktime.location.ISO6709={place}"],
        *["-metadata", "artist=SomebodyPrivate", "-metadata", "comment=HomeAddress"],
        *["-metadata:s:v", "handler_name=PhoneMaker", "-metadata:s:a", "title=SomebodyPrivate"],
        *["-movflags", "use_metadata_tags", path],
    )
    return path


async def test_places_devices_and_names_never_reach_the_outputs(tmp_path: Path) -> None:
    source = await asyncio.to_thread(make_tagged, tmp_path)
    assert b"PhoneMaker" in source.read_bytes()
    run = await run_file(source, tmp_path / "job")
    assert run.outcome == "lecture", run.reason
    assert "拍摄地点" in run.reason
    check_no_secrets(run)


def check_no_secrets(run: UploadRun) -> None:
    assert run.asset is not None
    folder = run.path("manifest.json").parent
    names = [path for path in folder.iterdir() if path.suffix in {".mp4", ".m4a", ".jpg"}]
    assert len(names) >= 4
    for path in names:
        data = path.read_bytes()
        for word in (b"PhoneMaker", b"39.9042", b"SomebodyPrivate", b"HomeAddress"):
            assert word not in data, (path.name, word)
        if path.suffix in {".mp4", ".m4a"}:
            told = probe_tags(path)
            assert set(told) <= {
                "major_brand", "minor_version", "compatible_brands", "language", "handler_name",
                "vendor_id", "title", "encoder",
            }, path.name  # fmt: skip


def probe_tags(path: Path) -> list[str]:
    argv = [FFPROBE, "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json", path]
    answer = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=30).stdout)
    streams = [stream.get("tags", {}) for stream in answer.get("streams", ())]
    return [name for tags in (answer["format"].get("tags", {}), *streams) for name in tags]


async def test_a_file_that_is_cut_off_keeps_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mkv"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-f", "lavfi", "-t", "20", "-i", "testsrc2=s=160x90:r=25", "-c:v", "libx264"],
        *["-preset", "ultrafast", "-g", "50", whole],
    )
    cut = tmp_path / "cut.mkv"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    run = await run_file(cut, tmp_path / "job", plan_only=True)
    assert run.outcome == "planned", run.reason
    assert run.plan is not None
    assert run.plan.source is not None
    assert 5 < run.plan.source.duration_s < 15
    assert "文件不完整:文件头写着 0:20" in run.reason


async def test_a_store_that_lost_the_file_is_told_apart_from_a_bad_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    run = await run_file(empty, tmp_path / "job", plan_only=True)
    assert isinstance(run.error, EncodeError)
    assert run.outcome == "refused"
    assert "空的" in run.reason


@pytest.mark.parametrize("order", [("late", "early"), ("early", "early"), ("early", "late")])
async def test_captures_that_were_just_joined_are_laid_out_anew(
    order: tuple[str, str], tmp_path: Path
) -> None:
    for name, start in (("early", 0), ("late", 1000)):
        await asyncio.to_thread(
            run_ffmpeg,
            *["-f", "lavfi", "-t", "2", "-i", "testsrc2=s=160x90:r=25"],
            *["-f", "lavfi", "-t", "2", "-i", "sine=r=48000", "-c:v", "libx264", "-preset"],
            *["ultrafast", "-bf", "2", "-g", "25", "-c:a", "aac"],
            *["-output_ts_offset", str(start), tmp_path / f"{name}.ts"],
        )
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join((tmp_path / f"{name}.ts").read_bytes() for name in order))
    run = await run_file(source, tmp_path / "job")
    assert run.outcome == "lecture", run.reason
    assert "重新排列" in run.reason
    assert run.frames_out == 100
