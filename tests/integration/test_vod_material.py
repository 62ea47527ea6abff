"""Captions, chapters, posters and the rest of a lecture's material, over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.messages import EmbeddedCaptions, EmbeddedChapter, EmbeddedCue, TranscriptReport
from tests.integration.vod_jobs_support import Hall
from tests.support.material import FILENAME, NOTES, Desk
from tests.support.vod import (
    StatementCount,
    Vod,
    database_url,
    databases,
    run_vod,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.roles import Role
from vod.captions.models import CaptionTrack
from vod.jobs.policy import JobState
from vod.posters.models import OwnPoster
from vod.posters.sweep import PosterSweep

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

SRT = (
    "1\n00:00:01,000 --> 00:00:03,000\n同志们好\n\n"
    "2\n00:00:04,000 --> 00:00:05,500\n<b>开始</b>上课\n"
)
INDEX = (
    '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="zh",DEFAULT=YES,'
    'URI="audio.m3u8"\n#EXT-X-STREAM-INF:BANDWIDTH=700000,CODECS="avc1.64001e,mp4a.40.2",'
    'AUDIO="a"\n360p.m3u8\n'
)


@dataclass
class House:
    """A vod with lectures that are made from files."""

    vod: Vod
    desk: Desk

    async def add_lecture(self, **plan: Any) -> str:
        """A whole lecture with its playlist, of the instructor of the tests."""
        await self.vod.token_of(Role.INSTRUCTOR)
        owner = self.vod.account_ids[Role.INSTRUCTOR]
        lecture_id, report = await self.desk.make_ready(owner, **plan)
        await self.put(report.prefix + "index.m3u8", INDEX.encode())
        return lecture_id

    async def put(self, key: str, data: bytes) -> None:
        await self.vod.services.blobs.put_bytes(key, data, content_type="x/y")

    async def get(self, lecture_id: str, role: Role | None = Role.EDITOR) -> dict[str, Any]:
        answer = await self.vod.call("GET", f"/lectures/{lecture_id}", role=role)
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def media(self, url: str, **headers: str) -> tuple[int, str, Any]:
        """Fetch below /media as the gate does; (status, text, headers)."""
        path = url if url.startswith("http") else self.vod.base + url
        async with self.vod.http.get(path, headers=headers) as response:
            return response.status, await response.text(errors="replace"), response.headers

    async def upload(self, lecture_id: str, data: bytes | str = SRT, **query: str) -> Any:
        body = io.BytesIO(data.encode() if isinstance(data, str) else data)
        return await self.vod.call(
            "POST", f"/lectures/{lecture_id}/captions", role=Role.EDITOR, data=body, params=query,
            headers={"Content-Type": "application/octet-stream"},
        )  # fmt: skip


def build_house(running: Vod, url: str) -> House:
    return House(running, Desk(Hall(running.services.database, running.clock, url)))


@pytest.fixture
async def house(database_url: str, short_dir: Path) -> AsyncIterator[House]:
    async with run_vod(database_url, short_dir) as running:
        yield build_house(running, database_url)


@pytest.fixture
async def sqlite_house(sqlite_url: str, short_dir: Path) -> AsyncIterator[House]:
    async with run_vod(sqlite_url, short_dir) as running:
        yield build_house(running, sqlite_url)


def make_captions(text: str = "原有字幕", language: str = "chi") -> EmbeddedCaptions:
    cue = EmbeddedCue(start_ms=500, end_ms=2500, text=text)
    return EmbeddedCaptions(language=language, label="", cues=(cue,))


# ---- captions ----------------------------------------------------------------------------------


async def test_a_subtitle_file_becomes_a_track_that_plays(house: House) -> None:
    lecture_id = await house.add_lecture()
    added = await house.upload(lecture_id, SRT.encode("gb18030"), filename="第三讲.srt")
    assert added.status == 201, added.body
    assert (added.body["language"], added.body["label"], added.body["version"]) == (
        "zh-CN", "简体中文", 1,
    )  # fmt: skip
    assert [cue["text"] for cue in added.body["cues"]] == ["同志们好", "开始上课"]
    shown = (await house.get(lecture_id))["captions"]
    assert [(ref["id"], ref["origin"], ref["is_edited"]) for ref in shown] == [
        (added.body["id"], "uploaded", False)
    ]
    status, text, headers = await house.media(shown[0]["url"])
    assert (status, headers["Content-Type"]) == (200, "text/vtt; charset=utf-8")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "00:00:01.000 --> 00:00:03.000\n同志们好" in text
    index = parse_multivariant_playlist((await house.media(f"/media/{lecture_id}/index.m3u8"))[1])
    [track] = [media for media in index.media if media.kind == "SUBTITLES"]
    assert (track.name, track.language, track.is_default, track.is_autoselect) == (
        "简体中文", "zh-CN", False, True,
    )  # fmt: skip
    assert {variant.subtitles_group for variant in index.variants} == {track.group_id}
    _, text, headers = await house.media(f"/media/{lecture_id}/{track.uri}")
    assert headers["Content-Type"] == "application/vnd.apple.mpegurl"
    playlist = parse_media_playlist(text)
    assert (playlist.is_ended, playlist.kind) == (True, "VOD")
    assert [segment.duration_ticks for segment in playlist.segments] == [6 * 90_000]
    folder = f"/media/{lecture_id}/{track.uri}".rpartition("/")[0]
    assert (await house.media(f"{folder}/{playlist.segments[0].uri}"))[1].startswith("WEBVTT")


async def test_two_editors_never_lose_each_others_words(house: House) -> None:
    lecture_id = await house.add_lecture()
    track = (await house.upload(lecture_id)).body
    path = f"/lectures/{lecture_id}/captions/{track['id']}"
    old_url = (await house.get(lecture_id))["captions"][0]["url"]
    cues = [{"start_ms": 0, "end_ms": 1500, "text": "第一版"}]
    first = await house.vod.call(
        "PUT", path, role=Role.EDITOR, json={"version": 1, "cues": cues, "label": "校对版"}
    )
    assert (first.status, first.body["version"], first.body["label"]) == (200, 2, "校对版")
    late = await house.vod.call("PUT", path, role=Role.INSTRUCTOR, json={"version": 1, "cues": []})
    assert late.status == 409
    assert late.headers["Content-Type"].startswith("application/problem+json")
    assert late.body["current"] == first.body
    # Whoever still has the old playlist sees the new words; nothing keeps them for ever.
    status, text, headers = await house.media(old_url)
    assert (status, "第一版" in text) == (200, True)
    assert headers["Cache-Control"] == "public, max-age=5"
    shown = (await house.get(lecture_id))["captions"][0]
    assert (shown["is_edited"], shown["version"]) == (True, 2)
    assert shown["url"] != old_url
    status, _, _ = await house.media(shown["url"].replace("/2-", "/3-"))
    assert status == 404


async def test_of_many_who_save_at_once_one_wins(house: House) -> None:
    lecture_id = await house.add_lecture()
    track = (await house.upload(lecture_id)).body
    texts = [f"第 {number} 个人" for number in range(6)]
    path = f"/lectures/{lecture_id}/captions/{track['id']}"

    async def save(text: str) -> Any:
        cues = [{"start_ms": 0, "end_ms": 900, "text": text}]
        body = {"version": 1, "cues": cues}
        return await house.vod.call("PUT", path, role=Role.EDITOR, json=body)

    await house.vod.token_of(Role.EDITOR)
    answers = await asyncio.gather(*map(save, texts))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    [winner] = [answer.body for answer in answers if answer.status == 200]
    assert winner["version"] == 2
    assert all(answer.body["current"] == winner for answer in answers if answer.status == 409)
    assert (await house.vod.call("GET", path)).body == winner


async def test_deleted_captions_are_gone_from_everything(sqlite_house: House) -> None:
    house = sqlite_house
    lecture_id = await house.add_lecture(captions=(make_captions(),))
    [ref] = (await house.get(lecture_id))["captions"]
    assert (ref["origin"], ref["language"], ref["label"]) == ("embedded", "zh", "中文")
    path = f"/lectures/{lecture_id}/captions/{ref['id']}"
    assert (await house.vod.call("DELETE", path, role=Role.EDITOR)).status == 204
    assert (await house.vod.call("DELETE", path, role=Role.EDITOR)).status == 404
    assert (await house.vod.call("GET", path)).status == 404
    assert (await house.media(ref["url"]))[0] == 404
    assert "SUBTITLES" not in (await house.media(f"/media/{lecture_id}/index.m3u8"))[1]
    # Making the renditions again brings the file's captions, but not once more.
    job_id = await house.desk.transcode_again(lecture_id)
    await house.desk.plan(job_id, captions=(make_captions(),))
    assert (await house.get(lecture_id))["captions"] == []


async def test_what_a_file_brings_is_taken_over_once_per_file(house: House) -> None:
    owner = await house.desk.add_account()
    chapters = (EmbeddedChapter(start_s=0, title="开头"), EmbeddedChapter(start_s=3, title=" "))
    lecture_id, _ = await house.desk.make_ready(
        owner, chapters=chapters, captions=(make_captions(), make_captions("Hello", "eng"))
    )
    shown = await house.get(lecture_id)
    assert [(ref["label"], ref["language"]) for ref in shown["captions"]] == [
        ("中文", "zh"), ("English", "en"),
    ]  # fmt: skip
    assert shown["chapters"] == [
        {"start_s": 0.0, "title": "开头"}, {"start_s": 3.0, "title": "第 2 节"},
    ]  # fmt: skip
    again = await house.desk.transcode_again(lecture_id)
    await house.desk.plan(again, chapters=chapters, captions=(make_captions(),))
    assert len((await house.get(lecture_id))["captions"]) == 2
    # A person corrects the first track; then the file is replaced by one with other captions.
    first = shown["captions"][0]["id"]
    saved = await house.vod.call(
        "PUT", f"/lectures/{lecture_id}/captions/{first}", role=Role.EDITOR,
        json={"version": 1, "cues": [{"start_ms": 0, "end_ms": 900, "text": "改过"}]},
    )  # fmt: skip
    assert saved.status == 200
    _, job_id = await house.desk.upload(owner, lecture_id=lecture_id)
    await house.desk.plan(job_id, captions=(make_captions("新文件"),))
    shown = await house.get(lecture_id)
    assert shown["chapters"] == []
    assert [(ref["id"] == first, ref["label"]) for ref in shown["captions"]] == [
        (True, "中文"), (False, "中文 2"),
    ]  # fmt: skip


async def test_what_was_deleted_does_not_come_back_with_the_file_before(
    sqlite_house: House,
) -> None:
    """A replacement is refused, the lecture goes back to its old file and is made again."""
    house = sqlite_house
    owner = await house.desk.add_account()
    captions = (make_captions(), make_captions("Hello", "eng"))
    lecture_id, _ = await house.desk.make_ready(owner, captions=captions)
    first, second = (await house.get(lecture_id))["captions"]
    path = f"/lectures/{lecture_id}/captions/{first['id']}"
    assert (await house.vod.call("DELETE", path, role=Role.EDITOR)).status == 204
    for _ in range(2):
        _, job_id = await house.desk.upload(owner, lecture_id=lecture_id)
        await house.desk.fail(job_id, "plan", "这不是音视频文件", cause="media")
    again = await house.desk.transcode_again(lecture_id)
    await house.desk.plan(again, captions=captions)
    assert (await house.get(lecture_id))["captions"] == [second]


async def test_chapters_a_person_has_saved_outlive_a_new_file(sqlite_house: House) -> None:
    house = sqlite_house
    owner = await house.desk.add_account()
    brought = (EmbeddedChapter(start_s=1, title="文件里的"),)
    lecture_id, _ = await house.desk.make_ready(owner, chapters=brought)
    wanted = {"version": 1, "chapters": [{"start_s": 2, "title": "我写的"}]}
    path = f"/lectures/{lecture_id}/chapters"
    assert (await house.vod.call("PUT", path, role=Role.EDITOR, json=wanted)).status == 200
    _, job_id = await house.desk.upload(owner, lecture_id=lecture_id)
    await house.desk.plan(job_id, chapters=brought)
    shown = (await house.vod.call("GET", path)).body
    assert (shown["chapters"], shown["version"]) == ([{"start_s": 2.0, "title": "我写的"}], 2)


@pytest.mark.parametrize(
    ("data", "query", "status"),
    [
        (b"", {}, 415),
        (b"\x00\x01\x02\x03" * 100, {}, 415),
        (b"not subtitles at all", {}, 415),
        (SRT.encode(), {"language": "not a language!"}, 422),
        (b"x" * (5 * 1024 * 1024 + 1), {}, 413),
    ],
)
async def test_what_is_no_subtitle_file_is_refused_in_words(
    sqlite_house: House, data: bytes, query: dict[str, str], status: int
) -> None:
    lecture_id = await sqlite_house.add_lecture()
    answer = await sqlite_house.upload(lecture_id, data, **query)
    assert answer.status == status, answer.body
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.body["title"])
    assert (await sqlite_house.get(lecture_id))["captions"] == []


async def test_five_thousand_cues_are_saved_at_once(sqlite_house: House) -> None:
    house = sqlite_house
    lecture_id = await house.add_lecture()
    track = (await house.upload(lecture_id)).body
    cues = [
        {"start_ms": n * 1000, "end_ms": n * 1000 + 900, "text": f"第 {n} 句,说得比较长一点的话"}
        for n in range(5000)
    ]
    path = f"/lectures/{lecture_id}/captions/{track['id']}"
    body = {"version": 1, "cues": cues}
    saved = await house.vod.call("PUT", path, role=Role.EDITOR, json=body)
    assert saved.status == 200, saved.body
    assert (await house.vod.call("GET", path)).body["cues"] == cues
    body["cues"] = [{"start_ms": 5, "end_ms": 5, "text": "x"}]
    refused = await house.vod.call("PUT", path, role=Role.EDITOR, json={**body, "version": 2})
    assert (refused.status, refused.body["title"]) == (422, "第 1 条字幕的时间不对:结束要晚于开始")


async def test_who_may_change_what(sqlite_house: House) -> None:
    house, call = sqlite_house, sqlite_house.vod.call
    lecture_id = await house.add_lecture()
    others, _ = await house.desk.make_ready(await house.desk.add_account())
    track = (await house.upload(lecture_id)).body["id"]
    base = f"/lectures/{lecture_id}"
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{base}/captions", {"data": SRT.encode()}),
        ("PUT", f"{base}/captions/{track}", {"json": {"version": 1, "cues": []}}),
        ("PUT", f"{base}/chapters", {"json": {"version": 1, "chapters": []}}),
        ("PUT", f"{base}/poster", {"json": {"name": "poster-4000.jpg"}}),
        ("DELETE", f"{base}/captions/{track}", {}),
    ]
    for method, path, body in changes:
        assert (await call(method, path, **body)).status == 401
        assert (await call(method, path, role=Role.MEMBER, **body)).status == 403
        foreign = path.replace(lecture_id, others)
        assert (await call(method, foreign, role=Role.INSTRUCTOR, **body)).status in {403, 404}
        done = await call(method, path, role=Role.INSTRUCTOR, **body)
        assert done.status in {200, 201, 204}, (path, done.body)
    assert (await house.get(lecture_id, Role.INSTRUCTOR))["may_edit"]
    assert not (await house.get(others, Role.INSTRUCTOR))["may_edit"]
    assert (await house.get(others, Role.INSTRUCTOR))["source"] is None


# ---- automatic captions ------------------------------------------------------------------------


async def test_without_a_model_a_sentence_says_so(sqlite_house: House) -> None:
    lecture_id = await sqlite_house.add_lecture()
    path = f"/lectures/{lecture_id}/transcription"
    refused = await sqlite_house.vod.call("POST", path, role=Role.EDITOR)
    assert (refused.status, "HALL_CAPTIONS_MODEL" in refused.body["title"]) == (409, True)
    assert (await sqlite_house.vod.call("POST", path, role=Role.INSTRUCTOR)).status == 403


async def test_what_a_machine_heard_becomes_a_track_once(
    database_url: str, short_dir: Path
) -> None:
    async with run_vod(database_url, short_dir, captions_model=short_dir) as running:
        house = build_house(running, database_url)
        lecture_id = await house.add_lecture()
        path = f"/lectures/{lecture_id}/transcription"
        for text in ("听到的话", "再听一遍"):
            started = await running.call("POST", path, role=Role.EDITOR)
            assert started.status == 202, started.body
            assert (await running.call("POST", path, role=Role.EDITOR)).status == 409
            unit = await house.desk.hall.find_unit(started.body["id"], "transcribe")
            assert unit.spec["key"].endswith("/audio.mp4")
            assert (unit.spec["duration_s"], unit.spec["language"]) == (6.0, "zh")
            heard = TranscriptReport(
                language="zh", cues=(EmbeddedCue(start_ms=0, end_ms=2000, text=text),)
            )
            result = heard.model_dump(mode="json")
            await house.desk.complete_raw(started.body["id"], "transcribe", result)
            shown = await house.get(lecture_id)
            assert (shown["state"], shown["jobs"][0]["state"]) == ("ready", "done")
            [ref] = shown["captions"]
            assert (ref["origin"], ref["label"]) == ("automatic", "中文(自动生成)")
            assert text in (await house.media(ref["url"]))[1]


async def test_what_a_machine_listens_to_goes_on_while_renditions_are_made_again(
    sqlite_url: str, short_dir: Path
) -> None:
    async with run_vod(sqlite_url, short_dir, captions_model=short_dir) as running:
        house = build_house(running, sqlite_url)
        lecture_id = await house.add_lecture()
        path = f"/lectures/{lecture_id}/transcription"
        started = await running.call("POST", path, role=Role.EDITOR)
        await house.desk.transcode_again(lecture_id)
        assert (await house.desk.hall.find_job(started.body["id"])).state is JobState.QUEUED
        heard = TranscriptReport(
            language="zh", cues=(EmbeddedCue(start_ms=0, end_ms=2000, text="听到的话"),)
        )
        result = heard.model_dump(mode="json")
        await house.desk.complete_raw(started.body["id"], "transcribe", result)
        assert len((await house.get(lecture_id))["captions"]) == 1
        # Another file says something else.
        started = await running.call("POST", path, role=Role.EDITOR)
        await house.desk.upload(await house.desk.add_account(), lecture_id=lecture_id)
        assert (await house.desk.hall.find_job(started.body["id"])).state is JobState.CANCELLED


# ---- cut lectures ------------------------------------------------------------------------------


async def test_captions_and_chapters_follow_the_cut_that_plays(house: House) -> None:
    lecture_id = await house.add_lecture()
    await house.upload(lecture_id)
    chapters = [{"start_s": 0, "title": "一"}, {"start_s": 3, "title": "二"}]
    body = {"version": 1, "chapters": chapters}
    path = f"/lectures/{lecture_id}"
    saved = await house.vod.call("PUT", f"{path}/chapters", role=Role.EDITOR, json=body)
    assert saved.status == 200, saved.body
    uncut = (await house.get(lecture_id))["captions"][0]["url"]
    kept = [{"start_s": 0, "end_s": 1}, {"start_s": 3, "end_s": 6}]
    edit = await house.vod.call(
        "PUT", f"{path}/edit", role=Role.EDITOR, json={"version": 0, "kept": kept}
    )
    assert edit.status in {200, 202}, edit.body
    shown = await house.get(lecture_id)
    assert (shown["duration_s"], shown["edit"]) == (6.0, {"state": "queued", "version": 1})
    await house.desk.plan(edit.body["job_id"])
    report = await house.desk.publish(
        edit.body["job_id"], duration_s=4.0, kept=((0, 90_000), (270_000, 540_000))
    )
    await house.put(report.prefix + "index.m3u8", INDEX.encode())
    shown = await house.get(lecture_id)
    assert (shown["state"], shown["duration_s"]) == ("ready", 4.0)
    assert shown["edit"] == {"state": "done", "version": 1}
    assert shown["chapters"] == [{"start_s": 0.0, "title": "一"}, {"start_s": 1.0, "title": "二"}]
    text = (await house.media(shown["captions"][0]["url"]))[1]
    assert "00:00:02.000 --> 00:00:03.500\n开始上课" in text
    assert "同志们好" not in text
    # Whoever is in the middle of the uncut lecture keeps its time.
    assert "00:00:04.000 --> 00:00:05.500" in (await house.media(uncut))[1]
    in_uncut_time = (await house.vod.call("GET", f"{path}/chapters")).body["chapters"]
    assert [chapter["start_s"] for chapter in in_uncut_time] == [0.0, 3.0]
    track = parse_multivariant_playlist(
        (await house.media(f"/media/{lecture_id}/index.m3u8"))[1]
    ).media[-1]
    playlist = parse_media_playlist((await house.media(f"/media/{lecture_id}/{track.uri}"))[1])
    assert playlist.segments[0].duration_ticks == 4 * 90_000
    assert (
        "00:00:01.000 --> 00:00:04.000\n二"
        in (await house.media(f"/media/{lecture_id}/chapters.vtt"))[1]
    )


async def test_a_recording_without_an_asset_has_captions_too(house: House) -> None:
    hall = house.desk.hall
    live_class = await hall.add_class()
    lecture_id = await hall.end(live_class)
    assert (await house.upload(lecture_id)).status == 201
    index = parse_multivariant_playlist((await house.media(f"/media/{lecture_id}/index.m3u8"))[1])
    [track] = [media for media in index.media if media.kind == "SUBTITLES"]
    _, text, headers = await house.media(f"/media/{lecture_id}/{track.uri}")
    assert parse_media_playlist(text).segments[0].duration_ticks == 3 * 180_000
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    [ref] = (await house.get(lecture_id))["captions"]
    assert (await house.media(ref["url"]))[0] == 200


# ---- chapters ----------------------------------------------------------------------------------


async def test_chapters_are_saved_by_version_and_served(house: House) -> None:
    lecture_id = await house.add_lecture()
    path = f"/lectures/{lecture_id}/chapters"
    empty = (await house.vod.call("GET", path)).body
    # The plan brought none, which is a version too.
    assert (empty["chapters"], empty["suggestions"]) == ([], [])
    assert (await house.media(f"/media/{lecture_id}/chapters.vtt"))[:2] == (200, "WEBVTT\n")
    wanted = [{"start_s": 3.5, "title": "  第二 节 "}, {"start_s": 0, "title": "第一节"}]
    body = {"version": empty["version"], "chapters": wanted}
    saved = await house.vod.call("PUT", path, role=Role.EDITOR, json=body)
    assert saved.status == 200, saved.body
    expected = [{"start_s": 0.0, "title": "第一节"}, {"start_s": 3.5, "title": "第二 节"}]
    assert saved.body["chapters"] == expected
    late = await house.vod.call("PUT", path, role=Role.EDITOR, json=body)
    assert (late.status, late.body["current"]["chapters"]) == (409, expected)
    assert (await house.get(lecture_id, None))["chapters"] == expected
    status, text, headers = await house.media(f"/media/{lecture_id}/chapters.vtt")
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=5")
    assert "00:00:00.000 --> 00:00:03.500\n第一节" in text
    assert "00:00:03.500 --> 00:00:06.000\n第二 节" in text
    twice = {"version": saved.body["version"], "chapters": [wanted[1], wanted[1]]}
    refused = await house.vod.call("PUT", path, role=Role.EDITOR, json=twice)
    assert (refused.status, "时间相同" in refused.body["title"]) == (422, True)


async def test_slide_changes_are_suggested_to_editors_only(sqlite_house: House) -> None:
    house = sqlite_house
    await house.vod.token_of(Role.INSTRUCTOR)
    owner = house.vod.account_ids[Role.INSTRUCTOR]
    lecture_id, job_id = await house.desk.upload(owner)
    await house.desk.plan(job_id)
    report = await house.desk.publish(job_id, duration_s=600.0)
    path = f"/lectures/{lecture_id}/chapters"
    # Without the file there are no suggestions, and no error either.
    assert (await house.vod.call("GET", path, role=Role.EDITOR)).body["suggestions"] == []
    slides = [
        {"start_s": 100.0, "confidence": 0.9}, {"start_s": 104.0, "confidence": 0.5},
        {"start_s": 300.0, "confidence": 0.8}, {"start_s": 400.0, "confidence": 0.1},
    ]  # fmt: skip
    await house.put(report.prefix + "slides.json", json.dumps({"slides": slides}).encode())
    shown = (await house.vod.call("GET", path, role=Role.INSTRUCTOR)).body["suggestions"]
    assert [item["start_s"] for item in shown] == [100.0, 300.0]
    assert (await house.vod.call("GET", path)).body["suggestions"] == []
    url = f"/media/{lecture_id}/{report.prefix}slides.json"
    assert (await house.media(url))[0] == 404


# ---- posters -----------------------------------------------------------------------------------


def make_picture(kind: str, size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    output = io.BytesIO()
    mode = options.pop("mode", "RGB")
    Image.new(mode, size, options.pop("color", (200, 30, 30))).save(output, kind, **options)
    return output.getvalue()


def put_picture(house: House, lecture_id: str, data: bytes, kind: str) -> Any:
    return house.vod.call(
        "PUT", f"/lectures/{lecture_id}/poster", role=Role.EDITOR, data=io.BytesIO(data),
        headers={"Content-Type": kind},
    )  # fmt: skip


async def test_a_chosen_candidate_stays_while_the_source_is_the_same(house: House) -> None:
    lecture_id = await house.add_lecture()
    shown = await house.get(lecture_id)
    assert [item["name"] for item in shown["posters"]] == ["poster-1000.jpg", "poster-4000.jpg"]
    assert shown["poster_url"].endswith("/poster-1000.jpg")
    path = f"/lectures/{lecture_id}/poster"
    choice = {"name": "poster-4000.jpg"}
    chosen = await house.vod.call("PUT", path, role=Role.EDITOR, json=choice)
    assert (chosen.status, chosen.body["poster_url"].endswith("/poster-4000.jpg")) == (200, True)
    for name in ("poster-1.jpg", "manifest.json", "own-x.jpg"):
        refused = await house.vod.call("PUT", path, role=Role.EDITOR, json={"name": name})
        assert refused.status == 404
    job_id = await house.desk.transcode_again(lecture_id)
    await house.desk.plan(job_id)
    await house.desk.publish(job_id)
    assert (await house.get(lecture_id))["poster_url"].endswith("/poster-4000.jpg")
    listed = (await house.vod.call("GET", "/lectures")).body["items"]
    assert listed[0]["poster_url"].endswith("/poster-4000.jpg")
    _, job_id = await house.desk.upload(await house.desk.add_account(), lecture_id=lecture_id)
    await house.desk.plan(job_id)
    await house.desk.publish(job_id)
    assert (await house.get(lecture_id))["poster_url"].endswith("/poster-1000.jpg")


async def test_an_own_picture_is_cleaned_and_shown(house: House) -> None:
    lecture_id = await house.add_lecture()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "SecretCamera", 6  # Maker; turned by 90 degrees.
    exif.get_ifd(0x8825)[2] = (40.0, 50.0, 12.0)  # Where it was taken.
    data = make_picture("JPEG", (3000, 1500), exif=exif)
    assert b"SecretCamera" in data
    answer = await put_picture(house, lecture_id, data, "image/jpeg")
    assert answer.status == 200, answer.body
    url = answer.body["poster_url"]
    async with house.vod.http.get(url) as response:
        served = await response.read()
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(served)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (960, 1920), {})
    assert b"SecretCamera" not in served
    second = await put_picture(
        house, lecture_id, make_picture("PNG", mode="RGBA", color=(0, 0, 0, 0)), "image/png"
    )
    assert second.body["poster_url"] != url
    with Image.open(io.BytesIO(await read(house, second.body["poster_url"]))) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
    assert len(second.body["posters"]) == 3  # Two candidates and the newest own picture.
    assert len(await read(house, url)) == len(served)  # A page that is open still shows it.


async def read(house: House, url: str) -> bytes:
    async with house.vod.http.get(url) as response:
        assert response.status == 200
        return await response.read()


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"\xff\xd8\xff\xe0 no picture", "image/jpeg", 422),
        (b"no picture", "image/jpeg", 415),
        (make_picture("JPEG")[:-400], "image/jpeg", 422),
        (make_picture("GIF", mode="P", color=0), "image/png", 415),
        (make_picture("PNG", (7000, 7000), mode="1", color=0), "image/png", 413),
        (make_picture("PNG", (20, 20)), "image/png", 422),
        (b"x" * (10 * 1024 * 1024 + 1), "image/jpeg", 413),
        (make_picture("PNG"), "image/webp", 415),
        (b"{}", "application/json", 422),
    ],
)
async def test_bad_pictures_are_refused_in_words(
    sqlite_house: House, data: bytes, kind: str, status: int
) -> None:
    lecture_id = await sqlite_house.add_lecture()
    answer = await put_picture(sqlite_house, lecture_id, data, kind)
    assert answer.status == status, answer.body
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.body["title"])


async def test_old_pictures_go_after_the_grace_period(sqlite_house: House) -> None:
    house, services = sqlite_house, sqlite_house.vod.services
    lecture_id = await house.add_lecture()
    for color in ("red", "blue"):
        data = make_picture("PNG", color=color)
        assert (await put_picture(house, lecture_id, data, "image/png")).status == 200

    async def list_names() -> list[str]:
        return [info.key async for info in services.blobs.list_keys("posters/")]

    sweep = PosterSweep(
        services.database, services.blobs, services.streamer, house.vod.clock,
        keep=timedelta(days=7),
    )  # fmt: skip
    assert await sweep.sweep_once() == 0
    assert len(await list_names()) == 2
    house.vod.clock.advance(8 * 86_400)
    assert await sweep.sweep_once() == 1
    shown = (await house.get(lecture_id))["poster_url"]
    assert [name.rpartition("/")[2] for name in await list_names()] == [shown.rpartition("/")[2]]
    assert (
        await house.vod.call("DELETE", f"/lectures/{lecture_id}", role=Role.ADMIN)
    ).status == 204
    assert await sweep.sweep_once() == 0
    house.vod.clock.advance(8 * 86_400)
    assert await sweep.sweep_once() == 1
    assert await list_names() == []
    async with services.database.read() as session:
        assert (await session.scalars(select(OwnPoster))).all() == []


# ---- the lecture's answer ----------------------------------------------------------------------


async def test_the_answer_follows_a_lecture_from_upload_to_ready(house: House) -> None:
    owner = await house.desk.add_account()
    lecture_id, job_id = await house.desk.upload(owner)
    shown = await house.get(lecture_id)
    assert (shown["state"], shown["playback"], shown["is_partial"]) == ("processing", None, False)
    assert shown["source"] == {
        "kind": "upload", "filename": FILENAME, "size_bytes": 1000, "notes": [],
    }  # fmt: skip
    await house.desk.plan(job_id)
    shown = await house.get(lecture_id)
    assert (shown["duration_s"], shown["source"]["notes"]) == (6.0, list(NOTES))
    assert [(r["name"], r["state"], r["reason"]) for r in shown["renditions"]] == [
        ("360p", "queued", "as recorded"), ("audio", "queued", "always"),
    ]  # fmt: skip
    report = await house.desk.publish(job_id)
    shown = await house.get(lecture_id)
    base = f"{house.vod.base}/media/{lecture_id}/"
    assert shown["state"] == "ready"
    assert shown["storyboard_url"] == f"{base}{report.prefix}storyboard.vtt"
    assert shown["waveform_url"] == f"{base}{report.prefix}waveform.json"
    assert shown["audio_download_url"] == f"{base}audio.m4a"
    assert shown["edit"] is None
    await house.put(report.prefix + "waveform.json", b'{"version":1}')
    await house.put(report.prefix + "audio.m4a", b"sound")
    assert (await house.media(shown["waveform_url"]))[:2] == (200, '{"version":1}')
    _, text, headers = await house.media(shown["audio_download_url"])
    assert text == "sound"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"lecture.m4a\"; filename*=UTF-8''%E7%AC%AC%E4%B8%89%E8%AE%B2.m4a"
    )


async def test_what_is_ready_first_plays_first(house: House) -> None:
    owner = await house.desk.add_account()
    lecture_id, job_id = await house.desk.upload(owner)
    await house.desk.plan(job_id, has_first=True)
    first = await house.desk.publish_first(job_id)
    await house.put(first.prefix + "360p.m3u8", b"early")
    shown = await house.get(lecture_id)
    assert (shown["state"], shown["is_partial"], shown["duration_s"]) == ("playable", True, 6.0)
    assert shown["playback"] is not None
    states = {r["name"]: r["state"] for r in shown["renditions"]}
    assert states == {"360p": "done", "audio": "queued"}
    assert (shown["poster_url"], shown["waveform_url"]) == (None, None)
    await house.desk.publish(job_id)
    shown = await house.get(lecture_id)
    assert (shown["state"], shown["is_partial"]) == ("ready", False)
    assert {r["state"] for r in shown["renditions"]} == {"done"}
    # Players that are open go on in the folder that they know.
    url = f"/media/{lecture_id}/{first.prefix}360p.m3u8"
    assert (await house.media(url))[:2] == (200, "early")


async def test_failures_are_told_and_take_nothing_away(house: House) -> None:
    owner, reason = await house.desk.add_account(), "这个文件里没有声音,也没有画面"
    refused, job_id = await house.desk.upload(owner)
    await house.desk.fail(job_id, "plan", reason)
    shown = await house.get(refused)
    assert (shown["state"], shown["jobs"][0]["reason"]) == ("failed", reason)
    begun, job_id = await house.desk.upload(owner)
    await house.desk.plan(job_id, has_first=True)
    await house.desk.publish_first(job_id)
    await house.desk.fail(job_id, "audio", "声音坏了")
    shown = await house.get(begun)
    assert (shown["state"], shown["jobs"][0]["state"]) == ("playable", "failed")
    ready = await house.add_lecture()
    before = await house.get(ready)
    job_id = await house.desk.transcode_again(ready)
    await house.desk.plan(job_id)
    await house.desk.fail(job_id, "video-0", "磁盘满了")
    shown = await house.get(ready)
    assert (shown["state"], shown["jobs"][0]["reason"]) == ("ready", "磁盘满了")
    assert shown["renditions"] == before["renditions"]
    assert shown["poster_url"] == before["poster_url"]


async def test_lists_take_the_same_number_of_queries_however_long(house: House) -> None:
    counts = []
    for wanted in (1, 4):
        while len((await house.vod.call("GET", "/lectures")).body["items"]) < wanted:
            lecture_id = await house.add_lecture(captions=(make_captions(),))
            await house.upload(lecture_id)
        with StatementCount(house.vod.services) as seen:
            answer = await house.vod.call("GET", "/lectures", role=Role.EDITOR)
        assert len(answer.body["items"]) == wanted
        assert all(len(item["captions"]) == 2 for item in answer.body["items"])
        counts.append(seen.count)
    assert counts[0] == counts[1]


async def test_a_lecture_that_comes_back_has_all_its_material(sqlite_house: House) -> None:
    house = sqlite_house
    lecture_id = await house.add_lecture(captions=(make_captions(),))
    before = await house.get(lecture_id)
    url = before["captions"][0]["url"]
    assert (
        await house.vod.call("DELETE", f"/lectures/{lecture_id}", role=Role.EDITOR)
    ).status == 204
    assert (await house.vod.call("GET", "/lectures", role=Role.EDITOR)).body["items"] == []
    for path in (url, f"/media/{lecture_id}/chapters.vtt", f"/media/{lecture_id}/index.m3u8"):
        assert (await house.media(path))[0] == 404
    back = await house.vod.call("POST", f"/lectures/{lecture_id}/restore", role=Role.EDITOR)
    assert back.status == 200, back.body
    assert (await house.media(url))[0] == 200
    after = await house.get(lecture_id)
    assert {**after, "jobs": []} == {**before, "jobs": []}


async def test_an_import_survives_any_bytes_in_language_and_label(sqlite_house: House) -> None:
    house = sqlite_house
    odd = EmbeddedCaptions(
        language="x-----", label='a"b', cues=(EmbeddedCue(start_ms=0, end_ms=1, text=" "),)
    )
    lecture_id = await house.add_lecture(captions=(odd, make_captions(language="x-1")))
    assert [ref["language"] for ref in (await house.get(lecture_id))["captions"]] == ["und"]
    async with house.vod.services.database.read() as session:
        assert len((await session.scalars(select(CaptionTrack))).all()) == 1
