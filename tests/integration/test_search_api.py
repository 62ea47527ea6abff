"""Search through the API: hits, moments, rights at once, suggestions, hostile queries."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update

from kernel.ids import new_id
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role, Visibility
from vod.captions.models import CaptionOrigin, CaptionTrack
from vod.lectures.models import Lecture, LectureState
from vod.search.indexer import Indexer
from vod.search.opening import open_search_index

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

SAID = ("各位党员同志", "我们来讲草原上的", "党旗，<b>红色</b>记忆", "谢谢")
HOSTILE = (
    "",
    " ",
    "!!!???",
    '"',
    "'; DROP TABLE search_documents; --",
    '" OR "a"*',
    "NEAR(草原 党旗, 5)",
    "{names} : 草原 AND NOT ^党",
    "草原:* & !党 | <->",
    "\x00草\x00原",
    "🎉🎉",
    "\\' \\\\ %_",
    "草" * 200,
    "a" * 200,
    "a b c d e f g h i j k l m n o p",
    "\u202e\u200f草原\u0301",
    "党 学 习 教 育",
)


async def add_lecture(vod: Vod, title: str, *, said: tuple[str, ...] = (), **values: Any) -> str:
    row = Lecture(
        id=new_id(),
        title=title,
        created_at=vod.clock.now(),
        recorded_at=vod.clock.now(),
        **{
            "visibility": Visibility.PUBLIC,
            "state": LectureState.PLAYABLE,
            "recording_version": 1,
            "duration_ticks": 5_400_000,
            **values,
        },
    )
    vod.clock.advance(1)
    cues = [[at * 4000, at * 4000 + 4000, line] for at, line in enumerate(said)]
    async with vod.services.database.write() as session:
        session.add(row)
        await session.flush()
        if cues:
            session.add(
                CaptionTrack(
                    lecture_id=row.id, language="zh-CN", label="中文", cues=cues,
                    origin=CaptionOrigin.UPLOADED, cues_count=len(cues),
                    created_at=vod.clock.now(), changed_at=vod.clock.now(),
                )
            )  # fmt: skip
    return str(row.id)


async def index(vod: Vod) -> None:
    database = vod.services.database
    await Indexer(database, open_search_index(database), vod.clock).catch_up()


async def find(vod: Vod, words: str, *, role: Role | None = None, **more: Any) -> dict[str, Any]:
    answer = await vod.call("GET", "/search", role=role, params={"q": words, **more})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body
    return found


def cut(marked: dict[str, Any]) -> list[str]:
    return [marked["text"][one["start"] : one["end"]] for one in marked["ranges"]]


async def test_a_word_that_was_said_leads_to_its_moment(vod: Vod) -> None:
    lecture_id = await add_lecture(vod, "支部书记访谈", said=SAID)
    series = await vod.call("POST", "/series", role=Role.EDITOR, json={"title": "草原课堂"})
    made = await vod.add_class(title="草原直播课", description="介绍草原上的党旗")
    await index(vod)
    found = await find(vod, "草原上的黨旗")
    lecture, live_class = found["items"][1], found["items"][0]
    assert (lecture["kind"], lecture["id"], lecture["matched"]) == ("lecture", lecture_id, "speech")
    moment = lecture["moments"][0]
    assert (moment["start_s"], moment["language"]) == (4.0, "zh-CN")
    assert moment["snippet"]["text"] == "我们来讲草原上的党旗，<b>红色</b>记忆"  # Text, not markup.
    assert cut(moment["snippet"]) == ["草原上的党旗"]
    assert (lecture["duration_s"], lecture["summary"], lecture["poster_url"]) == (60.0, None, None)
    assert (live_class["id"], live_class["state"]) == (made["id"], "scheduled")
    assert cut(live_class["summary"]) == ["草原上的党旗"]
    assert live_class["people"] == ["Instructor"]
    assert found["counts"] == {"lecture": 1, "series": 0, "live_class": 1, "instructor": 0}
    only = await find(vod, "草原", kind="series")
    assert [item["id"] for item in only["items"]] == [series.body["id"]]
    assert (only["items"][0]["lectures_count"], only["total"]) == (0, 1)
    assert only["counts"]["lecture"] == 1


async def test_what_is_withdrawn_is_gone_before_the_index_hears_of_it(vod: Vod) -> None:
    shown = await add_lecture(vod, "草原夜校")
    spoken = await add_lecture(vod, "访谈", said=("草原夜校开课",))
    hidden = await add_lecture(vod, "草原夜校 内部", visibility=Visibility.MEMBERS)
    await index(vod)
    assert [item["id"] for item in (await find(vod, "草原夜校"))["items"]] == [shown, spoken]
    member = await find(vod, "草原夜校", role=Role.MEMBER)
    assert {item["id"] for item in member["items"]} == {shown, spoken, hidden}
    deleted = await vod.call("DELETE", f"/lectures/{shown}", role=Role.EDITOR)
    assert deleted.status == 204
    async with vod.services.database.write() as session:
        await session.execute(update(CaptionTrack).values(deleted_at=vod.clock.now(), cues=[]))
    assert (await find(vod, "草原夜校"))["items"] == []
    assert (await vod.call("GET", "/search/suggest", params={"q": "夜校"})).body == {"items": []}
    await index(vod)
    assert (await find(vod, "草原夜校"))["total"] == 0


async def test_who_mistypes_hears_what_may_be_meant(vod: Vod) -> None:
    wanted = await add_lecture(vod, "草原上的党旗 第1讲")
    await add_lecture(vod, "主题教育读书班")
    await add_lecture(vod, "草原上的党旗 内部", visibility=Visibility.MEMBERS)
    await index(vod)
    for typed in (
        "草原上的党期",
        "caoyaunshang",
        "草原上得党旗",
        "cyuansh",
        "coayuanshangde",
        "草原党旗",
    ):
        answer = await vod.call("GET", "/search/suggest", params={"q": typed})
        assert [one["id"] for one in answer.body["items"]] == [wanted], typed
    nothing = await find(vod, "草原上的党期")
    assert (nothing["items"], nothing["is_loose"]) == ([], False)
    assert nothing["suggestions"][0]["title"]["text"] == "草原上的党旗 第1讲"
    loose = await find(vod, "草原党旗")
    assert ([item["id"] for item in loose["items"]], loose["is_loose"]) == ([wanted], True)
    assert cut(loose["items"][0]["title"]) == ["草原", "党旗"]


@pytest.mark.parametrize("path", ["/search", "/search/suggest"])
async def test_no_query_is_too_strange(vod: Vod, path: str) -> None:
    await add_lecture(vod, "草原上的党旗 100%_", said=SAID)
    await index(vod)
    for words in HOSTILE:
        answer = await vod.call("GET", path, params={"q": words})
        assert answer.status == 200, (words, answer.body)
    for raw in ("%ED%A0%80%ff%fe", quote("草" * 201), "%00", "%F0%9F%8E%89%zz"):
        answer = await vod.call("GET", f"{path}?q={raw}")
        assert answer.status in {200, 422}, raw
    assert (await vod.call("GET", f"{path}?q={'a' * 10_000}")).status in {400, 414, 422}
    if path == "/search":
        assert (await vod.call("GET", path, params={"q": "a", "kind": "x"})).status == 422
        assert (await vod.call("GET", path, params={"q": "草", "page": "100000"})).status == 200
