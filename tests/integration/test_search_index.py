"""The index: the same answers in the same order on both databases, current, one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from kernel.clock import FakeClock
from kernel.ids import new_id
from tests.support.vod import database_url, databases
from vod.accounts.roles import Role, Viewer, Visibility
from vod.captions.models import CaptionOrigin, CaptionTrack
from vod.classes.models import LiveClass
from vod.db.engine import Database, open_database
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import Publication
from vod.search.finding import build_may_see, find_documents
from vod.search.indexer import Indexer, request_rebuild
from vod.search.lease import LEASE, Lease, LeaseLostError
from vod.search.models import Kind, SearchChange, SearchDocument, SearchSpeech
from vod.search.opening import open_search_index
from vod.search.port import Matches, Wanted
from vod.search.query import parse_query, relax
from vod.series.models import Series, SeriesLecture

__all__ = ["database_url", "databases"]  # Fixtures.

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
EDITOR = Viewer(account_id="e" * 20, role=Role.EDITOR)
MEMBER = Viewer(account_id="m" * 20, role=Role.MEMBER)
NOBODY = Viewer()
FLAG = "草原上的党旗"


class Library:
    """A database with an index, and rows put straight into it."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, FakeClock()
        self.index = open_search_index(database)
        self.indexer = Indexer(database, self.index, self.clock)
        self.ids: dict[str, str] = {}
        self._made = 0

    async def add(self, name: str, model: type[Any], **values: Any) -> str:
        self._made += 1
        made_at = START + timedelta(minutes=self._made)
        row = model(id=new_id(), created_at=made_at, **values)
        async with self.database.write() as session:
            session.add(row)
        self.ids[row.id] = name
        return str(row.id)

    async def lecture(self, name: str, title: str, **values: Any) -> str:
        said = values.pop("said", ())
        values = {"visibility": Visibility.PUBLIC, "state": LectureState.PLAYABLE} | values
        lecture_id = await self.add(name, Lecture, title=title, duration_ticks=0, **values)
        if said:
            await self.say(lecture_id, *said)
        return lecture_id

    async def say(self, lecture_id: str, *said: str) -> None:
        cues = [[at * 2000, at * 2000 + 2000, line] for at, line in enumerate(said)]
        track = CaptionTrack(
            lecture_id=lecture_id, language="zh-CN", label="中文", cues=cues,
            origin=CaptionOrigin.UPLOADED, cues_count=len(cues),
            created_at=START, changed_at=START,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(track)

    async def run(self, *statements: Any) -> None:
        async with self.database.write() as session:
            for statement in statements:
                await session.execute(statement)

    async def find(
        self, words: str, *, viewer: Viewer = MEMBER, loosely: bool = False, **wanted: Any
    ) -> Matches:
        query = relax(words) if loosely else parse_query(words)
        async with self.database.read() as session:
            may_see = build_may_see(viewer)
            return await find_documents(session, self.index, query, Wanted(may_see, **wanted))

    async def names(self, words: str, **options: Any) -> list[str]:
        return [self.ids[one.object_id] for one in (await self.find(words, **options)).found]


@pytest.fixture
async def library(database_url: str) -> AsyncIterator[Library]:
    async with open_database(database_url) as database:
        yield Library(database)


async def fill(library: Library) -> None:
    series = await library.add("series", Series, title="党史学习教育")
    await library.lecture("title", FLAG)
    await library.lecture("longer", f"{FLAG}：第二讲", description="牧民夜校")
    within = await library.lecture("within", "走进乌审旗")
    await library.lecture("body", "流动课堂", description=f"讲述{FLAG}的故事")
    await library.lecture(
        "said", "支部书记访谈", said=("大家好", "今天说一说草原上的", "党旗，还有马背宣讲队")
    )
    await library.lecture("members", f"{FLAG} 内部版", visibility=Visibility.MEMBERS)
    await library.lecture("draft", f"{FLAG} 草稿", publication=Publication.DRAFT)
    await library.lecture(
        "group", f"{FLAG} 退休", audience={"categories": ["retired"]}, description="夜校"
    )
    await library.add(
        "class", LiveClass, title="直播：草原夜校", visibility=Visibility.PUBLIC, series_id=series
    )
    await library.run(
        SeriesLecture.__table__.insert().values(series_id=series, lecture_id=within, position=0)
    )
    await library.lecture("english", "Party Lecture 7", said=("Communist history", "in the grass"))
    await library.lecture("trap", "党的旗帜", said=("草原的风，上的学，党员", "原上草，旗手"))
    assert await library.indexer.catch_up() > 0


# What somebody types -> what is found, best first; the same on both databases.
SHARED = {
    FLAG: ["title", "longer", "body", "said"],
    "草原上的黨旗": ["title", "longer", "body", "said"],
    f"《{FLAG}》": ["title", "longer", "body", "said"],
    "caoyuanshang": ["longer", "title"],
    "cysddq": ["longer", "title"],
    "cao yuan": ["class", "longer", "title"],
    "草原 党旗": ["longer", "title", "body", "said"],
    "旗": ["trap", "within", "longer", "title", "body"],
    "党史学习": ["series", "class", "within"],
    "夜校": ["class", "longer"],
    "夜校 牧民": ["longer"],
    "马背宣讲队": ["said"],
    "上的党旗还有": ["said"],
    "ＰＡＲＴＹ": ["english"],
    "lect": ["english"],
    "7": ["english"],
    "communist grass": ["english"],
    "宇宙飞船": [],
    "!!! ??": [],
}


async def test_the_shared_queries_find_the_same_in_the_same_order(library: Library) -> None:
    await fill(library)
    found = {words: await library.names(words, viewer=NOBODY) for words in SHARED if words != "!!! ??"}
    assert found == {words: names for words, names in SHARED.items() if words != "!!! ??"}
    assert await library.names("草原党旗", viewer=NOBODY) == []
    loose = await library.names("草原党旗", viewer=NOBODY, loosely=True)
    assert loose == ["longer", "title", "body", "said"]
