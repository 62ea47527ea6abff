"""Lectures, series, the first page, and the edges of the API."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.ids import new_id
from tests.support.vod import (
    Vod,
    database_url,
    databases,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.roles import Role, Visibility
from vod.lectures.models import Lecture, LectureState

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.


async def add_lecture(vod: Vod, **values: Any) -> str:
    row = Lecture(
        id=new_id(),
        created_at=vod.clock.now(),
        recorded_at=vod.clock.now(),
        **{
            "title": "回看",
            "visibility": Visibility.PUBLIC,
            "state": LectureState.PLAYABLE,
            "recording_version": 1,
            "duration_ticks": 5_400_000,
            **values,
        },
    )
    vod.clock.advance(1)
    async with vod.services.database.write() as session:
        session.add(row)
    return row.id


async def test_a_members_lecture_does_not_exist_for_the_anonymous(vod: Vod) -> None:
    hidden = await add_lecture(vod, visibility=Visibility.MEMBERS)
    shown = await add_lecture(vod)
    listed = await vod.call("GET", "/lectures")
    assert [item["id"] for item in listed.body["items"]] == [shown]
    assert (await vod.call("GET", f"/lectures/{hidden}")).status == 404
    assert (await vod.call("GET", f"/lectures/{hidden}", role=Role.MEMBER)).status == 200
    assert [item["id"] for item in (await vod.call("GET", "/home")).body["recent"]] == [shown]
    home = await vod.call("GET", "/home", role=Role.MEMBER)
    assert [item["id"] for item in home.body["recent"]] == [shown, hidden]


async def test_a_lecture_says_where_to_play_it_once_it_can_be_played(vod: Vod) -> None:
    playable = await add_lecture(vod)
    waiting = await add_lecture(vod, state=LectureState.PROCESSING, recording_version=None)
    shown = (await vod.call("GET", f"/lectures/{playable}")).body
    base = f"{vod.base}/media/{playable}"
    assert shown["playback"] == {"hls_url": f"{base}/index.m3u8", "audio_url": f"{base}/audio.m3u8"}
    assert (shown["duration_s"], shown["renditions"], shown["poster_url"]) == (60.0, [], None)
    assert (await vod.call("GET", f"/lectures/{waiting}")).body["playback"] is None
    recent = (await vod.call("GET", "/home")).body["recent"]
    assert [item["id"] for item in recent] == [playable]


async def test_editors_change_and_delete_lectures_and_it_is_logged(vod: Vod) -> None:
    await vod.token_of(Role.ADMIN)
    lecture_id = await add_lecture(vod)
    path = f"/lectures/{lecture_id}"
    series = await vod.call("POST", "/series", role=Role.EDITOR, json={"title": "党史"})
    change = {"title": "新", "series_ids": [series.body["id"]], "visibility": "members"}
    for role in (Role.MEMBER, Role.INSTRUCTOR, Role.UNIT_ADMIN):
        assert (await vod.call("PATCH", path, role=role, json=change)).status == 403
        assert (await vod.call("DELETE", path, role=role)).status == 403
    assert (await vod.call("PATCH", path, json=change)).status == 401
    changed = await vod.call("PATCH", path, role=Role.EDITOR, json=change)
    place = {"id": series.body["id"], "title": "党史", "position": 0, "is_required": True}
    assert changed.body["series"] == [place]
    assert changed.body["visibility"] == "members"
    cleared = await vod.call("PATCH", path, role=Role.EDITOR, json={"series_ids": []})
    assert cleared.body["series"] == []
    missing = await vod.call("PATCH", path, role=Role.EDITOR, json={"series_ids": ["0" * 20]})
    assert (missing.status, missing.body["field"]) == (422, "series_ids")
    assert (await vod.call("DELETE", path, role=Role.EDITOR)).status == 204
    assert (await vod.call("GET", path, role=Role.EDITOR)).status == 404
    audit = (await vod.call("GET", "/audit?page_size=1", role=Role.ADMIN)).body["items"]
    assert [(row["action"], row["object_id"]) for row in audit] == [("lecture.deleted", lecture_id)]


async def test_a_series_lists_by_position_and_counts_what_one_may_see(vod: Vod) -> None:
    series = await vod.call(
        "POST", "/series", role=Role.ADMIN, json={"title": "党史", "description": "十讲"}
    )
    assert series.status == 201
    series_id = series.body["id"]
    second = await add_lecture(vod)
    first = await add_lecture(vod)
    last = await add_lecture(vod, visibility=Visibility.MEMBERS)
    order = {"version": 1, "lectures": [{"lecture_id": key} for key in (first, second, last)]}
    place = f"/series/{series_id}/lectures"
    assert (await vod.call("PUT", place, role=Role.EDITOR, json=order)).status == 200
    listed = await vod.call("GET", f"/lectures?series_id={series_id}", role=Role.MEMBER)
    assert [item["id"] for item in listed.body["items"]] == [first, second, last]
    path = f"/series/{series_id}"
    assert (await vod.call("GET", path)).body["lectures_count"] == 2
    assert (await vod.call("GET", path, role=Role.MEMBER)).body["lectures_count"] == 3
    refused = await vod.call("PATCH", path, role=Role.INSTRUCTOR, json={"title": "x"})
    assert refused.status == 403
    changed = await vod.call("PATCH", path, role=Role.EDITOR, json={"title": "新党史"})
    assert (changed.body["title"], changed.body["description"]) == ("新党史", "十讲")
    found = await vod.call("GET", "/series", params={"q": "新"})
    assert [item["id"] for item in found.body["items"]] == [series_id]
    assert (await vod.call("GET", "/series/" + "0" * 20)).status == 404


async def test_the_timetable_leads_with_what_comes_next(vod: Vod) -> None:
    later = await vod.add_class(starts_at="2026-07-03T01:00:00Z")
    sooner = await vod.add_class(starts_at="2026-07-02T01:00:00Z")
    sometime = await vod.add_class()
    await vod.add_class(starts_at="2026-06-01T01:00:00Z", title="早过去了")
    home = await vod.call("GET", "/home")
    assert [item["id"] for item in home.body["upcoming"]] == [
        sooner["id"], later["id"], sometime["id"],
    ]  # fmt: skip


async def test_the_configuration_is_for_everybody(sqlite_vod: Vod) -> None:
    shown = await sqlite_vod.call("GET", "/config", headers={"X-Forwarded-Proto": "https"})
    assert shown.body["is_https"]
    assert shown.body["origin"] == sqlite_vod.base.replace("http:", "https:")
    assert shown.body["whep_enabled"]
    assert shown.body["ice_servers"] == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 422),
        (b"\xff", {"Content-Type": "application/json"}, 400),
        (b"[" * 50_000, {"Content-Type": "application/json"}, 400),
        (b'{"title": "\\ud800"}', {"Content-Type": "application/json"}, 400),
        (b'{"title": "a\\u0000b"}', {"Content-Type": "application/json"}, 422),
        (b'{"title": "' + b"a" * 201 + b'"}', {"Content-Type": "application/json"}, 422),
        (b"title=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b" " * 300_000, {"Content-Type": "application/json"}, 413),
    ],
)
async def test_bad_bodies_are_problems(
    sqlite_vod: Vod, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await sqlite_vod.call("POST", "/series", role=Role.ADMIN, data=body, headers=headers)
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert set(answer.body) >= {"type", "title", "status", "detail"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PUT", "/home", 405),
        ("GET", "/lectures/..%2f..%2fetc", 404),
        ("GET", "/lectures/%00", 404),
        ("GET", "/live-classes/ABCDEFGHIJKLMNOPQRST", 404),
        ("GET", "/lectures?page=99999999999999999999", 422),
    ],
)
async def test_wrong_paths_and_methods_are_problems(
    sqlite_vod: Vod, method: str, path: str, status: int
) -> None:
    answer = await sqlite_vod.call(method, path)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_the_description_is_served_and_current(sqlite_vod: Vod) -> None:
    answer = await sqlite_vod.call("GET", "/openapi.json")
    assert answer.body["openapi"] == "3.1.0"
    assert "/api/v1/live-classes" in answer.body["paths"]
