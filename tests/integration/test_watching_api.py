"""Watching: positions on the server, unions of ranges, required lectures, the first page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.support.vod import (
    PASSWORD,
    StatementCount,
    Vod,
    database_url,
    databases,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.roles import Role, Visibility
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import LectureKind, Publication
from vod.watching.models import Favourite, WatchRecord

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

MEMBER, EDITOR = Role.MEMBER, Role.EDITOR
LENGTH_S = 100


async def make(vod: Vod, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await vod.call("POST", path, role=EDITOR, json=body)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body
    return found


async def add_lecture(vod: Vod, title: str = "第一讲", *, is_media: bool = True) -> str:
    """A published lecture; a hundred seconds of a recording if it is of that kind."""
    lecture_id = str((await make(vod, "/lectures", {"title": title, "kind": "document"}))["id"])
    values: dict[str, Any] = {
        "publication": Publication.PUBLISHED, "visibility": Visibility.MEMBERS,
    }  # fmt: skip
    if is_media:
        values |= {
            "kind": LectureKind.MEDIA,
            "state": LectureState.READY,
            "duration_ticks": LENGTH_S * 90_000,
            "recording_version": 1,
            "recorded_at": vod.clock.now(),
        }
    await change_row(vod, lecture_id, **values)
    return lecture_id


async def change_row(vod: Vod, lecture_id: str, **values: Any) -> None:
    async with vod.services.database.write() as session:
        await session.execute(update(Lecture).where(Lecture.id == lecture_id).values(**values))


async def report(vod: Vod, lecture_id: str, *ranges: list[int], **options: Any) -> dict[str, Any]:
    role = options.pop("role", MEMBER)
    body = {"ranges": ranges, **options}
    answer = await vod.call("PUT", f"/watching/{lecture_id}", role=role, json=body)
    assert answer.status == 200, answer.body
    state: dict[str, Any] = answer.body
    return state


async def test_seconds_are_a_union_and_another_device_goes_on(vod: Vod) -> None:
    lecture_id = await add_lecture(vod)
    url = f"/watching/{lecture_id}"
    before = (await vod.call("GET", url, role=MEMBER)).body
    assert (before["position_s"], before["updated_at"], before["duration_s"]) == (0, None, LENGTH_S)
    # Two tabs over the same minute, at once; a third entry link later.
    await asyncio.gather(*(report(vod, lecture_id, [0, 40], position=40.7) for _ in range(6)))
    vod.clock.advance(1)
    state = await report(vod, lecture_id, [30, 50], [20, 25], position=50)
    assert (state["watched_s"], state["ranges"], state["position_s"]) == (50, [[0, 50]], 50)
    again = (await vod.sign_in("member")).body["token"]
    elsewhere = (await vod.call("GET", url, token=again)).body
    assert elsewhere == state
    # What lies beyond the end does not count; nine tenths finish it, and that stays.
    state = await report(vod, lecture_id, [90, 5_000], position=5_000)
    assert (state["watched_s"], state["furthest_s"], state["position_s"]) == (60, 100, 100)
    assert state["finished_at"] is None
    state = await report(vod, lecture_id, [50, 80])
    assert (state["watched_s"], state["position_s"]) == (90, 100)
    finished_at = state["finished_at"]
    assert finished_at is not None
    vod.clock.advance(60)
    await change_row(vod, lecture_id, duration_ticks=4 * LENGTH_S * 90_000)  # A longer file.
    state = await report(vod, lecture_id, [200, 210], position=210)
    assert (state["watched_s"], state["finished_at"]) == (100, finished_at)
    positions = await vod.call("GET", f"/watching/positions?ids={lecture_id}", role=MEMBER)
    assert positions.body["items"] == [
        {"lecture_id": lecture_id, "position_s": 210, "watched_s": 100, "is_finished": True}
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"position": -1}, {"position": 1e300}, {"ranges": [[1]]}, {"ranges": [[1, 2, 3]]},
        {"ranges": [[0, 1]] * 101}, {"ranges": [[-1, 5]]}, {"ranges": "x"}, {"at": "now"},
        {"ranges": [[0, 10**9]]},
    ],
)  # fmt: skip
async def test_nonsense_is_refused(sqlite_vod: Vod, body: dict[str, Any]) -> None:
    lecture_id = await add_lecture(sqlite_vod)
    answer = await sqlite_vod.call("PUT", f"/watching/{lecture_id}", role=MEMBER, json=body)
    assert 400 <= answer.status < 500
    assert (await sqlite_vod.call("GET", "/watching", role=MEMBER)).body["total"] == 0


async def test_only_what_one_may_see_and_only_ones_own(vod: Vod) -> None:
    shown, hidden = await add_lecture(vod), await add_lecture(vod, "草稿")
    await change_row(vod, hidden, publication=Publication.DRAFT)
    for method, path in (("PUT", "watching"), ("GET", "watching"), ("PUT", "favourites")):
        sent = {"json": {}} if path == "watching" and method == "PUT" else {}
        answer = await vod.call(method, f"/{path}/{hidden}", role=MEMBER, **sent)
        assert answer.status == 404
    await report(vod, shown, [0, 10], position=10)
    await report(vod, shown, [0, 100], position=100, role=EDITOR)
    assert (await vod.call("PUT", f"/favourites/{shown}", role=MEMBER)).status == 204
    assert (await vod.call("PUT", f"/favourites/{shown}", role=MEMBER)).status == 204
    mine = (await vod.call("GET", "/watching?state=unfinished", role=MEMBER)).body
    assert [one["lecture"]["id"] for one in mine["items"]] == [shown]
    assert (await vod.call("GET", "/watching?state=finished", role=MEMBER)).body["total"] == 0
    theirs = (await vod.call("GET", "/watching?state=finished", role=EDITOR)).body
    assert theirs["total"] == 1
    assert (await vod.call("GET", "/favourites", role=EDITOR)).body["total"] == 0
    kept = (await vod.call("GET", "/favourites", role=MEMBER)).body["items"]
    assert [(one["lecture"]["id"], one["position_s"]) for one in kept] == [(shown, 10)]
    # Withdrawn or deleted, it is not listed; published again, the record is there.
    await change_row(vod, shown, publication=Publication.WITHDRAWN)
    assert (await vod.call("GET", "/watching", role=MEMBER)).body["total"] == 0
    assert (await vod.call("GET", "/favourites", role=MEMBER)).body["total"] == 0
    await change_row(vod, shown, publication=Publication.PUBLISHED)
    assert (await vod.call("GET", f"/watching/{shown}", role=MEMBER)).body["is_favourite"]
    for path in (f"/watching/{shown}", "/watching", f"/favourites/{shown}"):
        assert (await vod.call("DELETE", path, role=MEMBER)).status == 204
    async with vod.services.database.read() as session:
        counts = [
            await session.scalar(select(func.count()).select_from(table))
            for table in (WatchRecord, Favourite)
        ]
    assert counts == [1, 0]  # The editor's own record stays.


async def test_required_lectures_and_how_far_a_series_is(vod: Vod) -> None:
    first, second, third = [await add_lecture(vod, f"第{n}讲") for n in "一二三"]
    paper = await add_lecture(vod, "资料", is_media=False)
    draft = await add_lecture(vod, "草稿")
    await change_row(vod, draft, publication=Publication.DRAFT)
    series_id = (await make(vod, "/series", {"title": "党史学习教育"}))["id"]
    other_id = (await make(vod, "/series", {"title": "又一专题"}))["id"]
    hidden_id = (await make(vod, "/series", {"title": "未发布", "is_published": False}))["id"]
    for target, rows in (
        (series_id, ((first, True), (second, True), (third, False), (paper, True), (draft, True))),
        (other_id, ((second, True),)),
        (hidden_id, ((third, True),)),
    ):
        wanted = [{"lecture_id": one, "is_required": must} for one, must in rows]
        body = {"version": 1, "lectures": wanted}
        answer = await vod.call("PUT", f"/series/{target}/lectures", role=EDITOR, json=body)
        assert answer.status == 200, answer.body

    async def load() -> tuple[list[str], int, int, int]:
        body = (await vod.call("GET", "/watching/required", role=MEMBER)).body
        ids = [one["lecture"]["id"] for one in body["items"]]
        return ids, body["total"], body["finished_count"], body["required_count"]

    # In two series once; elective ones, drafts and unpublished series ask for nothing.
    ids, *counts = await load()
    assert (set(ids), counts) == ({first, second, paper}, [3, 0, 3])
    await report(vod, paper)  # A paper is read once it was opened.
    await report(vod, first, [0, 95], position=95)
    vod.clock.advance(1)
    await report(vod, second, [0, 30], position=30)
    assert await load() == ([second], 1, 2, 3)
    url = f"/watching/series/{series_id}"
    progress = (await vod.call("GET", url, role=MEMBER)).body
    assert [one["is_finished"] for one in progress["episodes"]] == [True, False, False, True]
    assert (progress["finished_count"], progress["lectures_count"]) == (2, 4)
    assert (progress["required_finished_count"], progress["required_count"]) == (2, 3)
    assert (progress["next"]["lecture_id"], progress["next"]["position_s"]) == (second, 30)
    hidden = await vod.call("GET", f"/watching/series/{hidden_id}", role=MEMBER)
    assert hidden.status == 404


async def test_the_first_page_asks_the_same_number_of_questions(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    anonymous = (await vod.call("GET", "/home")).body
    assert (anonymous["going_on"], anonymous["required"], anonymous["recommended"]) == (
        [],
        None,
        [],
    )
    series_id = (await make(vod, "/series", {"title": "党史"}))["id"]
    counts: dict[str, set[int]] = {}
    lectures: list[str] = []
    for more in (2, 4):
        for _ in range(more):
            lectures.append(await add_lecture(vod, f"第{len(lectures)}讲"))
            item = {
                "id": f"k{len(lectures):03}", "kind": "lecture", "title": "", "note": "",
                "url": None, "target_id": lectures[-1], "is_required": False, "audience": {},
                "shows_from": None, "shows_until": None,
            }  # fmt: skip
            await make(vod, "/recommendations/entries", {"place": "home", "item": item})
            await vod.call("PUT", f"/favourites/{lectures[-1]}", role=MEMBER)
        version = (await vod.call("GET", f"/series/{series_id}", role=EDITOR)).body["version"]
        rows = [{"lecture_id": one} for one in lectures]
        body = {"version": version, "lectures": rows}
        done = await vod.call("PUT", f"/series/{series_id}/lectures", role=EDITOR, json=body)
        assert done.status == 200, done.body
        for one in lectures[:-1]:
            vod.clock.advance(1)
            await report(vod, one, [0, 20], position=20)
        for path in (
            "/home", "/watching", "/watching/required", "/favourites",
            f"/watching/series/{series_id}", "/watching/positions?ids=" + ",".join(lectures),
        ):  # fmt: skip
            with StatementCount(vod.services) as asked:
                assert (await vod.call("GET", path, role=MEMBER)).status == 200
            counts.setdefault(path.partition("?")[0], set()).add(asked.count)
    assert all(len(numbers) == 1 for numbers in counts.values()), counts
    home = (await vod.call("GET", "/home", role=MEMBER)).body
    assert [one["lecture"]["id"] for one in home["going_on"]] == lectures[-2:-6:-1]
    assert (len(home["required"]["items"]), home["required"]["total"]) == (4, 6)
    assert len(home["recommended"]) == 6
    assert PASSWORD not in str(home)
